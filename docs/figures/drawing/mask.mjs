// The mask of one prompt under two conventions.

import { conventions } from "../../../dist/masks/conventions/conventions.js";
import { outcomeLabel } from "../../../dist/masks/outcome.js";
import { wordsOf } from "../../../dist/masks/prompts/prompt.js";
import { maskRows } from "../../../dist/masks/rows.js";
import { box, figure, IMAGE_COLOURS, text } from "./svg.mjs";

export const PROMPT = "A cat <image> dogs <image><image> done";
export const IMAGE_TOKEN = "<image>";
export const tokens = wordsOf(PROMPT);
export const isImage = (token) => token === IMAGE_TOKEN;
export const images = tokens.filter(isImage).length;
/** "dogs", or "[image 2]" for the second image token. */
export const labels = tokens.map((token, l) =>
  isImage(token) ? `[image ${tokens.slice(0, l + 1).filter(isImage).length}]` : token,
);
/** The rows of the prompt's mask under a convention. */
export const rowsOf = (convention) =>
  maskRows(
    { shape: [1, tokens.length], data: tokens.map((token) => Number(isImage(token))) },
    images,
    convention,
  )[0];

const [LEFT, PANEL, CELL, ROW, TOP] = [94, 164, 48, 24, 78];

function cell(row, image, x, y) {
  const middle = [x + CELL / 2 - 1, y + 16];
  const at = (words, fill, bold = true) => text(...middle, words, { anchor: "middle", fill, bold });
  const reaches = row.images.includes(image);
  if (!reaches) return at("·", "faint");
  if (row.mayAttend[image - 1])
    return (
      box(x, y, CELL - 3, ROW - 3, { fill: IMAGE_COLOURS[image - 1], stroke: null }) + at(image, "paper")
    );
  return box(x, y, CELL - 3, ROW - 3, { stroke: "alarm", thick: 2, dashed: true }) + at(`${image}!`, "alarm");
}

function panel(convention, at) {
  const left = LEFT + at * PANEL;
  const cells = rowsOf(convention).flatMap((row) =>
    Array.from({ length: images }, (_, m) => cell(row, m + 1, left + m * CELL, TOP + row.position * ROW)),
  );
  const { name, source } = convention;
  return [
    text(left, 24, name, { code: true, bold: true }),
    text(left, 42, source.package, { fill: "faint" }),
    text(left, 60, source.version, { fill: "faint" }),
    ...cells,
  ];
}

export function mask() {
  const shown = [conventions.immediate, conventions["mllama transformers"]];
  const label = labels.map((token, l) => {
    const image = rowsOf(shown[0])[l].image;
    const fill = image > 0 ? IMAGE_COLOURS[image - 1] : "ink";
    return text(LEFT - 10, TOP + l * ROW + 16, token, { code: true, anchor: "end", fill, bold: image > 0 });
  });
  const bottom = TOP + tokens.length * ROW + 22;
  const leak = shown.flatMap(rowsOf).find(({ outcome }) => outcome.endsWith("leak"));
  return figure({
    title: `Which token of "${PROMPT}" attends to which image`,
    description: shown
      .map((convention) => {
        const rows = rowsOf(convention).map((row) =>
          `${labels[row.position]}: ${outcomeLabel(row.outcome)} ${row.images.join(", ")}`.trim(),
        );
        return `Under ${convention.name}, ${rows.join("; ")}.`;
      })
      .join(" "),
    height: bottom + 32,
    parts: [
      ...["tokens", "attend to", "images"].map((words, i) => text(10, 24 + 18 * i, words, { fill: "faint" })),
      ...label,
      ...shown.flatMap(panel),
      box(LEFT, bottom - 12, 16, 15, { fill: "one", stroke: null }),
      text(LEFT + 22, bottom, "attends"),
      text(LEFT + 90, bottom, "·", { fill: "faint", bold: true }),
      text(LEFT + 100, bottom, "no"),
      box(LEFT + 138, bottom - 12, 16, 15, { stroke: "alarm", thick: 2, dashed: true }),
      text(LEFT + 162, bottom, outcomeLabel(leak.outcome), { fill: "alarm" }),
      text(LEFT + 162, bottom + 18, "attends, with no mask", { fill: "alarm" }),
    ],
  });
}
