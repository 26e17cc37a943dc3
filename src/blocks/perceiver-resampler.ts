// The Perceiver Resampler: Alayrac et al., arXiv 2204.14198v2, §2.1 and appendix A.1.1, figure 5.

import { FeedForward } from "../nn/feed-forward.ts";
import { LayerNorm } from "../nn/norms/layer-norm.ts";
import { type Check, checked, count, layers, multiple, optional } from "../nn/options.ts";
import { normal, Parameter } from "../nn/parameter.ts";
import { warnOnce } from "../nn/warn-once.ts";
import { RuleError } from "../tensor/errors.ts";
import { rearrange, repeat, slice } from "../tensor/ops/arrange.ts";
import { add, expand } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { checkTensors, tap } from "../tensor/program/apply.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type HeadOptions, headChecks, PerceiverAttention } from "./perceiver-attention.ts";

const CLASS = "PerceiverResampler";

/**
 * Width, heads and depth, and the numbers of latents (64 unless given) and of images. `ffMult` is the width of the feed-forward
 * network in multiples of `dim`, 4 unless given.
 */
export interface PerceiverResamplerOptions extends HeadOptions {
  readonly depth: number;
  readonly numLatents?: number | undefined;
  /** The largest number of images or videos in a sequence. Default 4. */
  readonly numMediaEmbeds?: number | undefined;
  /** The former name of numMediaEmbeds, which the README of flamingo-pytorch still uses. */
  readonly numTimeEmbeds?: number | undefined;
  readonly ffMult?: number | undefined;
}

const resamplerChecks: { readonly [K in keyof PerceiverResamplerOptions]-?: Check } = {
  ...headChecks,
  depth: layers,
  numLatents: optional(count),
  numMediaEmbeds: optional(count),
  numTimeEmbeds: optional(count),
  ffMult: optional(multiple),
};

type MediaLimit = Pick<PerceiverResamplerOptions, "numMediaEmbeds" | "numTimeEmbeds">;

/** numMediaEmbeds under either of its names. */
function mediaLimit({ numMediaEmbeds, numTimeEmbeds }: MediaLimit): number {
  if (numTimeEmbeds === undefined) return numMediaEmbeds ?? 4;
  if (numMediaEmbeds !== undefined)
    throw new RuleError(
      "numTimeEmbeds is the former name of numMediaEmbeds; give only that",
      "readme.calls",
      { name: "numTimeEmbeds" },
    );
  warnOnce("numTimeEmbeds is read as numMediaEmbeds"); // [readme.calls]
  return numTimeEmbeds;
}

/**
 * Maps any number s of features of each image to r latents. Throws a RuleError for numTimeEmbeds
 * beside numMediaEmbeds.
 * Source: Alayrac et al., arXiv 2204.14198v2, §2.1, appendix A.1.1 and figure 5; PerceiverResampler of flamingo-pytorch 0.1.2.
 */
export class PerceiverResampler {
  latents: Parameter<"r d">;
  media_pos_emb: Parameter<"m 1 d">;
  layers: [attn: PerceiverAttention, ff: FeedForward][];
  norm: LayerNorm;

  constructor(options: PerceiverResamplerOptions) {
    const known = checked(CLASS, options, resamplerChecks);
    const { dim, depth, dimHead, heads, numLatents = 64, ffMult = 4, ...limit } = known;
    this.latents = new Parameter("r d", [numLatents, dim], normal(1));
    this.media_pos_emb = new Parameter("m 1 d", [mediaLimit(limit), 1, dim], normal(1));
    this.layers = Array.from({ length: depth }, () => [
      new PerceiverAttention({ dim, dimHead, heads }),
      new FeedForward({ dim, mult: ffMult }),
    ]);
    this.norm = new LayerNorm(dim);
  }

  /**
   * x: features of each image, or of the flattened frames of each video; without the axis m, features of one image. Throws a
   * RuleError if there are more images than position embeddings.
   * Shapes: x `b m s d` or `b s d` → `b m r d`; of one image, m = 1.
   */
  forward(x: Tensor<"b m s d"> | Tensor<"b s d">): Tensor<"b m r d"> {
    checkTensors(CLASS, x);
    const features = x.shape.length === 3 ? rearrange("b s d -> b 1 s d", named("b s d", x)) : x; // [resampler.one-image]
    const perMedia = named("b m s d", features);
    const { b, m } = shapes(CLASS, {
      x: [perMedia, "b m s d"],
      latents: [this.latents, "r d"],
    });
    const limit = this.media_pos_emb.shape[0] ?? 0;
    if (m > limit)
      throw new RuleError(
        `${m} images or videos, but numMediaEmbeds is ${limit}: raise it, or give fewer`,
        "resampler.media-limit",
        { images: m, limit },
      );

    // #region resample
    const media = add(perMedia, expand(slice(this.media_pos_emb, 0, 0, m), perMedia)); // [resampler.media-position]

    let latents = repeat("r d -> b m r d", this.latents, { b, m }); // [resampler.latents]
    for (const [attn, ff] of this.layers) {
      latents = add(attn.forward(media, latents), latents); // [resampler.layers]
      latents = add(ff.forward(latents), latents);
    }
    return tap(this, "", this.norm.forward(latents)); // [resampler.norm]
    // #endregion
  }
}
