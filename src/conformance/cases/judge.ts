// Compares the results for a case with the expected ones.

import type { GoldenCase } from "../../io/golden/cases.ts";
import type { Raises } from "../../io/golden/manifest.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { LoadError, type RuleError, type ShapeError } from "../../tensor/errors.ts";
import type { Precision } from "../../tensor/precision.ts";
import { flat, Int, sizeOf, Tensor } from "../../tensor/tensor.ts";
import { type Comparison, compare, compareProbes, type Probes, toleranceFor } from "./compare.ts";
import { type CaseVerdict, worstOf } from "./verdict.ts";

/** A verdict without the case's name. */
export type Judgement = Pick<
  CaseVerdict,
  "status" | "rows" | "worst" | "firstDivergence" | "error" | "kernels"
>;

const rowsOf = (t: Stored): number => sizeOf(t.shape) / Math.max(1, t.shape.at(-1) ?? 1);

/** decide: the named activations must conform too. locate: those that are given show where a deviation begins. */
export type TapRole = "decide" | "locate";

/** Names in order of execution: taps, then outputs, then gradients. */
const namesOf = ({ manifest }: GoldenCase): string[] => [
  ...manifest.taps.map((name) => `taps.${name}`),
  ...manifest.outputs.map((name) => `outputs.${name}`),
  ...manifest.grads.map((name) => `grads.${name}`),
];

const isTap = (name: string): boolean => name.startsWith("taps.");

export function judge(
  golden: GoldenCase,
  actual: ReadonlyMap<string, Stored>,
  precision: Precision,
  { taps }: { readonly taps: TapRole },
): Judgement {
  const { K = 1, noise = new Map<string, number>() } = golden.manifest.tolerance ?? {};
  const tolerance = (name: string) => toleranceFor(name, precision, K, noise.get(name) ?? 0);
  if (golden.manifest.full) {
    const comparisons = golden.manifest.outputs.map((output) =>
      compareProbes(
        `probes.${output}`,
        actual.get(`outputs.${output}`),
        probesOf(golden, output),
        tolerance(`probes.${output}`),
      ),
    );
    const rows = golden.manifest.outputs.reduce(
      (sum, output) => sum + probesOf(golden, output).index.length,
      0,
    );
    return verdict(comparisons, comparisons, rows);
  }
  const names = namesOf(golden).filter((name) => taps === "decide" || !isTap(name) || actual.has(name));
  const comparisons = names.map((name) =>
    compare(name, actual.get(name), expectedOf(golden, name), tolerance(name)),
  );
  const deciding = comparisons.filter(({ tensor }) => taps === "decide" || !isTap(tensor)); // [conform.verdict]
  const rows = deciding.reduce((sum, { tensor }) => sum + rowsOf(expectedOf(golden, tensor)), 0);
  return verdict(deciding, comparisons, rows);
}

function expectedOf({ expected, folder }: GoldenCase, name: string): Stored {
  const t = expected.get(name);
  if (t) return t;
  throw new LoadError(`${folder}: there is no expected tensor "${name}"`);
}

function probesOf(golden: GoldenCase, output: string): Probes {
  const index = golden.expected.get(`probes.${output}.index`);
  if (!(index instanceof Int))
    throw new LoadError(`${golden.folder}: the positions of the probes are missing`);
  const numbers = (part: string): ArrayLike<number> => {
    const t = expectedOf(golden, `probes.${output}.${part}`);
    return t instanceof Tensor ? flat(t.data) : t.flat();
  };
  return {
    shape: golden.manifest.probed.get(output) ?? null,
    index: index.flat(),
    value: numbers("value"),
    sum: numbers("sum")[0] ?? NaN,
    norm: numbers("norm")[0] ?? NaN,
  };
}

/** The deciding comparisons give the status; if one fails, the first failure of all is the first divergence. */
function verdict(deciding: readonly Comparison[], all: readonly Comparison[], rows: number): Judgement {
  const passed = deciding.every((c) => c.passed);
  const firstDivergence = passed ? null : (all.find((c) => !c.passed) ?? null);
  const worst = worstOf(deciding);
  return { status: passed ? "passed" : "failed", rows, worst, firstDivergence, error: null, kernels: null };
}

/** A case in which the release throws: this implementation must refuse for the same reason and quote the release's message. */
export function judgeRaised({ type, message }: Raises, error: RuleError | ShapeError | null): Judgement {
  const expected = `${type}: ${message}`;
  const passed = error?.upstream === expected; // [compare.raises]
  const reason = error ? `raised as "${error.upstream ?? error.message}"` : "nothing was raised";
  return {
    status: passed ? "passed" : "failed",
    rows: 1,
    worst: null,
    firstDivergence: null,
    error: passed ? null : `${reason}, but the release raises "${expected}"`,
    kernels: null,
  };
}
