// torchscale 0.3.0, and commit 4d1e0e8 of its repository: the decoder (torchscale/), and here component/xpos_relative_position.py and
// component/relative_position_bias.py, which are the same in both.
import { boolean, number, optional } from "../../io/fields.ts";
import { RelativePositionBias } from "../../nn/positions/relative-bias.ts";
import { XPos } from "../../nn/positions/xpos.ts";
import { LoadError } from "../../tensor/errors.ts";
import { repeat } from "../../tensor/ops/arrange.ts";
import type { Arguments } from "./interface/arguments.ts";
import { moduleClass, type Source, size } from "./interface/source.ts";
import type { Torchscale } from "./torchscale/config.ts";
import { decoderClass } from "./torchscale/decoder.ts";
import { attentionClass, feedForwardClass } from "./torchscale/layers.ts";

const sizeOrDefault = optional(size, undefined);
const numberOrDefault = optional(number, undefined);
const flag = optional(boolean, undefined);

/** The largest number of queries or keys, which a case gives as a number, and of the batch. */
const MOST_POSITIONS = 2 ** 12;

function lengthOf(args: Arguments, name: string): number {
  const n = args.number(name);
  if (n >= 0 && n <= MOST_POSITIONS) return n;
  throw new LoadError(`${name} is ${n}; it has to be between 0 and ${MOST_POSITIONS}  [conform.budget]`); // [conform.budget]
}

/** A number of the call that may be left out. */
const numberOr = (args: Arguments, name: string, otherwise: number): number =>
  args.has(name) ? args.number(name) : otherwise;

export const torchscale: Source<Torchscale> = {
  package: "torchscale",
  profiles: {
    "torchscale@0.3.0": { flagsPlaceNorms: true },
    "torchscale@4d1e0e8": { flagsPlaceNorms: false },
  },
  classes: {
    Decoder: decoderClass,
    MultiheadAttention: attentionClass,
    FeedForwardNetwork: feedForwardClass,
    XPOS: moduleClass({
      options: { head_dim: size, scale_base: numberOrDefault },
      call: ["x", "offset", "downscale"],
      build: ({ headDim, scaleBase }) => new XPos({ width: headDim, scaleBase }),
      forward: (model, args) =>
        model.forward(args.tensor("x", "b l k"), {
          offset: numberOr(args, "offset", 0),
          downscale: numberOr(args, "downscale", 0) !== 0,
        }),
    }),
    RelativePositionBias: moduleClass({
      options: {
        bidirectional: flag,
        num_buckets: sizeOrDefault,
        max_distance: sizeOrDefault,
        n_heads: sizeOrDefault,
      },
      call: ["batch_size", "qlen", "klen", "step"],
      build: ({ nHeads, ...options }) => new RelativePositionBias({ ...options, heads: nHeads }),
      forward: (model, args) => {
        const [queries, keys] = [lengthOf(args, "qlen"), lengthOf(args, "klen")];
        const b = lengthOf(args, "batch_size");
        const call = { queries, keys, from: numberOr(args, "step", 0) };
        const out = repeat("h l s -> (b h) l s", model.forward(call), { b });
        return { out, bucket: model.buckets(call) };
      },
    }),
  },
};
