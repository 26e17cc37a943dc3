// The exhaustive mask cases of `flamboyance check`: a line for each convention, and the conventions without recorded runs.
import {
  checkMasks,
  EVERYTHING,
  type MaskVerdict,
  QUICK,
  type Reach,
  summariseMasks,
} from "../conformance/cases/check-masks.ts";
import { type NotRun, notRun } from "../conformance/cases/selection.ts";
import { type CaseVerdict, exitCode, summariseCases } from "../conformance/cases/verdict.ts";
import { failures, lastLine } from "../conformance/reports/verdict-table.ts";
import { findMaskCases, readMaskCases } from "../io/golden/masks.ts";
import { effectInWords } from "../masks/exhaustive/effect.ts";
import type { ShortPrompt } from "../masks/exhaustive/prompts.ts";
import { nameAndMessageOf } from "../tensor/errors.ts";
import type { Paint } from "../terminal/colour.ts";
import { progressOn } from "../terminal/progress.ts";
import { columnsFrom, table } from "../terminal/table.ts";
import { label } from "../terminal/width.ts";
import { type DocumentKind, print } from "./output.ts";
import { paintOn, writeOut } from "./terminal.ts";

const number = (n: number): string => n.toLocaleString("en-US");

export interface MaskChecks {
  readonly verdicts: readonly MaskVerdict[];
  /** Folders that cannot be read. */
  readonly broken: readonly NotRun[];
}
export const NO_MASKS: MaskChecks = { verdicts: [], broken: [] };

/** Checks folders of mask cases: in full where the command line names the folder itself, otherwise its shorter prompts. [mask.check] */
export function runMasks(folders: readonly string[], named: boolean): MaskChecks {
  const progress = progressOn(process.stderr);
  const reach: Reach = named ? EVERYTHING : QUICK; // [mask.check]
  const onProgress = (done: number, total: number, name: string) =>
    progress.step(done, total, `masks ${name}`);
  const verdicts: MaskVerdict[] = [];
  const broken: NotRun[] = [];
  for (const folder of folders) {
    try {
      verdicts.push(...checkMasks(readMaskCases(folder), reach, { onProgress }));
    } catch (error) {
      broken.push(notRun("errored", folder, nameAndMessageOf(error)));
    }
  }
  progress.clear();
  return { verdicts, broken };
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

/** The column of names, so that a line of the table fits 80 columns. */
const WIDEST = 42;

/** Rows, refusals and disagreements of each convention, then the conventions that no recorded run covers. */
export function maskTable(verdicts: readonly MaskVerdict[], paint: Paint): string {
  const sum = (of: readonly MaskVerdict[], count: (v: MaskVerdict) => number) =>
    number(of.reduce((n, v) => n + count(v), 0));
  const lines = group(verdicts).flatMap((of) => [
    [
      label(of[0]?.convention ?? "", WIDEST),
      sum(of, (v) => v.rows),
      sum(of, (v) => v.refused),
      sum(of, (v) => v.disagreements),
    ],
    [{ text: `  ${label(versions(of), WIDEST - 2)}`, style: "faint" as const }],
  ]);
  const heads = ["convention and run", "rows", "refused", "disagreements"].map(
    (head, i) => ({ head: [head], align: i < 1 ? "left" : "right" }) as const,
  );
  const bad = verdicts.flatMap((v) =>
    v.first === null ? [] : [lastLine(`differs ${v.name}: ${disagreementClause(v)}`)],
  );
  const unproven = summariseMasks(verdicts).unproven.map(({ name, why }) =>
    lastLine(`unproven  ${name}: ${why}`),
  ); // [mask.unproven]
  const parts = [table(columnsFrom(heads, lines), paint), unproven, bad].filter((part) => part.length > 0);
  return [...parts.map((part) => part.join("\n")), maskLine(verdicts, paint)].join("\n\n");
}

/** The totals. */
export function maskLine(verdicts: readonly MaskVerdict[], paint: Paint): string {
  const { rows, disagreements, refused, sources, unproven } = summariseMasks(verdicts);
  const text = `${number(rows)} mask rows of ${sources} released sources: ${number(disagreements)} disagree`;
  const rest = `${number(refused)} refused by them,\n${unproven.length} conventions unproven`;
  return `${paint(text, disagreements > 0 ? "bad" : "good")}, ${rest}`;
}

/** Prints mask cases without other cases, as a table or as a document, and returns the exit status. [mask.check] */
export function printMasks({ verdicts, broken }: MaskChecks, kind: DocumentKind | null): number {
  const unread = broken.map((one): CaseVerdict => ({ ...one, precision: "float64" }));
  const cases = [...verdicts.map(asVerdict), ...unread];
  if (kind) print(cases, kind, "", { masks: summariseMasks(verdicts) });
  else {
    const paint = paintOn(process.stdout);
    const parts = [verdicts.length > 0 ? maskTable(verdicts, paint) : "", failures(unread, paint)];
    writeOut(`${parts.filter(Boolean).join("\n\n")}\n`);
  }
  return exitCode(summariseCases(cases));
}
