// Text attends to images: Alayrac et al., arXiv 2204.14198v2, §2.3 (equation 1's φ) and appendix A.1.2–A.1.3.

import { type Convention, conventionIn, correctedPair } from "../masks/conventions/conventions.ts";
import { type Visibility, visibilityOf } from "../masks/media-mask.ts";
import { type AttentionOptions, attention } from "../nn/attention/attention.ts";
import { Linear } from "../nn/linear.ts";
import { LayerNorm } from "../nn/norms/layer-norm.ts";
import { rejectUnknown } from "../nn/options.ts";
import { rearrange, repeat, unbind } from "../tensor/ops/arrange.ts";
import { mulScalar } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { tap } from "../tensor/program/record.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import type { HeadOptions } from "./perceiver-attention.ts";

export interface MaskedCrossAttentionOptions extends HeadOptions {
  /** Width of the media; as the text's in flamingo-pytorch. */
  readonly dimMedia?: number | undefined;
  /** Chooses between the two corrected conventions, where no convention is given. */
  readonly onlyAttendImmediateMedia?: boolean | undefined;
  /** The mask convention. */
  readonly convention?: Convention | undefined;
}

/** The images that the tokens of a batch may attend to; without either field every token sees every image. */
export interface MediaVisibility {
  /** b l: true where the text holds an image token. */
  readonly mediaLocations?: Bool<"b l"> | null;
  /** The mask itself, as `visibilityOf` computes it from the locations: a model computes it once for all its blocks. */
  readonly visibility?: Visibility | null;
}

export class MaskedCrossAttention {
  norm: LayerNorm;
  to_q: Linear<"d", "(h k)">;
  to_kv: Linear<"e", "(n h k)">;
  to_out: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number; readonly dimHead: number; readonly convention: Convention };

  constructor(options: MaskedCrossAttentionOptions) {
    const { dim, dimMedia = dim, dimHead = 64, heads = 8, onlyAttendImmediateMedia, ...more } = options;
    const { convention = conventionIn(correctedPair, onlyAttendImmediateMedia), ...rest } = more;
    rejectUnknown("MaskedCrossAttention", rest);
    this.options = { heads, dimHead, convention };
    this.norm = new LayerNorm(dim);
    this.to_q = new Linear("d -> (h k)", dim, heads * dimHead, { bias: false });
    this.to_kv = new Linear("e -> (n h k)", dimMedia, 2 * heads * dimHead, { bias: false });
    this.to_out = new Linear("(h k) -> d", heads * dimHead, dim, { bias: false });
  }

  forward(
    x: Tensor<"b l d">,
    media: Tensor<"b m r e">,
    { mediaLocations = null, visibility = null, ...rest }: MediaVisibility = {},
  ): Tensor<"b l d"> {
    rejectUnknown("MaskedCrossAttention.forward", rest);
    const { r } = shapes("MaskedCrossAttention", {
      x: [x, "b l d"],
      media: [media, "b m r e"],
      norm: [this.norm.weight, "d"],
      to_kv: [named("o e", this.to_kv.weight), "o e"],
    });
    const { heads: h, dimHead, convention } = this.options;
    const visible = visibility ?? visibilityIn(x, media, mediaLocations, convention); // [gate.visibility]

    // #region attend
    const q = rearrange("b l (h k) -> b h l k", this.to_q.forward(this.norm.forward(x)), { h }); // [xattn.norm]
    const [k, v] = unbind(
      rearrange("b m r (n h k) -> n b h (m r) k", this.to_kv.forward(media), { n: 2, h }), // [xattn.keys]
    );
    const mask = visible ? softmaxMask(x, media, visible, { h, r }) : EVERYTHING; // [xattn.no-locations]

    const out = attention(this, mulScalar(q, dimHead ** -0.5), k, v, mask); // [xattn.attend]
    return tap(this, "", this.to_out.forward(rearrange("b h l k -> b l (h k)", out)));
    // #endregion
  }
}

const EVERYTHING: AttentionOptions = { mayAttend: null, emptyRow: "nan" };

/** The visibility of a batch under a convention; null without locations. */
export function visibilityIn(
  x: Tensor<"b l d">,
  media: Tensor<"b m r e">,
  mediaLocations: Bool<"b l"> | null,
  convention: Convention,
): Visibility | null {
  if (!mediaLocations) return null;
  shapes("MaskedCrossAttention", { x: [x, "b l d"], mediaLocations: [mediaLocations, "b l"] });
  return visibilityOf(mediaLocations, media.shape[1] ?? 0, convention);
}

/** The rows and columns of the mask, repeated for heads and for the r latents of each image. */
function softmaxMask(
  x: Tensor<"b l d">,
  media: Tensor<"b m r e">,
  { mayAttend, emptyRow, postSoftmaxMask }: Visibility,
  { h, r }: { h: number; r: number },
): AttentionOptions {
  const visibility = new Bool<"b l m">(mayAttend.shape, mayAttend.data);
  const rows = postSoftmaxMask && new Bool<"b l">(postSoftmaxMask.shape, postSoftmaxMask.data);
  const { b, l, m } = shapes("MaskedCrossAttention", {
    x: [x, "b l d"],
    media: [media, "b m r e"],
    visibility: [visibility, "b l m"],
  });
  if (rows) shapes("MaskedCrossAttention", { x: [x, "b l d"], postSoftmaxMask: [rows, "b l"] });
  const keys = new Uint8Array(mayAttend.data.length * r);
  mayAttend.data.forEach((may, image) => {
    if (may) keys.fill(1, image * r, (image + 1) * r); // [mask.latents]
  });
  return {
    mayAttend: repeat("b l s -> b h l s", new Bool<"b l s">([b, l, m * r], keys), { h }), // [xattn.mask]
    emptyRow,
    postSoftmaxMask: rows && repeat("b l -> b h l s", rows, { h, s: m * r }),
  };
}
