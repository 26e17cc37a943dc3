// Compares the results for a case with the expected ones.

import type { GoldenCase } from "../../io/golden/cases.ts";
import type { Raises } from "../../io/golden/manifest.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { LoadError, type RuleError, type ShapeError } from "../../tensor/errors.ts";
import type { Precision } from "../../tensor/precision.ts";
import { Int, sizeOf, Tensor, view } from "../../tensor/tensor.ts";
import { releaseMessage } from "../releases/message.ts";
import { computesInFloat32 } from "../sources/registry.ts";
import {
  type Comparison,
  compareProbes,
  compareTensors,
  type Given,
  noiseIn,
  type Probes,
  toleranceFor,
} from "./compare.ts";
import { type CaseVerdict, type NotCompared, worstOf } from "./verdict.ts";

/** A verdict without the case's name. */
export type Judgement = Pick<
  CaseVerdict,
  "status" | "rows" | "worst" | "firstDivergence" | "error" | "kernels" | "notCompared"
>;

/** decide: the named activations must conform too. locate: those that are given show where a deviation begins. */
export type TapRole = "decide" | "locate";

export interface JudgeOptions {
  readonly taps: TapRole;
  /** By tap: the taps and outputs that are computed from it next. Without it, the first tap that differs is named. */
  readonly next?: ReadonlyMap<string, readonly string[]> | undefined;
  /** A gradient case is not compared if its outputs conform and no gradients are given; otherwise it fails. */
  readonly optionalGradients?: boolean;
}

/** Names in order of execution: taps, then outputs, then gradients. */
const namesOf = ({ manifest }: GoldenCase): string[] => [
  ...manifest.taps.map((name) => `taps.${name}`),
  ...manifest.outputs.map((name) => `outputs.${name}`),
  ...manifest.grads.map((name) => `grads.${name}`),
];

const isTap = (name: string): boolean => name.startsWith("taps.");

const skipped = (reason: string): Judgement => ({
  status: "skipped",
  rows: 0,
  worst: null,
  firstDivergence: null,
  error: reason,
  kernels: null,
});

const rounded = (names: readonly string[]): NotCompared[] =>
  names.length > 0 ? [{ what: "rounding", names }] : [];

const isPreprocessing = ({ manifest }: GoldenCase): boolean => manifest.level === "preprocess";

/** Whether these are numbers of the package itself, which computes them in float32 whatever the precision. */
const isOfPackage = (golden: GoldenCase, expected: Stored): boolean =>
  (isPreprocessing(golden) || computesInFloat32(golden.manifest.source)) && // [compare.float32]
  expected instanceof Tensor &&
  Array.from(expected.flat()).every((x) => Math.fround(x) === x); // [compare.preprocess]

/** The expected tensor without the batch of one image that a package puts around it, where the result has none. */
function withoutBatch(golden: GoldenCase, expected: Stored, given: Given | undefined): Stored {
  const [first, ...rest] = expected.shape;
  const isBatch = first === 1 && given !== undefined && rest.join(" ") === given.shape.join(" ");
  if (!isBatch || !isPreprocessing(golden) || !(expected instanceof Tensor)) return expected;
  return new Tensor(rest, view(expected.flat(), rest)); // [compare.preprocess]
}

/** Throws a LoadError if an expected value is missing, NaN, or (at full size) not 256 probes of the output. */
export function judge(
  golden: GoldenCase,
  actual: ReadonlyMap<string, Given>,
  precision: Precision,
  { taps, next, optionalGradients = false }: JudgeOptions,
): Judgement {
  const noise = noiseIn(precision, golden.manifest.tolerance);
  if (typeof noise === "string") return skipped(noise); // [compare.half]
  const K = golden.manifest.tolerance?.K ?? 1;
  const tolerance = (name: string) => toleranceFor(name, precision, K, noise);
  if (golden.manifest.full) return judgeProbes(golden, actual, tolerance);
  const { grads } = golden.manifest;
  const withoutGradients = optionalGradients && grads.every((name) => !actual.has(`grads.${name}`));
  const isOptional = (name: string) =>
    (taps === "locate" && isTap(name)) || (withoutGradients && name.startsWith("grads."));
  const names = namesOf(golden).filter((name) => !isOptional(name) || actual.has(name));
  const comparisons: Comparison[] = [];
  const notCompared: string[] = [];
  for (const name of names) {
    const given = actual.get(name);
    const expected = withoutBatch(golden, expectedOf(golden, name), given);
    const own = isOfPackage(golden, expected) ? toleranceFor(name, "float32", K, noise) : tolerance(name);
    const allowed = expected instanceof Tensor ? own : 0;
    if (allowed === null) notCompared.push(name);
    else comparisons.push(compareTensors(name, given, expected, allowed));
  }
  const deciding = comparisons.filter(({ tensor }) => taps === "decide" || !isTap(tensor)); // [conform.verdict]
  const judged = verdict(deciding, comparisons, taps === "locate" ? next : undefined);
  const onlyOutputs = judged.status === "passed" && grads.length > 0 && withoutGradients;
  return onlyOutputs
    ? skipped("the outputs conform, and there are no gradients")
    : { ...judged, notCompared: rounded(notCompared) }; // [conform.outputs-only]
}

function judgeProbes(
  golden: GoldenCase,
  actual: ReadonlyMap<string, Given>,
  tolerance: (name: string) => number | null,
): Judgement {
  const comparisons: Comparison[] = [];
  const notCompared: string[] = [];
  for (const output of golden.manifest.outputs) {
    const [name, probes] = [`probes.${output}`, probesOf(golden, output)];
    const allowed = tolerance(name);
    if (allowed === null) notCompared.push(name);
    else comparisons.push(compareProbes(name, actual.get(`outputs.${output}`), probes, allowed));
  }
  return { ...verdict(comparisons, comparisons), notCompared: rounded(notCompared) };
}

function expectedOf({ expected, folder }: GoldenCase, name: string): Stored {
  const t = expected.get(name);
  if (!t) throw new LoadError(`${folder}: there is no expected tensor "${name}"`);
  if (t instanceof Tensor && t.flat().some((x) => Number.isNaN(x))) {
    const advice = "no result agrees with NaN; give the case inputs with a defined result";
    throw new LoadError(`${folder}: the expected tensor "${name}" holds NaN; ${advice}  [compare.nan]`);
  }
  return t;
}

const PROBES = 256;

function probesOf(golden: GoldenCase, output: string): Probes {
  const refused = (problem: string): LoadError =>
    new LoadError(`${golden.folder}: the probes of "${output}" ${problem}  [compare.probes]`);
  const index = golden.expected.get(`probes.${output}.index`);
  if (!(index instanceof Int)) throw refused("have no positions");
  const numbers = (part: string): ArrayLike<number> => {
    const t = expectedOf(golden, `probes.${output}.${part}`);
    return t instanceof Tensor ? t.flat() : t.flat();
  };
  const shape = golden.manifest.probed.get(output);
  if (!shape) throw refused("have no shape in case.json");
  const [positions, value, [sum = Number.NaN], [norm = Number.NaN]] = [
    index.flat(),
    numbers("value"),
    Array.from(numbers("sum")),
    Array.from(numbers("norm")),
  ];
  const size = sizeOf(shape);
  if (positions.length !== PROBES || value.length !== PROBES)
    throw refused(`are ${positions.length} positions and ${value.length} values, not ${PROBES} of each`);
  const outside = Array.from(positions).find((at) => at < 0 || at >= size);
  if (outside !== undefined) throw refused(`name position ${outside} of ${size} elements`);
  const different = new Set(Array.from(positions)).size;
  if (different < Math.min(size, PROBES) / 2)
    throw refused(`are ${different} different positions, fewer than half of ${Math.min(size, PROBES)}`);
  if (![...Array.from(value), sum, norm].every(Number.isFinite))
    throw refused("hold an infinity, which a norm cannot describe");
  return { shape, index: positions, value, sum, norm };
}

/** Whether all that is computed next from a tap agrees; one that was not compared is replaced by what follows it. */
function contradicted(
  name: string,
  compared: ReadonlyMap<string, Comparison>,
  next: ReadonlyMap<string, readonly string[]>,
): boolean {
  const followers = next.get(name) ?? [];
  const agrees = (follower: string): boolean =>
    compared.get(follower)?.passed ?? contradicted(follower, compared, next);
  return followers.length > 0 && followers.every(agrees);
}

/**
 * The deciding comparisons give the status. If one fails, the first divergence is the first tap that differs and is not contradicted
 * by what is computed from it, as one is that was recorded at another place or in another form. If each is contradicted, it is the
 * last tap that differs, and without taps the first tensor that differs.
 */
function verdict(
  deciding: readonly Comparison[],
  all: readonly Comparison[],
  next: ReadonlyMap<string, readonly string[]> = new Map(),
): Judgement {
  const rows = deciding.reduce((sum, c) => sum + c.rows, 0);
  const passed = deciding.every((c) => c.passed);
  if (passed && rows === 0) return skipped("the expected tensors have no elements"); // [compare.empty]
  const failed = all.filter((c) => !c.passed);
  const compared = new Map(all.map((c) => [c.tensor, c]));
  const blamed = failed.find((c) => isTap(c.tensor) && !contradicted(c.tensor, compared, next)); // [conform.first-divergence]
  const firstDivergence = passed
    ? null
    : (blamed ?? failed.findLast((c) => isTap(c.tensor)) ?? failed[0] ?? null);
  const worst = worstOf(deciding);
  return { status: passed ? "passed" : "failed", rows, worst, firstDivergence, error: null, kernels: null };
}

/** An error of the model, and whether its constructor or its call raised it. */
export interface Raised {
  readonly error: RuleError | ShapeError;
  readonly phase: Raises["phase"];
}

/** A case in which the release throws: this implementation must refuse in the same phase, for the same reason, and quote the release's message. */
export function judgeRaised({ phase, type, message }: Raises, raised: Raised | null): Judgement {
  const expected = `${type}: ${message}`;
  const released = raised && releaseMessage(raised.error);
  const passed = released === expected && raised?.phase === phase; // [compare.raises]
  const reason = raised
    ? `raised as "${released ?? raised.error.message}" in the phase "${raised.phase}"`
    : "nothing was raised";
  return {
    status: passed ? "passed" : "failed",
    rows: 1,
    worst: null,
    firstDivergence: null,
    error: passed ? null : `${reason}, but the release raises "${expected}" in the phase "${phase}"`,
    kernels: null,
  };
}
