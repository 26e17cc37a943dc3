// All mutants, and the search for the one that explains an output. The table is in spec/conformance/mutants/95-mutants.md.
import type { GoldenCase } from "../../io/golden/cases.ts";
import { checkMember } from "../../tensor/given.ts";
import type { Precision } from "../../tensor/precision.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { compareTensors, noiseIn, toleranceFor } from "../cases/compare.ts";
import { attention } from "./catalogue/attention.ts";
import { gatesAndActivations } from "./catalogue/gates-and-activations.ts";
import { layout } from "./catalogue/layout.ts";
import { masks } from "./catalogue/masks.ts";
import { norms } from "./catalogue/norms.ts";
import { palmBlock } from "./catalogue/palm-block.ts";
import { resampler } from "./catalogue/resampler.ts";
import { softmaxes } from "./catalogue/softmax.ts";
import { variance } from "./catalogue/variance.ts";
import { wiring } from "./catalogue/wiring.ts";
import { evaluationOf } from "./evaluation.ts";
import type { Mutant } from "./mutant.ts";

/** In the order of the table. [mutant.table] */
export const mutants: readonly Mutant[] = [
  ...masks,
  ...softmaxes,
  ...attention,
  ...norms,
  ...variance,
  ...gatesAndActivations,
  ...resampler,
  ...layout,
  ...wiring,
  ...palmBlock,
].sort((a, b) => a.number - b.number);

/** A known mistake that reproduces an implementation's result. */
export interface MutantMatch {
  readonly mutant: Mutant;
  /** The distance of the implementation's result to that of the mutant, and to the expected one. */
  readonly error: number;
  readonly fromExpected: number;
}

/** Where the search begins and ends. */
export interface MutantSearchOptions {
  readonly precision?: Precision;
  /** Mutants to try first; if one of these explains the result, no other is tried. */
  readonly likely?: readonly Mutant[];
  /** Ends the search among the others; what was found until then is returned. */
  readonly expired?: () => boolean;
}

/** How much closer a result must be to a mutant's than to the expected one, if it is beyond the tolerance of both. */
const CLOSER = 1000;

/**
 * The known mistake that is closest to an implementation's first output for a case. It must be within the tolerance, or a
 * thousand times closer than the expected values are, and at least four times closer in any case; null if there is none.
 * Shapes: actual `...`, the shape of the case's first output.
 */
export function nearestMutant(
  golden: GoldenCase,
  actual: Tensor,
  { precision = "float32", likely = [], expired = () => false }: MutantSearchOptions = {},
): MutantMatch | null {
  checkMember("nearestMutant", { golden }, "manifest", "a golden case, as readCase returns it");
  checkMember("nearestMutant", { actual }, "flat", "a tensor");
  const output = `outputs.${golden.manifest.outputs[0]}`;
  const [noise, expected] = [noiseIn(precision, golden.manifest.tolerance), golden.expected.get(output)];
  if (typeof noise === "string" || !(expected instanceof Tensor)) return null;
  const tolerance = toleranceFor(output, precision, golden.manifest.tolerance?.K ?? 0, noise) ?? 0;
  const fromExpected = compareTensors(output, actual, expected, tolerance).error;
  if (fromExpected <= tolerance) return null; // the output is right
  const most = Math.max(tolerance, fromExpected === Infinity ? 0 : fromExpected / CLOSER);
  const { context, outputOf } = evaluationOf(golden);
  const closest = (among: readonly Mutant[], over: () => boolean): MutantMatch | null => {
    let best: MutantMatch | null = null;
    for (const mutant of among) {
      if (over()) break;
      const program = mutant.apply(context);
      if (!program) continue;
      const [ours, theirs] = withoutSharedNaN(actual, outputOf(program, mutant.precision));
      const { error } = compareTensors(output, ours, theirs, tolerance);
      const explains = error <= most && error <= fromExpected / 4; // [mutant.nearest]
      if (explains && error < (best?.error ?? Infinity)) best = { mutant, error, fromExpected };
    }
    return best;
  };
  return closest(likely, () => false) ?? closest(mutants, expired);
}

/** Both tensors with zeros where both are NaN: a mistake that makes NaN is recognised by the positions of NaN. */
function withoutSharedNaN(a: Tensor, b: Tensor): [Tensor, Tensor] {
  const [x, y] = [Float64Array.from(a.flat()), Float64Array.from(b.flat())];
  if (x.length !== y.length || !x.some(Number.isNaN)) return [a, b];
  const shared = x.map((v, i) => Number(Number.isNaN(v) && Number.isNaN(y[i])));
  const cleaned = ({ shape }: Tensor, values: Float64Array) =>
    new Tensor(
      shape,
      view(
        values.map((v, i) => (shared[i] ? 0 : v)),
        shape,
      ),
    );
  return [cleaned(a, x), cleaned(b, y)];
}
