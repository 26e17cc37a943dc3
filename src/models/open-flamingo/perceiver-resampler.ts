// The resampler of OpenFlamingo (open_flamingo/src/helpers.py of open-flamingo 2.0.1): that of the paper, with optional embeddings of
// frames and of images.
import { PerceiverAttention } from "../../blocks/perceiver-attention.ts";
import { FeedForward } from "../../nn/feed-forward.ts";
import { LayerNorm } from "../../nn/norms/layer-norm.ts";
import { type Check, checked, count, layers, multiple, nullable, optional } from "../../nn/options.ts";
import { normal, Parameter } from "../../nn/parameter.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import { add, expand } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";

export interface OpenFlamingoResamplerOptions {
  readonly dim: number;
  readonly depth?: number | undefined;
  readonly dimHead?: number | undefined;
  readonly heads?: number | undefined;
  readonly numLatents?: number | undefined;
  /** The largest number of images of a text, which then have embeddings of their positions. Default: any number, without embeddings. */
  readonly maxNumMedia?: number | null | undefined;
  /** The same for the frames of a video. */
  readonly maxNumFrames?: number | null | undefined;
  readonly ffMult?: number | undefined;
}

export const resamplerChecks: { readonly [K in keyof OpenFlamingoResamplerOptions]-?: Check } = {
  dim: count,
  depth: optional(layers),
  dimHead: optional(count),
  heads: optional(count),
  numLatents: optional(count),
  maxNumMedia: optional(nullable(count)),
  maxNumFrames: optional(nullable(count)),
  ffMult: optional(multiple),
};

export class OpenFlamingoResampler {
  latents: Parameter<"r d">;
  frame_embs: Parameter<"f d"> | null;
  media_time_embs: Parameter<"m 1 d"> | null;
  layers: [attn: PerceiverAttention, ff: FeedForward][];
  norm: LayerNorm;

  constructor(options: OpenFlamingoResamplerOptions) {
    const known = checked("OpenFlamingoResampler", options, resamplerChecks);
    const { dim, depth = 6, dimHead = 64, heads = 8, numLatents = 64, ffMult = 4 } = known; // [openflamingo.resampler]
    const { maxNumMedia = null, maxNumFrames = null } = known;
    const embeddings = normal(1);
    this.latents = new Parameter("r d", [numLatents, dim], embeddings);
    this.frame_embs = maxNumFrames === null ? null : new Parameter("f d", [maxNumFrames, dim], embeddings);
    this.media_time_embs =
      maxNumMedia === null ? null : new Parameter("m 1 d", [maxNumMedia, 1, dim], embeddings);
    this.layers = Array.from({ length: depth }, () => [
      new PerceiverAttention({ dim, dimHead, heads }),
      new FeedForward({ dim, mult: ffMult }),
    ]);
    this.norm = new LayerNorm(dim);
  }

  /** x: features of the frames of each image or video. Throws a RuleError if there are more of either than embeddings. */
  forward(x: Tensor<"b m f s d">): Tensor<"b m r d"> {
    const { b, m, f, s } = shapes("OpenFlamingoResampler", {
      x: [x, "b m f s d"],
      latents: [this.latents, "r d"],
    });
    // #region resample
    const frames =
      this.frame_embs &&
      repeat("f d -> b m f s d", limited(this.frame_embs, f, { what: "frames", axis: 2 }), { b, m, s });
    const features = rearrange("b m f s d -> b m (f s) d", frames ? add(x, frames) : x); // [openflamingo.frames]
    const times = this.media_time_embs && limited(this.media_time_embs, m, { what: "images", axis: 1 });
    const media = named("b m s d", times ? add(features, expand(times, features)) : features); // [openflamingo.media-time]

    let latents = repeat("r d -> b m r d", this.latents, { b, m });
    for (const [attn, ff] of this.layers) {
      latents = add(attn.forward(media, latents), latents); // [openflamingo.resampler]
      latents = add(ff.forward(latents), latents);
    }
    return tap(this, "", this.norm.forward(latents));
    // #endregion
  }
}

/** The embeddings of the first n positions, which stand along an axis of the features. */
function limited<A extends string>(
  embeddings: Tensor<A>,
  n: number,
  { what, axis }: { readonly what: string; readonly axis: number },
): Tensor<A> {
  const limit = embeddings.shape[0] ?? 0;
  if (n > limit)
    throw new RuleError(
      `${n} ${what}, but the resampler has embeddings of ${limit}: give fewer, or build it for more`,
      "openflamingo.limits",
      { given: n, limit, axis },
    );
  return slice(embeddings, 0, 0, n);
}
