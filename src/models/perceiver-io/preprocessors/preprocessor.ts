// The interface and the shared parts of Perceiver IO's preprocessors, which turn an input into tokens: features with positions added or concatenated.
import { Linear } from "../../../nn/linear.ts";
import { varianceScaling } from "../../../nn/parameter.ts";
import { RuleError, ShapeError } from "../../../tensor/errors.ts";
import { concat } from "../../../tensor/ops/arrange.ts";
import { add, relu } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { type Int, Tensor } from "../../../tensor/tensor.ts";
import type { PositionEncoding } from "../positions.ts";

/** Tokens with positions, for the encoder, and without, for queries. */
export interface Preprocessed {
  readonly out: Tensor<"b n c">;
  readonly withoutPos: Tensor<"b n e">;
}

export interface Preprocessor {
  readonly outputChannels: number;
  /** `pos` are the coordinates of the tokens; null: those of the grid that the module was built for. */
  forward(inputs: Tensor | Int, pos?: Tensor<"n d"> | null): Preprocessed;
}

export type ConcatOrAdd = "concat" | "add";

/** Throws a RuleError unless the input of a module that takes numbers is a tensor. */
export function tensorInput(caller: string, inputs: Tensor | Int): Tensor {
  if (inputs instanceof Tensor) return inputs;
  throw new RuleError(`${caller} takes a tensor of numbers; tensor(…) makes one`, "perceiverio.inputs");
}

/** Channels of tokens with their positions. Throws a RuleError if positions are added to another number of channels. */
export function withPositions(
  caller: string,
  channels: number,
  positions: PositionEncoding,
  how: ConcatOrAdd,
): number {
  if (how === "concat") return channels + positions.outputChannels;
  if (channels === positions.outputChannels) return channels;
  throw new RuleError(
    `${caller} adds positions of ${positions.outputChannels} channels to features of ${channels}; give them as many, or concatenate them`,
    "perceiverio.concat-or-add",
  );
}

/** Layers that deepen a position encoding: x + linear(x), with a ReLU between them. */
export const extraLayers = (count: number, channels: number): Linear<"c", "e">[] =>
  Array.from(
    { length: count },
    () => new Linear("c -> e", channels, channels, { initial: varianceScaling(channels) }),
  );

/** Tokens and their positions, concatenated or added. */
export function placed(
  features: Tensor<"b n e">,
  positions: Tensor<"b n c">,
  extra: readonly Linear<"c", "e">[],
  how: ConcatOrAdd,
): Preprocessed {
  let encoding = positions;
  for (const [i, layer] of extra.entries()) {
    const deeper = add(encoding, named("b n c", layer.forward(encoding)));
    encoding = i < extra.length - 1 ? relu(deeper) : deeper; // [perceiverio.extra-layers]
  }
  const out =
    how === "add"
      ? add(named("b n c", features), encoding)
      : named("b n c", concat("b n e, b n c -> b n f", features, encoding)); // [perceiverio.concat-or-add]
  return { out, withoutPos: features };
}

/** Throws a ShapeError unless an input has the channels that the module was built for. */
export function checkChannels(caller: string, given: number, expected: number): void {
  if (given === expected) return;
  throw new ShapeError(
    `the input has ${given} channels; this module takes ${expected}  [perceiverio.inputs]`,
    caller,
  );
}
