// Text attends to images: Alayrac et al., arXiv 2204.14198v2, §2.3 (equation 1's φ) and appendix A.1.2–A.1.3.

import { conventionIn, correctedPair } from "../masks/conventions/pair.ts";
import type { Convention } from "../masks/conventions/schema.ts";
import type { Visibility } from "../masks/media-mask.ts";
import { type AttentionOptions, attention, EVERYTHING } from "../nn/attention/attention.ts";
import { Linear, NO_BIAS } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norms/layer-norm.ts";
import { type Check, checked, count, flag, optional } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { chunk, rearrange, repeat } from "../tensor/ops/arrange.ts";
import { mulScalar } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { tap } from "../tensor/program/apply.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import { conventionCheck, type MediaVisibility, visibilityIn } from "./media-visibility.ts";
import { type HeadOptions, headChecks } from "./perceiver-attention.ts";

const CLASS = "MaskedCrossAttention";

/** Widths, in features, and the mask convention. */
export interface MaskedCrossAttentionOptions extends HeadOptions {
  /** Width of the media; as the text's in flamingo-pytorch. */
  readonly dimMedia?: number | undefined;
  /** Chooses between the two corrected conventions, where no convention is given. */
  readonly onlyAttendImmediateMedia?: boolean | undefined;
  /** The mask convention. */
  readonly convention?: Convention | undefined;
}

/** The checks of the options of masked cross-attention. */
export const crossAttentionChecks: { readonly [K in keyof MaskedCrossAttentionOptions]-?: Check } = {
  ...headChecks,
  dimMedia: optional(count),
  onlyAttendImmediateMedia: optional(flag),
  convention: conventionCheck,
};

/**
 * Each text token attends to the latents of the images that its convention lets it see. What a token without any image receives
 * (zero, or the mean of all images) is part of the convention.
 * Source: Alayrac et al., arXiv 2204.14198v2, §2.3 and appendix A.1.2–A.1.3; MaskedCrossAttention of flamingo-pytorch 0.1.2.
 */
export class MaskedCrossAttention {
  norm: LayerNorm;
  to_q: Linear<"d", "(h k)">;
  to_kv: Linear<"e", "f">;
  to_out: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number; readonly dimHead: number; readonly convention: Convention };

  constructor(options: MaskedCrossAttentionOptions) {
    const known = checked(CLASS, options, crossAttentionChecks);
    const { dim, dimMedia = dim, dimHead = 64, heads = 8, onlyAttendImmediateMedia } = known;
    const { convention = conventionIn(correctedPair, onlyAttendImmediateMedia) } = known;
    this.options = { heads, dimHead, convention };
    this.norm = new LayerNorm(dim);
    this.to_q = new Linear("d -> (h k)", dim, heads * dimHead, NO_BIAS);
    this.to_kv = new Linear("e -> f", dimMedia, 2 * heads * dimHead, NO_BIAS);
    this.to_out = new Linear("(h k) -> d", heads * dimHead, dim, NO_BIAS);
  }

  /**
   * What each token takes from the images, without the residual. `masks` are the media locations or the visibility; without
   * either, every token sees every image. Throws a ShapeError if batches or widths differ, and a RuleError without any image or
   * latent.
   */
  forward(x: Tensor<"b l d">, media: Tensor<"b m r e">, masks: MediaVisibility = {}): Tensor<"b l d"> {
    const { m, r } = shapes(CLASS, {
      x: [x, "b l d"],
      media: [media, "b m r e"],
      norm: [this.norm.weight, "d"],
      to_kv: [named("o e", this.to_kv.weight), "o e"],
    });
    if (m === 0 || r === 0)
      throw new RuleError(
        `there are ${m} images of ${r} latents: give at least one of each, or leave the block out`,
        "xattn.no-media",
      );
    const { heads: h, dimHead, convention } = this.options;
    const visible = visibilityIn(CLASS, x, media, masks, convention); // [gate.visibility]

    // #region attend
    const q = rearrange("b l (h k) -> b h l k", this.to_q.forward(this.norm.forward(x)), { h }); // [xattn.norm]
    const [k, v] = chunk(this.to_kv.forward(media));
    const heads = (x: Tensor) => rearrange("b m r (h k) -> b h (m r) k", x, { h }); // [xattn.keys]
    const mask = visible ? softmaxMask(x, media, visible, h) : EVERYTHING; // [xattn.no-locations]

    const out = attention(this, mulScalar(q, dimHead ** -0.5), heads(k), heads(v), mask); // [xattn.attend]
    return tap(this, "", this.to_out.forward(rearrange("b h l k -> b l (h k)", out)));
    // #endregion
  }
}

/** The rows and columns of the mask, repeated for heads and for the r latents of each image. */
function softmaxMask(
  x: Tensor<"b l d">,
  media: Tensor<"b m r e">,
  { mayAttend, emptyRow, postSoftmaxMask }: Visibility,
  h: number,
): AttentionOptions {
  const visibility = new Bool<"b l m">(mayAttend.shape, mayAttend.data);
  const rows = postSoftmaxMask && new Bool<"b l">(postSoftmaxMask.shape, postSoftmaxMask.data);
  const { m, r } = shapes(CLASS, {
    x: [x, "b l d"],
    media: [media, "b m r e"],
    visibility: [visibility, "b l m"],
    ...(rows && { postSoftmaxMask: [rows, "b l"] }),
  });
  return {
    mayAttend: repeat("b l m -> b h l (m r)", visibility, { h, r }), // [xattn.mask] [mask.latents]
    emptyRow,
    postSoftmaxMask: rows && repeat("b l -> b h l (m r)", rows, { h, m, r }),
  };
}
