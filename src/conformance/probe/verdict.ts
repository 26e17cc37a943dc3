// The verdict of a probe, as values.
import type { Convention } from "../../masks/conventions/schema.ts";
import type { Candidate, ProbeResult } from "./probe.ts";

export type ProbeFinding =
  /** A convention was expected: does the implementation follow it, and if not, which one does it follow? */
  | {
      readonly kind: "expected";
      readonly convention: Convention;
      readonly follows: boolean;
      readonly instead: Convention | null;
    }
  /** A named convention on every row. */
  | { readonly kind: "convention"; readonly convention: Convention }
  /** Without media locations the attention is causal over keys. */
  | { readonly kind: "causal"; readonly convention: Convention | null }
  /** The whole text follows a convention, cached steps do not. */
  | { readonly kind: "cached-steps"; readonly convention: Convention }
  | ({ readonly kind: "mistake" } & Candidate)
  | { readonly kind: "unknown"; readonly nearest: Convention; readonly mismatchingRows: number };

export interface ProbeVerdict {
  /** followed: a named convention on every row; mistaken: a known mistake; unknown: neither. */
  readonly status: "followed" | "mistaken" | "unknown";
  readonly finding: ProbeFinding;
}

const cachedStepsFail = ({ cached }: ProbeResult, { cachedStep }: Convention): boolean =>
  cached.skipped === null && !cached.steps.includes(cachedStep === "none" ? "rows" : cachedStep);

/** [probe.names] */
export function verdictOf(result: ProbeResult, expect: Convention | null): ProbeVerdict {
  const { exact, mistakes, nearest, mismatches, withoutLocations } = result;
  const [first = null] = exact;
  const causal = withoutLocations === "causal";
  if (expect) {
    const follows = mismatches.length === 0 && !cachedStepsFail(result, nearest) && !causal;
    const finding = { kind: "expected", convention: expect, follows, instead: first } as const;
    return { status: follows ? "followed" : "mistaken", finding };
  }
  if (causal) return { status: "mistaken", finding: { kind: "causal", convention: first } };
  if (first && cachedStepsFail(result, first))
    return { status: "mistaken", finding: { kind: "cached-steps", convention: first } };
  if (first) return { status: "followed", finding: { kind: "convention", convention: first } }; // [probe.names]
  const [mistake] = mistakes;
  if (mistake) return { status: "mistaken", finding: { kind: "mistake", ...mistake } }; // [probe.names]
  const finding = { kind: "unknown", nearest, mismatchingRows: mismatches.length } as const;
  return { status: "unknown", finding }; // [probe.names]
}
