// The census of conventions as Markdown, worked out from their data and nothing else: what docs/20-masks.md shows.
import { conventions } from "../conventions/conventions.ts";
import type { CachedStep, Compare, Convention, EmptyRow } from "../conventions/schema.ts";
import { type InvariantName, invariants, verdictsOf } from "../invariants.ts";
import { TOKEN } from "../numbering.ts";
import { maskRows } from "../rows.ts";

const all: readonly Convention[] = Object.values(conventions);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

const counts = ({ numbering, neighbours, endTokens }: Convention): string =>
  [
    numbering,
    ...(neighbours === "together" ? ["neighbours together"] : []),
    ...(endTokens === "cut" ? ["end tokens cut"] : []),
  ].join(", ");

const compares = (compare: Compare): string =>
  compare === "equal"
    ? "="
    : compare === "at-least"
      ? "≥"
      : compare === "everything"
        ? "all"
        : "last" in compare
          ? `last ${compare.last}`
          : "listed";

const fates: Record<EmptyRow, string> = {
  zero: "zero",
  uniform: "**average of all**",
  unmasked: "**all, unmasked**",
  nan: "**NaN**",
};

/** Who decides that a row is silenced: text_time = 0, the mask, or nobody. */
const decider = ({ zeroBeforeFirstImage, emptyRow }: Convention): string => {
  if (zeroBeforeFirstImage) return "text_time = 0";
  return emptyRow === "zero" ? "the mask" : "nobody";
};

const steps: Record<CachedStep, string> = {
  none: "no cache",
  rows: "its rows",
  restart: "**counts anew**",
  count: "the last image counted",
  "prompt-end": "the prompt's last columns",
  "mask-end": "the mask's last row",
  "last-row": "the prompt's last row",
  ahead: "**one image on, several not**",
};

const standsOn = ({ unproven, unprovenStep }: Convention): string => {
  if (unproven !== undefined) return `its text: ${unproven}`; // [mask.unproven]
  return unprovenStep === undefined ? "runs of it" : `runs of it; cached steps on its text: ${unprovenStep}`;
};

/** The conventions, a line each. [mask.census] */
export function conventionTable(): string {
  const head =
    "convention|read in|counts|attends|empty row|zeroed by|feed-forward there|cached step|stands on";
  const rows = all.map((c) => [
    `\`${c.name}\``,
    [`${c.source.package} ${c.source.version}`, c.source.thread].filter(Boolean).join("; "),
    counts(c),
    compares(c.compare),
    fates[c.emptyRow],
    decider(c),
    c.emptyRowFeedForward === "run" ? "runs" : "skipped",
    steps[c.cachedStep],
    standsOn(c),
  ]);
  return table(head.split("|"), rows);
}

const CASES: readonly (readonly [prompt: string, images: number, what: string])[] = [
  ["ttIt", 1, "text first"],
  ["Ittt", 3, "more images than tokens"],
  ["ItIt", 1, "fewer images than tokens"],
  ["IItt", 2, "neighbours"],
  ["ttII", 2, "all at the end"],
  ["tttt", 2, "no token"],
  ["ItEtIt", 2, "an end token"],
];

const MARKS = {
  zeroed: "0",
  identity: "=",
  "uniform-leak": "**U**",
  "unmasked-leak": "**A**",
  nan: "**NaN**",
};

const cells = (prompt: string, images: number, convention: Convention): string => {
  const kinds = [...prompt].map((token) =>
    token === "I" ? TOKEN.image : token === "E" ? TOKEN.end : TOKEN.text,
  );
  const [rows = []] = maskRows({ shape: [1, kinds.length], data: kinds }, images, convention);
  return rows.map((row) => (row.outcome === "attends" ? `{${row.images}}` : MARKS[row.outcome])).join(" ");
};

/** What each makes of the prompts that tell them apart. [mask.census] */
export function edgeCaseTable(): string {
  const head = ["convention", ...CASES.map(([prompt, n, what]) => `\`${prompt}\`, N = ${n}: ${what}`)];
  return table(
    head,
    all.map((c) => [`\`${c.name}\``, ...CASES.map(([prompt, n]) => cells(prompt, n, c))]),
  );
}

const letters = (kinds: readonly number[]): string => kinds.map((kind) => "tIE"[kind]).join("");

/** Which invariant each keeps, with the shortest prompt that breaks it. [mask.census] */
export function invariantTable(): string {
  const names = Object.keys(invariants) as InvariantName[];
  const rows = all.map((c) => {
    const verdicts = verdictsOf(c, { longest: 4, images: 2 });
    const cell = (name: InvariantName) => {
      const broken = verdicts[name];
      return broken ? `**\`${letters(broken.kinds)}\`**, N = ${broken.images}` : "holds";
    };
    return [`\`${c.name}\``, ...names.map(cell)];
  });
  return table(["convention", ...names], rows);
}

/** Every generated part of the page, by its name. */
export const comparisonTables = {
  conventions: conventionTable,
  cases: edgeCaseTable,
  invariants: invariantTable,
} as const;
