// Relative position bias: Raffel et al., arXiv 1910.10683, §2.1, as torchscale's class RelativePositionBias computes it.

import { RuleError } from "../../tensor/errors.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import { Embedding } from "../embedding.ts";
import { type Check, checked, checkNoMore, checkSize, count, flag, inner, optional } from "../options.ts";
import { distribution, type Initial, normal } from "../parameter.ts";
import { position } from "./angles.ts";

/** Heads and buckets of distances. */
export interface RelativePositionBiasOptions {
  /** Keys before and after a query have buckets of their own; otherwise all keys after it share the bucket of distance 0. */
  readonly bidirectional?: boolean | undefined;
  readonly numBuckets?: number | undefined;
  /** From this distance on all keys share a bucket. */
  readonly maxDistance?: number | undefined;
  readonly heads?: number | undefined;
  /** The initial distribution of the biases. Default: normal with standard deviation 1. */
  readonly initial?: Initial | undefined;
}
const checks: { readonly [K in keyof RelativePositionBiasOptions]-?: Check } = {
  bidirectional: optional(flag),
  numBuckets: optional(count),
  maxDistance: optional(count),
  heads: optional(count),
  initial: optional(distribution),
};

/** Numbers of queries and keys, in tokens. */
export interface RelativePositionBiasCall {
  readonly queries: number;
  readonly keys: number;
  /** The position of the first query; that of the first key is 0. */
  readonly from?: number | undefined;
}
const callChecks: { readonly [K in keyof RelativePositionBiasCall]-?: Check } = {
  queries: inner,
  keys: inner,
  from: optional(position),
};

/** How distances of one direction are divided into buckets. */
interface Buckets {
  readonly count: number;
  /** Each distance below this has a bucket of its own. */
  readonly exact: number;
  readonly maxDistance: number;
}

/** The bucket of a distance: its own, or one of those whose bounds grow by a constant factor, in float32 as in the source. */
function bucketOf(distance: number, { count, exact, maxDistance }: Buckets): number {
  if (distance < exact) return distance; // [relative.buckets]
  const round = Math.fround;
  const growth = round(round(Math.log(round(distance / exact))) / round(Math.log(maxDistance / exact)));
  // its fraction is dropped where it is stored as an integer
  return Math.min(exact + round(growth * (count - exact)), count - 1); // [relative.float32]
}

/**
 * A learned number for each head and each bucket of distances, "h l s". Give it to `attention` as its `bias`. The defaults are
 * those of torchscale. Throws a RuleError for options that make fewer than two buckets a direction.
 * Source: Raffel et al., arXiv 1910.10683, §2.1; RelativePositionBias of torchscale 0.3.0.
 */
export class RelativePositionBias {
  relative_attention_bias: Embedding<"h">;
  readonly options: { readonly bidirectional: boolean; readonly buckets: Buckets };

  constructor(options: RelativePositionBiasOptions = {}, ...surplus: readonly never[]) {
    checkNoMore("RelativePositionBias", "an object of options", surplus);
    const {
      bidirectional = true,
      numBuckets = 32,
      maxDistance = 128,
      heads = 12,
      initial = normal(1),
    } = checked("RelativePositionBias", options, checks);
    const perDirection = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
    const exact = Math.floor(perDirection / 2);
    if (exact < 1)
      throw new RuleError(
        `RelativePositionBias: numBuckets is ${numBuckets}; it must be at least ${bidirectional ? 4 : 2}, two for each direction`,
        "relative.buckets",
      );
    if (maxDistance <= exact)
      throw new RuleError(
        `RelativePositionBias: maxDistance is ${maxDistance}; it must be above ${exact}, the number of distances with a bucket of their own`,
        "relative.buckets",
      );
    this.options = { bidirectional, buckets: { count: perDirection, exact, maxDistance } };
    this.relative_attention_bias = new Embedding("h", numBuckets, heads, { initial });
  }

  /** The bucket of every query and key. */
  buckets(call: RelativePositionBiasCall): Int<"l s"> {
    const { queries, keys, from = 0 } = checked("RelativePositionBias.buckets", call, callChecks);
    checkSize("RelativePositionBias.buckets", [queries, keys]);
    const { bidirectional, buckets } = this.options;
    const bucket = (distance: number): number => {
      if (distance >= 0) return bucketOf(distance, buckets);
      return bidirectional ? buckets.count + bucketOf(-distance, buckets) : 0; // [relative.direction]
    };
    const of = Int32Array.from({ length: queries + keys }, (_, i) => bucket(from + i - keys + 1));
    const all = new Int32Array(queries * keys);
    for (let l = 0; l < queries; l++)
      for (let s = 0; s < keys; s++) all[l * keys + s] = of[l - s + keys - 1] ?? 0;
    return new Int<"l s">([queries, keys], all);
  }

  /** The bias of the scores of `queries` tokens from position `from` on and of `keys` tokens from position 0 on. */
  forward(call: RelativePositionBiasCall): Tensor<"h l s"> {
    const bias = this.relative_attention_bias.forward(this.buckets(call));
    return rearrange("l s h -> h l s", bias); // [relative.table]
  }
}
