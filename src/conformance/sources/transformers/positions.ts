// transformers 4.57.6: position encodings, which the package computes in float32 whatever the type of the model.
import { boolean, list, number, optional } from "../../../io/fields.ts";
import { alibi } from "../../../nn/positions/alibi.ts";
import { fourierFeatures, linearPositions } from "../../../nn/positions/fourier.ts";
import { type RotaryOptions, rotary } from "../../../nn/positions/rotary.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { rearrange, repeat } from "../../../tensor/ops/arrange.ts";
import { moduleClass, size } from "../interface/source.ts";

const numberOrDefault = optional(number, undefined);
const flag = optional(boolean, undefined);
const sizes = list(size);

/** The largest number of positions that a case gives as a number. */
const MOST_POSITIONS = 2 ** 16;
function bounded(name: string, n: number): number {
  if (n >= 0 && n <= MOST_POSITIONS) return n;
  throw new LoadError(`${name} is ${n}; it has to be between 0 and ${MOST_POSITIONS}  [conform.budget]`); // [conform.budget]
}

/** A module without parameters. */
const plain = <O extends object>(options: O): { readonly options: O } => ({ options });

export const positionClasses = {
  GPTNeoXRotaryEmbedding: moduleClass({
    options: { head_dim: size, rotary_pct: numberOrDefault, rotary_emb_base: numberOrDefault },
    call: ["x", "position_ids"],
    build: ({ headDim, rotaryPct = 0.25, rotaryEmbBase = 10_000 }) =>
      plain({ width: Math.trunc(headDim * rotaryPct), base: rotaryEmbBase, precision: "float32" } as const),
    forward: ({ options }, args) =>
      rotary(args.tensor("x", "b h l k"), { ...options, from: args.int("position_ids", "b l") }),
  }),
  GPTJRotaryEmbedding: moduleClass({
    options: { rotary_dim: size, max_positions: size },
    call: ["x", "position_ids"],
    build: ({ rotaryDim }) =>
      plain<RotaryOptions>({ width: rotaryDim, pairing: "interleaved", precision: "float32" }),
    forward: ({ options }, args) => {
      const heads = rearrange("b l h k -> b h l k", args.tensor("x", "b l h k"));
      const rotated = rotary(heads, { ...options, from: args.int("position_ids", "b l") });
      return rearrange("b h l k -> b l h k", rotated);
    },
  }),
  MptAlibi: moduleClass({
    options: { num_heads: size, alibi_bias_max: numberOrDefault },
    call: ["sequence_length"],
    build: ({ numHeads, alibiBiasMax }) => plain({ heads: numHeads, biasMax: alibiBiasMax }),
    forward: ({ options }, args) =>
      alibi({
        ...options,
        keys: bounded("sequence_length", args.number("sequence_length")),
        precision: "float32",
      }),
  }),
  PerceiverFourierPositionEncoding: moduleClass({
    options: { num_bands: size, max_resolution: sizes, concat_pos: flag, sine_only: flag },
    call: ["index_dims"],
    build: ({ numBands, maxResolution, concatPos, sineOnly }) =>
      plain({ bands: numBands, maxResolution, concatPositions: concatPos, sineOnly }),
    forward: ({ options }, args) => {
      const sides = [...args.int("index_dims", "d").flat()];
      bounded(
        "the number of positions",
        sides.reduce((product, n) => product * n, 1),
      );
      const grid = linearPositions(sides, { precision: "float32" });
      const features = fourierFeatures(grid, { ...options, precision: "float32" });
      // coordinates bring an axis of the batch with them
      return options.concatPositions === false ? features : repeat("n c -> b n c", features, { b: 1 });
    },
  }),
};
