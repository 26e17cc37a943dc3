// The outcome of a row whose mask allows no image: a decision tree over the fields of a convention, with the conventions at its leaves.

import { conventions } from "../../../dist/masks/conventions/conventions.js";
import { FIELD_VALUES } from "../../../dist/masks/conventions/schema.js";
import { kindStrings } from "../../../dist/masks/exhaustive/prompts.js";
import { addsNothing, outcomeLabel, rowOutcome } from "../../../dist/masks/outcome.js";
import { maskRows } from "../../../dist/masks/rows.js";
import { box, figure, line, text, WIDTH } from "./svg.mjs";

/** The rows that allow no image, of every prompt of up to three tokens with one image. */
function emptyRows(convention) {
  const prompts = [1, 2, 3].flatMap((length) => kindStrings(length));
  return prompts
    .flatMap((kinds) => maskRows({ shape: [1, kinds.length], data: kinds }, 1, convention)[0])
    .filter((row) => !row.mayAttend.includes(true));
}
const all = Object.values(conventions).map((convention) => ({ convention, rows: emptyRows(convention) }));
const isZeroed = (convention, row) => convention.zeroBeforeFirstImage && row.number === 0;

/** The conventions that have a row with these fields, and the outcome of it. `zeroed`: whether text_time = 0 sets it to zero. */
function leaf(answer, meaning, fields, zeroed = false) {
  const outcome = rowOutcome([], 1, zeroed, { ...conventions.immediate, ...fields });
  const here = all.flatMap(({ convention, rows }) => {
    const has = Object.entries(fields).every(([name, value]) => convention[name] === value);
    const own = has ? rows.filter((row) => isZeroed(convention, row) === zeroed) : [];
    if (own.length === 0) return [];
    if (own.some((row) => row.outcome !== outcome))
      throw new Error(`${convention.name} has another outcome than ${outcome}`);
    return [`${convention.name}${!zeroed && convention.zeroBeforeFirstImage ? " *" : ""}`];
  });
  return { answer, meaning, outcome, names: here.length > 0 ? here : ["no convention here"] };
}

const MEANINGS = {
  zero: { run: "attention adds nothing", skip: "the whole layer leaves the row as it is" },
  uniform: "the plain average of all images",
  unmasked: "a softmax over all images",
  nan: "a fill of −∞: the softmax of nothing",
};

/** The leaves below the second question. */
const answers = FIELD_VALUES.emptyRow.flatMap((emptyRow) =>
  emptyRow === "zero"
    ? FIELD_VALUES.emptyRowFeedForward.map((emptyRowFeedForward) =>
        leaf(`${emptyRow}, feed-forward: ${emptyRowFeedForward}`, MEANINGS.zero[emptyRowFeedForward], {
          emptyRow,
          emptyRowFeedForward,
        }),
      )
    : [leaf(emptyRow, MEANINGS[emptyRow], { emptyRow })],
);
const sooner = leaf("yes", "attention adds nothing", { zeroBeforeFirstImage: true }, true);

const [EDGE, TRUNK, INDENT, LINE, CHIP] = [12, 26, 50, 18, 136];
const toneOf = (outcome) => (addsNothing(outcome) ? "one" : "alarm");

/** A question across the figure; returns its parts and its lower edge. */
const question = (y, words) => [
  box(EDGE, y, WIDTH - 2 * EDGE, 30, { fill: "frozen" }),
  text(EDGE + 12, y + 20, words, { bold: true }),
];

function drawLeaf(y, { answer, meaning, outcome, names }) {
  const tone = toneOf(outcome);
  return [
    line(
      [
        [TRUNK, y + 11],
        [INDENT - 2, y + 11],
      ],
      { arrow: true },
    ),
    text(INDENT + 4, y + 16, answer, { code: true }),
    box(WIDTH - EDGE - CHIP, y, CHIP, 22, { stroke: tone, thick: 2, dashed: tone === "alarm" }),
    text(WIDTH - EDGE - CHIP / 2, y + 15.5, outcomeLabel(outcome), {
      anchor: "middle",
      fill: tone,
      bold: true,
    }),
    text(INDENT + 4, y + 16 + LINE, meaning, { fill: "faint" }),
    ...names.map((name, i) => text(INDENT + 16, y + 16 + LINE * (i + 2), name, { code: true })),
  ];
}
const heightOf = ({ names }) => 16 + LINE * (names.length + 1) + 22;

export function emptyRow() {
  const parts = [];
  let y = 12;
  const ask = (words) => {
    parts.push(...question(y, words));
    y += 30 + 14;
  };
  const trunkTo = (from, to) =>
    parts.push(
      line([
        [TRUNK, from],
        [TRUNK, to],
      ]),
    );
  ask("A row whose mask allows no image");
  trunkTo(42, y);
  ask("Is text_time 0, and does that zero the row?");
  const first = y - 14;
  parts.push(...drawLeaf(y, sooner));
  y += heightOf(sooner) + 6;
  trunkTo(first, y);
  parts.push(text(TRUNK + 8, y - 6, "no", { code: true }));
  ask("What is the result of the softmax, emptyRow?");
  const second = y - 14;
  for (const answer of answers) {
    parts.push(...drawLeaf(y, answer));
    if (answer === answers.at(-1)) trunkTo(second, y + 11);
    y += heightOf(answer);
  }
  const full = all.filter(({ rows }) => rows.length === 0).map(({ convention }) => convention.name);
  const notes = [
    "* only rows with text_time > 0: their image was not given",
    ...full.map((name) => `${name} has no such row`),
  ];
  const described = ({ answer, outcome, names }) =>
    `${answer}: ${outcomeLabel(outcome)} (${names.join(", ")})`;
  return figure({
    title: "The outcome of a row whose mask allows no image",
    description: `Where text_time is 0 and such rows are set to zero after the softmax: ${outcomeLabel(sooner.outcome)} (${sooner.names.join(", ")}). Otherwise the result of the softmax decides. ${answers.map(described).join("; ")}. ${notes.join(". ")}.`,
    height: y + LINE * notes.length,
    parts: [...parts, ...notes.map((note, i) => text(EDGE, y + 4 + LINE * i, note, { fill: "faint" }))],
  });
}
