// AdamW with 8-bit state: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", arXiv 2110.02861, in float32 and with the order
// of operations of AdamW8bit of bitsandbytes 0.50.2 on a CPU.
import { type Check, checked, listOf, notNegative, oneOf, optional, whole } from "../../../nn/options.ts";
import { RuleError } from "../../../tensor/errors.ts";
import type { Floats } from "../../../tensor/tensor.ts";
import {
  betas as betasCheck,
  checkFactor,
  type Named,
  type Optimizer,
  type ParameterGroup,
  parameterGroups,
  ratesOf,
  updatesIn,
} from "../optimizer.ts";
import { type QuantizerName, quantizers } from "./blocks.ts";
import { dynamicMap } from "./dynamic-map.ts";
import { freshState, type Layout, restoredStates, type State, tensorsOf } from "./state.ts";
import { stepNarrow, stepWide } from "./steps.ts";

/** The options of `adamw`, and which parameters have 32-bit state. */
export interface AdamW8bitOptions {
  readonly groups: readonly ParameterGroup[];
  readonly learningRate?: number | undefined;
  readonly betas?: readonly [number, number] | undefined;
  readonly epsilon?: number | undefined;
  readonly weightDecay?: number | undefined;
  /** Parameters with fewer elements keep 32-bit state. Default 4096. */
  readonly min8bitSize?: number | undefined;
  /** Parameters that keep 32-bit state whatever their size, such as embeddings, as bitsandbytes' own Embedding does. */
  readonly in32Bits?: readonly string[] | undefined;
  /** Elements that share a scale. Default 256; bitsandbytes 0.38 has 2048. */
  readonly blockSize?: number | undefined;
  /** "table" is the one of bitsandbytes' library for x86-64 processors. Default "midpoints". */
  readonly quantizer?: QuantizerName | undefined;
}

const checks: { readonly [K in keyof AdamW8bitOptions]-?: Check } = {
  groups: parameterGroups,
  learningRate: optional(notNegative),
  betas: optional(betasCheck),
  epsilon: optional(notNegative),
  weightDecay: optional(notNegative),
  min8bitSize: optional(whole(0, Number.MAX_SAFE_INTEGER)),
  in32Bits: optional(listOf("parameter names")),
  blockSize: optional(whole(1, 2 ** 20)),
  quantizer: optional(oneOf(Object.keys(quantizers))),
};

/** The magnitude from which the square of a gradient has no place in float32. */
const LARGEST = 2 ** 63;

/** Throws a RuleError, before anything changes, if a gradient cannot be used. [adamw8bit.finite] */
function checkGradients(names: Iterable<string>, gradients: Named): void {
  for (const name of names) {
    const gradient = gradients.get(name);
    const wrong = gradient?.flat().find((x: number) => !(Math.abs(x) <= LARGEST));
    if (wrong !== undefined)
      throw new RuleError(
        `the gradient of "${name}" has the value ${wrong}, and 8-bit state needs magnitudes of at most 2^63; clip the gradients, or check the data`,
        "adamw8bit.finite",
      );
  }
}

/** Which parameters have 32-bit state. Throws a RuleError for a name that is in no group. [adamw8bit.wide] */
function widthOf(
  names: ReadonlySet<string>,
  in32Bits: readonly string[],
  min8bitSize: number,
): Layout["isWide"] {
  const unknown = in32Bits.find((name) => !names.has(name));
  if (unknown !== undefined)
    throw new RuleError(
      `"${unknown}" cannot have 32-bit state, because it is in no parameter group; list it in one`,
      "optimizer.groups",
    );
  const wide = new Set(in32Bits);
  return (name, size) => size < min8bitSize || wide.has(name);
}

/**
 * Defaults are those of AdamW8bit of bitsandbytes 0.50.2. A step leaves the parameters in float32. [adamw8bit.float32] Throws a
 * RuleError for a parameter with 32-bit state that is in no group; a step throws one for a gradient whose magnitude is above 2⁶³
 * or not finite.
 */
export function adamw8bit(options: AdamW8bitOptions): Optimizer {
  const {
    groups,
    learningRate = 1e-3,
    betas = [0.9, 0.999],
    epsilon = 1e-8,
    weightDecay = 0.01,
    min8bitSize = 4096,
    in32Bits = [],
    blockSize = 256,
    quantizer = "midpoints",
  } = checked("adamw8bit", options, checks);
  const rates = ratesOf(groups, { learningRate, weightDecay });
  const names = new Set(rates.keys());
  const maps = [dynamicMap(true), dynamicMap(false)] as const; // m has a sign, v has none  [adamw8bit.map]
  const layout: Layout = { isWide: widthOf(names, in32Bits, min8bitSize), blockSize, maps };
  const codec = (map: Float32Array) => ({ map, quantize: quantizers[quantizer](map) });
  const codecs = [codec(maps[0]), codec(maps[1])] as const;
  let states = new Map<string, State>();
  return {
    kind: "adamw-8bit",
    names: [...names],
    step(parameters, gradients, factor = 1) {
      checkFactor(factor); // [optimizer.factor]
      checkGradients(names, gradients); // [adamw8bit.finite]
      const sizes = new Map([...states].map(([name, { state1 }]) => [name, state1]));
      const inFloat32 = (values: Floats) => Float32Array.from(values);
      for (const { name, rate, p, g } of updatesIn(inFloat32, rates, parameters, gradients, [sizes])) {
        const state = states.get(name) ?? freshState(name, p.length, layout);
        states.set(name, state);
        state.steps++;
        const factors = {
          betas,
          rate: rate.learningRate * factor,
          weightDecay: rate.weightDecay,
          epsilon,
          t: state.steps,
        };
        if (state.kind === "32-bit") stepWide(p, g, state, factors);
        else stepNarrow(p, g, state, codecs, blockSize, factors);
      }
    },
    state: () =>
      new Map(
        [...states].flatMap(([name, state]) =>
          [...tensorsOf(state, maps)].map(([kind, t]) => [`${kind}.${name}`, t] as const),
        ),
      ),
    load(stored, parameters) {
      states = restoredStates(stored, names, layout, parameters); // [optimizer.state]
    },
  };
}
