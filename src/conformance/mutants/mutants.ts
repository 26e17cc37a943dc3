// All mutants, and the search for the one that explains an output. The table is in spec/conformance/mutants/95-mutants.md.
import type { GoldenCase } from "../../io/golden/cases.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { compare } from "../cases/compare.ts";
import { attention } from "./catalogue/attention.ts";
import { gatesAndActivations } from "./catalogue/gates-and-activations.ts";
import { layout } from "./catalogue/layout.ts";
import { masks } from "./catalogue/masks.ts";
import { norms } from "./catalogue/norms.ts";
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
].sort((a, b) => a.number - b.number);

/** The known mistake that reproduces an implementation's first output for a case; null if there is none. */
export function nearestMutant(golden: GoldenCase, actual: Tensor): Mutant | null {
  const { K, noise } = golden.manifest.tolerance ?? { K: 0, noise: new Map<string, number>() };
  const output = `outputs.${golden.manifest.outputs[0]}`;
  const tolerance = K * (noise.get(output) ?? 0);
  const { context, outputOf, wrong } = evaluationOf(golden);
  const explanations = mutants.flatMap((mutant) => {
    const program = mutant.apply(context);
    if (!program || !wrong(program, mutant.precision)) return [];
    const { error, passed } = compare(output, actual, outputOf(program, mutant.precision), tolerance);
    return passed ? [{ mutant, error }] : []; // [mutant.nearest]
  });
  return explanations.sort((a, b) => a.error - b.error)[0]?.mutant ?? null;
}
