// The verdict on a golden case, and the summary of several.
import { counted } from "../../kernels/dispatch.ts";
import type { KernelReport } from "../../kernels/replay.ts";
import { checkGiven } from "../../tensor/given.ts";
import type { Precision } from "../../tensor/precision.ts";
import type { Comparison } from "./compare.ts";

/** skipped: nothing was compared, and nothing is wrong with the case; `error` holds the reason. */
export type Status = "passed" | "skipped" | "failed" | "errored";

/** Parts of a case that this run did not compare. */
export interface NotCompared {
  /**
   * taps: this backend does not compute them. gradients: the case does not list them. rounding: too little is left of these tensors in
   * this precision. fields: case.json has them, and FORMAT.md does not. empty: tensors without elements. precisions: the case is not
   * applied to them. recipes: recipes, seed or dtypes of the manifest give other tensors than the stored ones. unexpected: the file of
   * another implementation has them, and the case does not expect them.
   */
  readonly what:
    | "taps"
    | "gradients"
    | "rounding"
    | "fields"
    | "empty"
    | "precisions"
    | "recipes"
    | "unexpected";
  readonly names: readonly string[];
}

/** The result of one case. */
export interface CaseVerdict {
  readonly id: string;
  /** The source's class, by which the table groups cases. */
  readonly module: string;
  readonly precision: Precision;
  readonly status: Status;
  /** Rows compared, over all tensors. */
  readonly rows: number;
  /** The comparison that comes closest to its tolerance, or goes furthest beyond. */
  readonly worst: Comparison | null;
  /** First tensor in order of execution that is beyond its tolerance. */
  readonly firstDivergence: Comparison | null;
  /** The reason why nothing was compared. */
  readonly error: string | null;
  readonly kernels: KernelReport | null;
  readonly notCompared?: readonly NotCompared[] | undefined;
}

/** How many cases had which result. */
export interface CaseSummary {
  /** Cases that were run; skipped ones are counted apart. */
  readonly cases: number;
  readonly rows: number;
  readonly passed: number;
  readonly failed: number;
  readonly errored: number;
  readonly skipped: number;
}

/** The error of a comparison relative to its tolerance: 1 is the limit. */
export const share = ({ error, tolerance }: Comparison): number => (error === 0 ? 0 : error / tolerance);

export const worstOf = (comparisons: readonly Comparison[]): Comparison | null =>
  comparisons.reduce<Comparison | null>((worst, c) => (worst && share(worst) >= share(c) ? worst : c), null);

const gravity: readonly Status[] = ["skipped", "passed", "failed", "errored"];

const precisionSkipped = ({ status, precision }: CaseVerdict): NotCompared[] =>
  status === "skipped" ? [{ what: "precisions", names: [precision] }] : [];

/** The parts that two runs of a case did not compare, each name once. */
function notComparedIn(verdicts: readonly CaseVerdict[], skipped: boolean): NotCompared[] {
  const all = verdicts.flatMap((v) => [...(v.notCompared ?? []), ...(skipped ? [] : precisionSkipped(v))]);
  return [...new Set(all.map(({ what }) => what))].map((what) => ({
    what,
    names: [...new Set(all.flatMap((part) => (part.what === what ? part.names : [])))],
  }));
}

/** One line per case where it ran in several precisions: the most severe status, and the comparison that is closest to its tolerance. */
export function byCase(verdicts: readonly CaseVerdict[]): CaseVerdict[] {
  const cases = new Map<string, CaseVerdict>();
  for (const v of verdicts) {
    const previous = cases.get(v.id);
    if (!previous) {
      cases.set(v.id, v);
      continue;
    }
    const grave = gravity.indexOf(v.status) > gravity.indexOf(previous.status) ? v : previous;
    const worst = worstOf([previous.worst, v.worst].filter((c) => c !== null));
    const notCompared = notComparedIn([previous, v], grave.status === "skipped");
    cases.set(v.id, { ...grave, worst, rows: previous.rows + v.rows, notCompared });
  }
  return [...cases.values()];
}

/** Counts the results of cases. */
export function summariseCases(verdicts: readonly CaseVerdict[]): CaseSummary {
  checkGiven("summariseCases", { verdicts }, "a list");
  const cases = byCase(verdicts);
  const count = (status: Status) => cases.filter((v) => v.status === status).length;
  return {
    cases: cases.length - count("skipped"),
    rows: cases.reduce((rows, v) => rows + v.rows, 0),
    passed: count("passed"),
    failed: count("failed"),
    errored: count("errored"),
    skipped: count("skipped"),
  };
}

/** Kernels over all cases. */
export function kernelsOf(verdicts: readonly CaseVerdict[]): KernelReport {
  const reports = verdicts.flatMap(({ kernels }) => (kernels ? [kernels] : []));
  const sum = (key: "matmul" | "attention" | "fallback" | "fused") =>
    reports.reduce((n, report) => n + report[key], 0);
  const [first] = reports;
  return {
    matmul: sum("matmul"),
    attention: sum("attention"),
    fallback: sum("fallback"),
    fused: sum("fused"),
    unfused: counted(reports.flatMap(({ unfused }) => unfused)),
    mode: first?.mode ?? null,
  };
}

/** 0 all that were compared conform, 1 numbers differ, 2 a case (or an adapter) is broken, or nothing was compared. */
export function exitCode({ failed, errored, passed }: CaseSummary): 0 | 1 | 2 {
  if (errored > 0 || passed + failed === 0) return 2;
  return failed > 0 ? 1 : 0;
}
