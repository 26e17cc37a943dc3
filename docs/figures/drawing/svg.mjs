// Writes the figures as SVG. A figure is 420 units wide and no text is smaller than 13 units, so that it is at least 11 pixels high where
// the figure is 380 pixels wide. Colours are named; each has a value for light and one for dark pages, and only those used are written.

export const WIDTH = 420;
/** The size of all text. */
export const FONT = 13;

/** Colour: on a light page, on a dark page. The three images have hues that also differ to colour-blind readers. */
export const COLOURS = {
  paper: ["#ffffff", "#0d1117"],
  ink: ["#1f2328", "#e6edf3"],
  faint: ["#57606a", "#9da7b1"],
  line: ["#6e7781", "#8b949e"],
  frozen: ["#eaeef2", "#21262d"],
  trained: ["#fff3d6", "#3a2c10"],
  one: ["#0072b2", "#6cbcf0"],
  two: ["#b34700", "#f2a93b"],
  three: ["#00402b", "#c5f0b0"],
  alarm: ["#a3125f", "#ff8fc0"],
};
/** The colours of images 1, 2 and 3. */
export const IMAGE_COLOURS = ["one", "two", "three"];

const escaped = (words) =>
  String(words).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const number = (x) => String(Math.round(x * 10) / 10);
const points = (pairs) => pairs.map(([x, y]) => `${number(x)} ${number(y)}`).join("L");

/** A line of text. `fill`: its colour; `anchor`: start, middle or end; `code`: in a monospaced font. */
export function text(x, y, words, { fill = "ink", anchor = "start", code = false, bold = false } = {}) {
  const classes = [`f-${fill}`, ...(code ? ["code"] : []), ...(bold ? ["bold"] : [])].join(" ");
  const anchored = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text x="${number(x)}" y="${number(y)}" class="${classes}"${anchored}>${escaped(words)}</text>`;
}

/** A rectangle. `fill` and `stroke` are colours; `thick` is the width of the stroke. */
export function box(
  x,
  y,
  width,
  height,
  { fill = "paper", stroke = "line", thick = 1, dashed = false, round = 4, opacity = 1 } = {},
) {
  const rest = [
    ...(stroke === null ? [] : [` stroke-width="${thick}"`]),
    ...(dashed ? [' stroke-dasharray="5 3"'] : []),
    ...(opacity === 1 ? [] : [` opacity="${opacity}"`]),
  ].join("");
  const classes = `f-${fill ?? "none"}${stroke === null ? "" : ` s-${stroke}`}`;
  return `<rect x="${number(x)}" y="${number(y)}" width="${number(width)}" height="${number(height)}" rx="${round}" class="${classes}"${rest}/>`;
}

/** A line through points. `arrow`: with a head at its end. */
export function line(pairs, { stroke = "line", thick = 1.5, arrow = false } = {}) {
  const path = `<path d="M${points(pairs)}" class="f-none s-${stroke}" stroke-width="${thick}"/>`;
  if (!arrow) return path;
  const [[fromX, fromY], [x, y]] = pairs.slice(-2);
  const length = Math.hypot(x - fromX, y - fromY);
  const [right, down] = [(x - fromX) / length, (y - fromY) / length];
  const corner = (side) => [x - 8 * right + side * 4 * down, y - 8 * down - side * 4 * right];
  return `${path}<path d="M${points([[x, y], corner(1), corner(-1)])}Z" class="f-${stroke}"/>`;
}

/** A shape with curved edges, as the d of a path. */
export const shape = (d, { fill, opacity = 1 }) =>
  `<path d="${d.replace(/\d+\.\d+/g, number)}" class="f-${fill}" opacity="${opacity}"/>`;

/** A circle with a sign in it, such as + or ×. */
export const node = (x, y, sign) =>
  `<circle cx="${number(x)}" cy="${number(y)}" r="10" class="f-paper s-line" stroke-width="1.5"/>${text(x, y + 4.5, sign, { anchor: "middle", bold: true })}`;

/** The rules of the colours that a body uses. */
function rules(body, page) {
  const used = Object.entries(COLOURS).flatMap(([name, values]) => [
    ...(body.includes(`f-${name}`) ? [`.f-${name}{fill:${values[page]}}`] : []),
    ...(body.includes(`s-${name}`) ? [`.s-${name}{stroke:${values[page]}}`] : []),
  ]);
  return used.join("");
}

/** A whole figure. `title` and `description` are read aloud in its place. */
export function figure({ title, description, height, parts }) {
  const body = [box(0.5, 0.5, WIDTH - 1, height - 1, { stroke: "frozen", round: 6 }), ...parts].join("\n");
  const style = [
    `text{font:${FONT}px system-ui,sans-serif}`,
    `.code{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}`,
    ".bold{font-weight:bold}.f-none{fill:none}",
    rules(body, 0),
    `@media(prefers-color-scheme:dark){${rules(body, 1)}}`,
  ];
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">
<title id="title">${escaped(title)}</title>
<desc id="description">${escaped(description)}</desc>
<style>${style.join("\n")}</style>
${body}
</svg>
`;
}
