// Groups the cases in which another implementation differs, and searches for the known mistake behind each group.
import type { GoldenCase } from "../../io/golden/cases.ts";
import type { Precision } from "../../tensor/precision.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { axesOf } from "../cases/axes.ts";
import type { Comparison } from "../cases/compare.ts";
import type { CaseVerdict } from "../cases/verdict.ts";
import type { Mutant } from "../mutants/mutant.ts";
import { type MutantMatch, nearestMutant } from "../mutants/mutants.ts";
import type { Submission } from "./submission.ts";

/** A case in which the implementation differs. */
export interface DifferingCase {
  readonly open: () => GoldenCase;
  readonly verdict: CaseVerdict;
  /** The numbers in its inputs and weights. */
  readonly size: number;
}

/** Cases of one class with one cause, as far as it is known. */
export interface Finding {
  readonly module: string;
  /** The smallest case first. */
  readonly cases: readonly string[];
  /** In the smallest case. */
  readonly firstDivergence: Comparison | null;
  readonly axes: readonly string[] | null;
  /** Names in the smallest case's file that the case does not expect. */
  readonly unexpected: readonly string[];
  readonly nearest: MutantMatch | null;
  /** Whether every known mistake was tried. */
  readonly searched: boolean;
}

export interface FindingOptions {
  /** The results for a case. */
  readonly submissionOf: (golden: GoldenCase) => Submission;
  readonly precision: Precision;
  /** Called before each case; the time of one class is up when it returns true. */
  readonly expired: (module: string) => boolean;
}

/** Cases of a class without an explanation, after which only mistakes that were found before are tried. */
const MOST_UNEXPLAINED = 3;

/** The findings of each class, in the order of the classes in `differing`. Mistakes of smaller classes are tried first in larger ones. */
export function findings(differing: readonly DifferingCase[], options: FindingOptions): Finding[] {
  const modules = [...new Set(differing.map(({ verdict }) => verdict.module))];
  const found: Mutant[] = [];
  return modules.flatMap((module) => {
    const cases = differing
      .filter(({ verdict }) => verdict.module === module)
      .sort((a, b) => a.size - b.size || (a.verdict.id < b.verdict.id ? -1 : 1));
    return ofClass(module, cases, found, options);
  });
}

interface Group {
  readonly explained: MutantMatch | null;
  readonly cases: DifferingCase[];
  readonly searched: boolean;
}

function ofClass(
  module: string,
  cases: readonly DifferingCase[],
  found: Mutant[],
  options: FindingOptions,
): Finding[] {
  const groups = new Map<string, Group>();
  let unexplained = 0;
  for (const one of cases) {
    const { nearest, searched } = explain(one, found, unexplained < MOST_UNEXPLAINED, options);
    if (!nearest && searched) unexplained++;
    if (nearest && !found.includes(nearest.mutant)) found.push(nearest.mutant);
    const key = nearest ? `= ${nearest.mutant.id}` : (one.verdict.firstDivergence?.tensor ?? ""); // [conform.findings]
    const group = groups.get(key) ?? { explained: nearest, cases: [], searched };
    group.cases.push(one);
    groups.set(key, group);
  }
  return [...groups.values()].map((group) => findingOf(module, group, options));
}

/** The known mistake behind a case, and whether all that were to be tried have been. */
function explain(
  { open, verdict }: DifferingCase,
  likely: readonly Mutant[],
  all: boolean,
  { submissionOf, precision, expired }: FindingOptions,
): { readonly nearest: MutantMatch | null; readonly searched: boolean } {
  const over = () => !all || expired(verdict.module);
  if (likely.length === 0 && over()) return { nearest: null, searched: false };
  const golden = open();
  try {
    const actual = firstOutput(golden, submissionOf);
    if (!actual) return { nearest: null, searched: false };
    const nearest = nearestMutant(golden, actual, { precision, likely, expired: over });
    return { nearest, searched: nearest !== null || !over() };
  } finally {
    golden.close();
  }
}

function firstOutput(golden: GoldenCase, submissionOf: FindingOptions["submissionOf"]): Tensor | null {
  if (golden.manifest.full) return null;
  const output = submissionOf(golden).tensors.get(`outputs.${golden.manifest.outputs[0]}`);
  return output instanceof Tensor ? output : null;
}

function findingOf(module: string, group: Group, { submissionOf }: FindingOptions): Finding {
  const [smallest] = group.cases;
  const ids = group.cases.map(({ verdict }) => verdict.id);
  const first = smallest?.verdict.firstDivergence ?? null;
  const base = {
    module,
    cases: ids,
    firstDivergence: first,
    nearest: group.explained,
    searched: group.searched,
  };
  if (!smallest) return { ...base, axes: null, unexpected: [] };
  const golden = smallest.open();
  const { unexpected } = submissionOf(golden);
  const shape = first ? golden.expected.get(first.tensor)?.shape : undefined;
  const axes = first && shape ? axesOf(golden.manifest, first.tensor, shape) : null;
  golden.close();
  return { ...base, axes, unexpected };
}
