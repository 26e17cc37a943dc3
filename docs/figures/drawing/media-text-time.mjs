// φ: the image that each token belongs to, under two conventions beside each other.
import { conventions } from "../../../dist/masks/conventions/conventions.js";
import { images, labels, PROMPT, rowsOf } from "./mask.mjs";
import { box, figure, IMAGE_COLOURS, shape, text, WIDTH } from "./svg.mjs";

const [ROW, TOP, IMAGE, EDGE, TOKENS] = [30, 84, 40, 14, 146];

/** Neighbouring rows with the same number and the same images. */
function spans(rows) {
  const found = [];
  for (const { position, number, allowed } of rows) {
    const last = found.at(-1);
    if (last?.number === number && `${last.allowed}` === `${allowed}`) last.to = position;
    else found.push({ from: position, to: position, number, allowed });
  }
  return found;
}

/** A convention's images and ribbons; `side` is 1 on the right of the tokens and −1 on their left. */
function half(convention, side) {
  const x = (distance) => WIDTH / 2 + side * distance;
  const [near, far] = [TOKENS / 2, WIDTH / 2 - EDGE - IMAGE];
  const height = ROW * labels.length;
  const imageTop = (m) => TOP + (height * (m + 0.5)) / images - IMAGE / 2;
  const ribbon = ({ from, to, allowed }) =>
    allowed.flatMap(([first, last]) =>
      Array.from({ length: last - first + 1 }, (_, i) => {
        const m = first + i - 1;
        const [top, bottom] = [TOP + from * ROW + 2, TOP + (to + 1) * ROW - 2];
        const [a, b] = [imageTop(m) + 2, imageTop(m) + IMAGE - 2];
        const bend = (near + far) / 2;
        const d = `M${x(far)} ${a}C${x(bend)} ${a} ${x(bend)} ${top} ${x(near)} ${top}V${bottom}C${x(bend)} ${bottom} ${x(bend)} ${b} ${x(far)} ${b}Z`;
        return shape(d, { fill: IMAGE_COLOURS[m], opacity: 0.4 });
      }),
    );
  const anchor = side < 0 ? "start" : "end";
  const { name, source } = convention;
  return [
    text(x(WIDTH / 2 - EDGE), 24, name, { anchor, code: true, bold: true }),
    text(x(WIDTH / 2 - EDGE), 42, `${source.package} ${source.version}`, { anchor, fill: "faint" }),
    text(x(WIDTH / 2 - EDGE), TOP - 10, "images", { anchor, fill: "faint" }),
    text(x(near + 12), TOP - 10, "φ", { anchor: "middle", bold: true }),
    ...spans(rowsOf(convention)).flatMap(ribbon),
    ...rowsOf(convention).map(({ position, number, allowed }) =>
      text(x(near + 12), TOP + position * ROW + 20, number, {
        anchor: "middle",
        bold: allowed.length > 0,
        fill: allowed.length > 0 ? "ink" : "faint",
      }),
    ),
    ...Array.from({ length: images }, (_, m) => [
      box(side < 0 ? EDGE : WIDTH - EDGE - IMAGE, imageTop(m), IMAGE, IMAGE, {
        fill: IMAGE_COLOURS[m],
        stroke: null,
      }),
      text(x(far + IMAGE / 2), imageTop(m) + IMAGE / 2 + 5, m + 1, {
        anchor: "middle",
        fill: "paper",
        bold: true,
      }),
    ]).flat(),
  ];
}

export function mediaTextTime() {
  const shown = [conventions["open-flamingo@0.0.2"], conventions["open-flamingo@2.0.1"]];
  const rows = labels.map((label, l) => {
    const { image } = rowsOf(shown[0])[l];
    return [
      box((WIDTH - TOKENS) / 2, TOP + l * ROW + 2, TOKENS, ROW - 4, { stroke: "line", fill: "paper" }),
      text(WIDTH / 2, TOP + l * ROW + 20, label, {
        anchor: "middle",
        code: true,
        bold: image > 0,
        fill: image > 0 ? IMAGE_COLOURS[image - 1] : "ink",
      }),
    ].join("");
  });
  const bottom = TOP + ROW * labels.length;
  const list = (convention) =>
    `${convention.name}: φ = ${rowsOf(convention)
      .map(({ number }) => number)
      .join(" ")}`;
  return figure({
    title: `The image that each token of "${PROMPT}" belongs to, under two conventions`,
    description: `${shown.map(list).join("; ")}. A ribbon joins an image to the tokens that attend to it.`,
    height: bottom + 50,
    parts: [
      ...half(shown[0], -1),
      ...half(shown[1], 1),
      ...rows,
      ...["φ is the number of the token's image;", "without a ribbon there is no image of that number"].map(
        (words, i) => text(WIDTH / 2, bottom + 20 + 17 * i, words, { anchor: "middle", fill: "faint" }),
      ),
    ],
  });
}
