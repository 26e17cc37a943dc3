// The verdict of a probe, as values.
import type { Convention } from "../../masks/conventions/schema.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Refusal } from "./ask.ts";
import type { BatchFault } from "./batch/independence.ts";
import type { ConventionCandidate, ProbeResult } from "./probe.ts";

export type ProbeFinding =
  /** Rows are not the same in every batch. */
  | ({ readonly kind: "batch" } & BatchFault)
  /** A convention was expected: does the implementation follow it, and if not, which one does it follow? */
  | {
      readonly kind: "expected";
      readonly convention: Convention;
      readonly follows: boolean;
      readonly instead: Convention | null;
    }
  /** A named convention on every row. */
  | { readonly kind: "convention"; readonly convention: Convention }
  /** A named convention on every row, and a known mistake in another convention has the same effects. */
  | { readonly kind: "ambiguous"; readonly convention: Convention; readonly candidate: ConventionCandidate }
  /** Without media locations the attention is causal over keys. */
  | { readonly kind: "causal"; readonly convention: Convention | null }
  /** The whole text follows a convention, cached steps do not. */
  | { readonly kind: "cached-steps"; readonly convention: Convention }
  | ({ readonly kind: "mistake" } & ConventionCandidate)
  /** A combination of the vocabulary of conventions that has no name. */
  | { readonly kind: "combination"; readonly convention: Convention }
  | { readonly kind: "unknown"; readonly nearest: Convention; readonly mismatchingRows: number }
  /** A convention on every row of the calls that were answered; others were not. */
  | { readonly kind: "incomplete"; readonly convention: Convention; readonly refused: readonly Refusal[] };

/** What a probe found, as data; `probeText` makes text of it. */
export interface ProbeVerdict {
  /**
   * followed: a named convention on every row; mistaken: a known mistake; ambiguous: both; dependent: rows that depend on the
   * batch; unknown: neither a convention nor a mistake; inconclusive: random rows, or calls without an answer.
   */
  readonly status: "followed" | "mistaken" | "ambiguous" | "dependent" | "unknown" | "inconclusive";
  readonly finding: ProbeFinding;
}

/** The exit status of the command. [probe.exit] */
export const exitStatus = ({ status }: ProbeVerdict): 0 | 1 | 2 =>
  status === "followed" ? 0 : status === "inconclusive" ? 2 : 1; // [probe.exit]

const cachedStepsFail = ({ cached }: ProbeResult, { cachedStep }: Convention): boolean =>
  cached.skipped === null && !cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);

/** The verdict if no call was left out. */
function verdictOnAnswers(result: ProbeResult, expect: Convention | null): ProbeVerdict {
  const { exact, mistakes, nearest, mismatches, withoutLocations, combination } = result;
  const [first = null] = exact;
  const causal = withoutLocations === "causal";
  if (expect) {
    const follows = mismatches.length === 0 && !cachedStepsFail(result, nearest) && !causal;
    const instead = first ?? combination;
    const finding = { kind: "expected", convention: expect, follows, instead } as const;
    return { status: follows ? "followed" : "mistaken", finding };
  }
  if (causal) return { status: "mistaken", finding: { kind: "causal", convention: first } };
  if (first && cachedStepsFail(result, first))
    return { status: "mistaken", finding: { kind: "cached-steps", convention: first } };
  const candidate = mistakes.find(({ mistake }) => !mistake.asInPaper);
  if (first && candidate)
    return { status: "ambiguous", finding: { kind: "ambiguous", convention: first, candidate } }; // [probe.ambiguous]
  if (first) return { status: "followed", finding: { kind: "convention", convention: first } }; // [probe.names]
  const [mistake] = mistakes;
  if (mistake) return { status: "mistaken", finding: { kind: "mistake", ...mistake } }; // [probe.names]
  if (combination) return { status: "unknown", finding: { kind: "combination", convention: combination } }; // [probe.combinations]
  const finding = { kind: "unknown", nearest, mismatchingRows: mismatches.length } as const;
  return { status: "unknown", finding }; // [probe.names]
}

/** [probe.names] */
export function probeVerdict(result: ProbeResult, expect: Convention | null): ProbeVerdict {
  checkMember("probeVerdict", { result }, "refused", "a result, as findConvention returns it");
  const { batch, refused } = result;
  if (batch) {
    const status = batch.dependence === "random" ? "inconclusive" : "dependent"; // [probe.batch-fault]
    return { status, finding: { kind: "batch", ...batch } };
  }
  const verdict = verdictOnAnswers(result, expect);
  if (verdict.status !== "followed" || refused.length === 0) return verdict;
  const convention = expect ?? result.nearest;
  return { status: "inconclusive", finding: { kind: "incomplete", convention, refused } }; // [probe.refused]
}
