// The exhaustive mask cases within `flamboyance check`: a line a convention, and what no run stands behind.
import {
  checkMasks,
  EVERYTHING,
  type MaskVerdict,
  QUICK,
  type Reach,
  summariseMasks,
} from "../conformance/cases/check-masks.ts";
import { exitCode, summarise, type Verdict } from "../conformance/cases/verdict.ts";
import { findMaskCases, readMaskCases } from "../io/golden/masks.ts";
import { type Style, styleFor } from "../terminal/colour.ts";
import { progressOn } from "../terminal/progress.ts";
import { type DocumentKind, print } from "./output.ts";

const number = (n: number): string => n.toLocaleString("en-US");

/** Every folder of mask cases that a path names itself is checked to its end, others as far as a quick check goes. [mask.check] */
export function runMasks(folders: readonly string[], named: boolean): MaskVerdict[] {
  const progress = progressOn(process.stderr);
  const reach: Reach = named ? EVERYTHING : QUICK; // [mask.check]
  const onProgress = (done: number, total: number, name: string) =>
    progress.step(done, total, `masks ${name}`);
  const verdicts = folders.flatMap((folder) => checkMasks(readMaskCases(folder), reach, { onProgress }));
  progress.clear();
  return verdicts;
}

/** Which of the paths are folders of mask cases themselves, and which are not. */
export function splitPaths(paths: readonly string[]): { masks: string[]; others: string[] } {
  const masks = findMaskCases(paths);
  const own = paths.filter((path) => masks.includes(path.replace(/(?<=.)\/+$/, "")));
  return { masks: findMaskCases(own), others: paths.filter((path) => !own.includes(path)) };
}

/** As a case among others, for documents. */
export const asVerdict = (v: MaskVerdict): Verdict => ({
  id: `masks/${v.name}`,
  module: "masks",
  precision: "float64",
  status: v.disagreements > 0 ? "failed" : "passed",
  rows: v.rows,
  worst: null,
  firstDivergence: null,
  error: v.first,
  kernels: null,
});

const group = (verdicts: readonly MaskVerdict[]): MaskVerdict[][] =>
  [...new Set(verdicts.map((v) => v.convention))].map((name) =>
    verdicts.filter((v) => v.convention === name),
  );

const versions = (verdicts: readonly MaskVerdict[]): string => {
  const found = [...new Set(verdicts.map((v) => v.version))];
  const shown = found.length > 3 ? `${found[0]} to ${found.at(-1)}` : found.join(", ");
  return `${verdicts[0]?.package} ${shown}`;
};

/** Rows, disagreements and refusals for each convention, then the conventions that nothing proves. */
export function maskTable(verdicts: readonly MaskVerdict[], style: Style): string {
  const sum = (of: readonly MaskVerdict[], count: (v: MaskVerdict) => number) =>
    number(of.reduce((n, v) => n + count(v), 0));
  const lines = group(verdicts).map((of) => [
    of[0]?.convention ?? "",
    versions(of),
    sum(of, (v) => v.rows),
    sum(of, (v) => v.refused),
    sum(of, (v) => v.disagreements),
  ]);
  const head = ["convention", "run", "rows", "refused", "disagreements"];
  const width = (i: number) => Math.max(...[head, ...lines].map((line) => line[i]?.length ?? 0));
  const draw = (line: readonly string[]) =>
    line
      .map((text, i) => (i < 2 ? text.padEnd(width(i)) : text.padStart(width(i))))
      .join("   ")
      .trimEnd();
  const bad = verdicts.flatMap((v) =>
    v.first === null ? [] : [`${style.bad("differs")} ${v.name}: ${v.first}`],
  );
  const unproven = summariseMasks(verdicts).unproven.map(({ name, why }) => `unproven  ${name}: ${why}`); // [mask.unproven]
  const parts = [[style.faint(draw(head)), ...lines.map(draw)], unproven, bad].filter(
    (part) => part.length > 0,
  );
  return [...parts.map((part) => part.join("\n")), maskLine(verdicts, style)].join("\n\n");
}

/** All in one line. */
export function maskLine(verdicts: readonly MaskVerdict[], style: Style): string {
  const { rows, disagreements, refused, sources, unproven } = summariseMasks(verdicts);
  const says = `${number(rows)} mask rows of ${sources} released sources: ${number(disagreements)} disagree`;
  const more = `${number(refused)} refused by their source, ${unproven.length} conventions unproven`;
  return `${disagreements > 0 ? style.bad(says) : style.good(says)}, ${more}`;
}

/** Mask cases alone: the table, or the document that was asked for. The exit status. [mask.check] */
export function printMasks(verdicts: readonly MaskVerdict[], kind: DocumentKind | null): number {
  const cases = verdicts.map(asVerdict);
  if (kind) print(cases, kind, "", { masks: summariseMasks(verdicts) });
  else process.stdout.write(`${maskTable(verdicts, styleFor(process.stdout))}\n`);
  return exitCode(summarise(cases));
}
