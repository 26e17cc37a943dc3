// The comparison of all conventions as Markdown tables, computed from their data: the tables of docs/guides/20-masks.md.
import { markdownTable } from "../../terminal/markdown.ts";
import { conventions } from "../conventions/conventions.ts";
import type {
  CachedStep,
  Compare,
  ConventionSource,
  EmptyRowBehaviour,
  NamedConvention,
  Refuses,
} from "../conventions/schema.ts";
import { TOKEN } from "../counting/counted-text.ts";
import { onlyInBatch, promptRefusal } from "../counting/refused.ts";
import { prompts } from "../exhaustive/prompts.ts";
import { type InvariantName, invariants, verdictsOf } from "../invariants.ts";
import { type MaskRow, promptRows, sameMask, sameRow } from "../rows.ts";

const all: readonly NamedConvention[] = Object.values(conventions);

const markdown = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  markdownTable(head, rows).join("\n");

const counts = ({ numbering, neighbours, endTokens }: NamedConvention): string =>
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

const emptyRows: Record<EmptyRowBehaviour, string> = {
  zero: "zero",
  uniform: "**average of all**",
  unmasked: "**all, unmasked**",
  nan: "**NaN**",
};

/** The condition under which a row is set to zero. */
const zeroedBy = ({ zeroBeforeFirstImage, emptyRow }: NamedConvention): string => {
  if (zeroBeforeFirstImage) return "text_time = 0";
  return emptyRow === "zero" ? "the mask" : "nothing";
};

const steps: Record<CachedStep, string> = {
  none: "no cache",
  rows: "its rows",
  restart: "**counting restarts**",
  count: "the last image counted",
  "prompt-end": "the prompt's last columns",
  "mask-end": "the mask's last row",
  "last-row": "the prompt's last row",
  ahead: "**one image continues, several do not**",
};

const refusals: Record<Refuses | "nothing", string> = {
  nothing: "nothing",
  "no-image": "a batch without an image",
  count: "a batch without an image; counts that differ",
};

const evidence = ({ unproven, unprovenStep }: NamedConvention): string => {
  if (unproven !== undefined) return `read only: ${unproven}`; // [mask.unproven]
  return unprovenStep === undefined ? "was run" : `was run; cached steps read only: ${unprovenStep}`;
};

/** The entry of docs/bibliography.md for a source. */
const BIBLIOGRAPHY: Readonly<Record<string, string>> = {
  "Flamingo, the paper": "flamingo",
  "otter-ai": "otter",
};

/** The repositories of threads. */
const REPOSITORIES: Readonly<Record<string, string>> = {
  "flamingo-pytorch": "lucidrains/flamingo-pytorch",
  "open-flamingo": "mlfoundations/open_flamingo",
  "flamingo-mini": "dhansmair/flamingo-mini",
  "otter-ai": "Luodian/Otter",
  transformers: "huggingface/transformers",
  torchtune: "pytorch/torchtune",
};

/** The source of a convention, linked: the package to the bibliography, issues and commits to its repository. */
function sourceLinks({ package: name, version, thread }: ConventionSource): string {
  const own = `[${name} ${version}](../bibliography.md#${BIBLIOGRAPHY[name] ?? name})`;
  if (thread === undefined) return own;
  const repository = `https://github.com/${REPOSITORIES[name]}`;
  const linked = thread
    .replaceAll(/#(\d+)/g, `[#$1](${repository}/issues/$1)`)
    .replaceAll(/commit (\w+)/g, `[commit $1](${repository}/commit/$1)`);
  return `${own}; ${linked}`;
}

/** The conventions, a line each. [mask.comparison] */
export function conventionTable(): string {
  const head =
    "convention|source|numbering|attends|empty row|zeroed by|feed-forward there|cached step|refuses|evidence";
  const rows = all.map((c) => [
    `\`${c.name}\``,
    sourceLinks(c.source),
    counts(c),
    compares(c.compare),
    emptyRows[c.emptyRow],
    zeroedBy(c),
    c.emptyRowFeedForward === "run" ? "runs" : "skipped",
    steps[c.cachedStep],
    refusals[c.refuses ?? "nothing"],
    evidence(c),
  ]);
  return markdown(head.split("|"), rows);
}

const CASES: readonly (readonly [prompt: string, images: number, title: string])[] = [
  ["ttIt", 1, "text first"],
  ["Ittt", 3, "more images than tokens"],
  ["ItIt", 1, "fewer images than tokens"],
  ["IItt", 2, "neighbours"],
  ["ttII", 2, "images at the end"],
  ["tttt", 2, "no image token"],
  ["ItEtIt", 2, "an end token"],
];

const MARKS = {
  zeroed: "0",
  identity: "=",
  "uniform-leak": "**U**",
  "unmasked-leak": "**A**",
  nan: "**NaN**",
};

const mark = (row: MaskRow): string => (row.outcome === "attends" ? `{${row.images}}` : MARKS[row.outcome]);

/** The outcomes of a prompt, "refused", or the outcomes with a dagger where the source takes the prompt only as part of a batch. */
const cells = (prompt: string, images: number, convention: NamedConvention): string => {
  const kinds = [...prompt].map((token) =>
    token === "I" ? TOKEN.image : token === "E" ? TOKEN.end : TOKEN.text,
  );
  if (promptRefusal(kinds, images, convention)) return "refused"; // [mask.comparison]
  const marks = promptRows(kinds, images, convention).map(mark);
  return [...marks, ...(onlyInBatch(kinds, images, convention) ? ["†"] : [])].join(" "); // [mask.comparison]
};

/** The outcomes of prompts that distinguish the conventions. [mask.comparison] */
export function edgeCaseTable(): string {
  const head = ["convention", ...CASES.map(([prompt, n, title]) => `\`${prompt}\`, N = ${n}: ${title}`)];
  return markdown(
    head,
    all.map((c) => [`\`${c.name}\``, ...CASES.map(([prompt, n]) => cells(prompt, n, c))]),
  );
}

const letters = (kinds: readonly number[]): string => kinds.map((kind) => "tIE"[kind]).join("");

/** The invariants that hold, and the shortest prompt that breaks each of the others. [mask.comparison] */
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
  return markdown(["convention", ...names], rows);
}

const PROMPTS = prompts(4, 3).map(({ kinds }) => kinds);

/** Whether two conventions give every row of every short prompt the same mask and the same outcome. */
const alike = (one: NamedConvention, other: NamedConvention): boolean =>
  PROMPTS.every((kinds) =>
    [1, 2, 3].every((images) => {
      const others = promptRows(kinds, images, other);
      return promptRows(kinds, images, one).every((row, l) => {
        const counterpart = others[l];
        return counterpart !== undefined && sameMask(row, counterpart) && sameRow(row, counterpart);
      });
    }),
  );

/** The conventions that agree on every whole prompt, a group a line, with what distinguishes its members. [mask.comparison] */
export function groupTable(): string {
  const groups: NamedConvention[][] = [];
  for (const convention of all) {
    const group = groups.find(([first]) => first !== undefined && alike(first, convention)); // [mask.comparison]
    if (group) group.push(convention);
    else groups.push([convention]);
  }
  const each = (group: readonly NamedConvention[], text: (c: NamedConvention) => string): string =>
    [...new Set(group.map(text))].length === 1
      ? group.slice(0, 1).map(text).join("")
      : group.map((c) => `\`${c.name}\`: ${text(c)}`).join("; ");
  const rows = groups
    .filter((group) => group.length > 1)
    .map((group) => [
      group.map((c) => `\`${c.name}\``).join(", "),
      each(group, (c) => steps[c.cachedStep]),
      each(group, (c) => refusals[c.refuses ?? "nothing"]),
    ]);
  return markdown(["the same rows for every whole prompt", "cached step", "refuses"], rows);
}

/** Every generated table of the page, by its name. */
export const comparisonTables = {
  conventions: conventionTable,
  cases: edgeCaseTable,
  groups: groupTable,
  invariants: invariantTable,
} as const;
