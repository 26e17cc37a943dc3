// Flamingo's perceiver attention: Alayrac et al., arXiv 2204.14198v2, appendix A.1.1, figure 5.

import { attention, EVERYTHING } from "../nn/attention/attention.ts";
import { Linear, NO_BIAS } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norms/layer-norm.ts";
import { type Check, checked, count, optional } from "../nn/options.ts";
import { chunk, concat, rearrange } from "../tensor/ops/arrange.ts";
import { mulScalar } from "../tensor/ops/functions.ts";
import { shapes } from "../tensor/pattern.ts";
import { tap } from "../tensor/program/apply.ts";
import type { Tensor } from "../tensor/tensor.ts";

const CLASS = "PerceiverAttention";

/** The width, in features, and the heads: `heads` of `dimHead` features each, 8 of 64 unless given. */
export interface HeadOptions {
  readonly dim: number;
  readonly dimHead?: number | undefined;
  readonly heads?: number | undefined;
}

/** The checks of the options of heads. */
export const headChecks: { readonly [K in keyof HeadOptions]-?: Check } = {
  dim: count,
  dimHead: optional(count),
  heads: optional(count),
};

/**
 * The latents r of an image attend to its features s and to themselves. Both inputs have the width `dim`.
 * Source: Alayrac et al., arXiv 2204.14198v2, appendix A.1.1 and figure 5; PerceiverAttention of flamingo-pytorch 0.1.2.
 */
export class PerceiverAttention {
  norm_media: LayerNorm;
  norm_latents: LayerNorm;
  to_q: Linear<"d", "(h k)">;
  to_kv: Linear<"d", "f">;
  to_out: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number; readonly dimHead: number };

  constructor(options: HeadOptions) {
    const { dim, dimHead = 64, heads = 8 } = checked(CLASS, options, headChecks);
    this.options = { heads, dimHead };
    this.norm_media = new LayerNorm(dim);
    this.norm_latents = new LayerNorm(dim);
    this.to_q = new Linear("d -> (h k)", dim, heads * dimHead, NO_BIAS);
    this.to_kv = new Linear("d -> f", dim, 2 * heads * dimHead, NO_BIAS);
    this.to_out = new Linear("(h k) -> d", heads * dimHead, dim, NO_BIAS);
  }

  /** What the latents take from the features and from themselves, without the residual. */
  forward(x: Tensor<"b m s d">, latents: Tensor<"b m r d">): Tensor<"b m r d"> {
    shapes(CLASS, {
      x: [x, "b m s d"],
      latents: [latents, "b m r d"],
      norm_latents: [this.norm_latents.weight, "d"],
    });
    const { heads: h, dimHead } = this.options;
    // #region perceive
    const media = this.norm_media.forward(x);
    const queries = this.norm_latents.forward(latents);

    const q = rearrange("b m r (h k) -> b h m r k", this.to_q.forward(queries), { h });
    const inputs = concat("b m s d, b m r d -> b m j d", media, queries); // [resampler.concat]
    const [k, v] = chunk(this.to_kv.forward(inputs));
    const heads = (x: Tensor) => rearrange("b m j (h k) -> b h m j k", x, { h });

    const out = attention(this, mulScalar(q, dimHead ** -0.5), heads(k), heads(v), EVERYTHING); // [resampler.attend]
    return tap(this, "", this.to_out.forward(rearrange("b h m r k -> b m r (h k)", out)));
    // #endregion
  }
}
