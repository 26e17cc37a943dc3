// The exhaustive mask cases of `flamboyance check`: a line for each convention, and the conventions without recorded runs.
import {
  checkMasks,
  EVERYTHING,
  type MaskVerdict,
  QUICK,
  type Reach,
  summariseMasks,
} from "../conformance/cases/check-masks.ts";
import { type CaseVerdict, exitCode, summarise } from "../conformance/cases/verdict.ts";
import { findMaskCases, readMaskCases } from "../io/golden/masks.ts";
import { effectInWords } from "../masks/exhaustive/effect.ts";
import type { ShortPrompt } from "../masks/exhaustive/prompts.ts";
import type { Paint } from "../terminal/colour.ts";
import { progressOn } from "../terminal/progress.ts";
import { columnsFrom, table } from "../terminal/table.ts";
import { type DocumentKind, print } from "./output.ts";
import { paintOn, writeOut } from "./terminal.ts";

const number = (n: number): string => n.toLocaleString("en-US");

/** Checks folders of mask cases: in full where the command line names the folder itself, otherwise its shorter prompts. [mask.check] */
export function runMasks(folders: readonly string[], named: boolean): MaskVerdict[] {
  const progress = progressOn(process.stderr);
  const reach: Reach = named ? EVERYTHING : QUICK; // [mask.check]
  const onProgress = (done: number, total: number, name: string) =>
    progress.step(done, total, `masks ${name}`);
  const verdicts = folders.flatMap((folder) => checkMasks(readMaskCases(folder), reach, { onProgress }));
  progress.clear();
  return verdicts;
}

/** Separates paths that are folders of mask cases from all others. */
export function splitPaths(paths: readonly string[]): { masks: string[]; others: string[] } {
  const masks = findMaskCases(paths);
  const own = paths.filter((path) => masks.includes(path.replace(/(?<=.)\/+$/, "")));
  return { masks: findMaskCases(own), others: paths.filter((path) => !own.includes(path)) };
}

const promptLetters = ({ kinds, first }: ShortPrompt): string => {
  const text = kinds.map((kind) => "tIE"[kind]).join("");
  return first === undefined ? text : `${text.slice(0, first)}|${text.slice(first)}`;
};

/** The first disagreement of a source; null where there is none. */
export function disagreementClause({ first, convention }: MaskVerdict): string | null {
  if (first === null) return null;
  if (first.kind === "row-count") return `${first.group} has ${first.rows} rows instead of ${first.expected}`;
  const { prompt, images, position, measured, expected } = first;
  const where = `${promptLetters(prompt)} with ${images} images, position ${position}`;
  return `${where}: ${effectInWords(measured)}, but under ${convention} ${effectInWords(expected)}`;
}

/** The verdict of a mask case in the form of the other cases, for documents. */
export const asVerdict = (v: MaskVerdict): CaseVerdict => ({
  id: `masks/${v.name}`,
  module: "masks",
  precision: "float64",
  status: v.disagreements > 0 ? "failed" : "passed",
  rows: v.rows,
  worst: null,
  firstDivergence: null,
  error: disagreementClause(v),
  kernels: null,
});

const group = (verdicts: readonly MaskVerdict[]): MaskVerdict[][] =>
  [...new Set(verdicts.map((v) => v.convention))].map((name) =>
    verdicts.filter((v) => v.convention === name),
  );

const versions = (verdicts: readonly MaskVerdict[]): string => {
  const all = [...new Set(verdicts.map((v) => v.version))];
  const shown = all.length > 3 ? `${all[0]} to ${all.at(-1)}` : all.join(", ");
  return `${verdicts[0]?.package} ${shown}`;
};

/** Rows, disagreements and refusals of each convention, then the conventions that no recorded run covers. */
export function maskTable(verdicts: readonly MaskVerdict[], paint: Paint): string {
  const sum = (of: readonly MaskVerdict[], count: (v: MaskVerdict) => number) =>
    number(of.reduce((n, v) => n + count(v), 0));
  const lines = group(verdicts).map((of) => [
    of[0]?.convention ?? "",
    versions(of),
    sum(of, (v) => v.rows),
    sum(of, (v) => v.refused),
    sum(of, (v) => v.disagreements),
  ]);
  const heads = ["convention", "run", "rows", "refused", "disagreements"].map(
    (head, i) => ({ head: [head], align: i < 2 ? "left" : "right" }) as const,
  );
  const bad = verdicts.flatMap((v) =>
    v.first === null ? [] : [`${paint("differs", "bad")} ${v.name}: ${disagreementClause(v)}`],
  );
  const unproven = summariseMasks(verdicts).unproven.map(({ name, why }) => `unproven  ${name}: ${why}`); // [mask.unproven]
  const parts = [table(columnsFrom(heads, lines), paint), unproven, bad].filter((part) => part.length > 0);
  return [...parts.map((part) => part.join("\n")), maskLine(verdicts, paint)].join("\n\n");
}

/** The totals on one line. */
export function maskLine(verdicts: readonly MaskVerdict[], paint: Paint): string {
  const { rows, disagreements, refused, sources, unproven } = summariseMasks(verdicts);
  const text = `${number(rows)} mask rows of ${sources} released sources: ${number(disagreements)} disagree`;
  const rest = `${number(refused)} refused by their source, ${unproven.length} conventions unproven`;
  return `${paint(text, disagreements > 0 ? "bad" : "good")}, ${rest}`;
}

/** Prints mask cases without other cases, as a table or as a document, and returns the exit status. [mask.check] */
export function printMasks(verdicts: readonly MaskVerdict[], kind: DocumentKind | null): number {
  const cases = verdicts.map(asVerdict);
  if (kind) print(cases, kind, "", { masks: summariseMasks(verdicts) });
  else writeOut(`${maskTable(verdicts, paintOn(process.stdout))}\n`);
  return exitCode(summarise(cases));
}
