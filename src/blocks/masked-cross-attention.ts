// Text attends to images: Alayrac et al., arXiv 2204.14198v2, §2.3 (equation 1's φ) and appendix A.1.2–A.1.3.

import { type Convention, conventions } from "../masks/conventions/conventions.ts";
import { softmaxRule } from "../masks/media-mask.ts";
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
  readonly onlyAttendImmediateMedia?: boolean | undefined;
  /** Which token sees which image; by default the corrected rule that onlyAttendImmediateMedia names. */
  readonly convention?: Convention | undefined;
}

export class MaskedCrossAttention {
  norm: LayerNorm;
  to_q: Linear<"d", "(h k)">;
  to_kv: Linear<"e", "(n h k)">;
  to_out: Linear<"(h k)", "d">;
  readonly options: { readonly heads: number; readonly dimHead: number; readonly convention: Convention };

  constructor(options: MaskedCrossAttentionOptions) {
    const {
      dim,
      dimMedia = dim,
      dimHead = 64,
      heads = 8,
      onlyAttendImmediateMedia = true,
      ...more
    } = options;
    const { convention = conventions[onlyAttendImmediateMedia ? "immediate" : "all-previous"], ...rest } =
      more;
    rejectUnknown("MaskedCrossAttention", rest);
    this.options = { heads, dimHead, convention };
    this.norm = new LayerNorm(dim);
    this.to_q = new Linear("d -> (h k)", dim, heads * dimHead, { bias: false });
    this.to_kv = new Linear("e -> (n h k)", dimMedia, 2 * heads * dimHead, { bias: false });
    this.to_out = new Linear("(h k) -> d", heads * dimHead, dim, { bias: false });
  }

  /** mediaLocations: true where the text holds an image's token; without it every token sees every image. */
  forward(
    x: Tensor<"b l d">,
    media: Tensor<"b m r e">,
    { mediaLocations = null }: { mediaLocations?: Bool<"b l"> | null } = {},
  ): Tensor<"b l d"> {
    const { m, r } = shapes("MaskedCrossAttention", {
      x: [x, "b l d"],
      media: [media, "b m r e"],
      norm: [this.norm.weight, "d"],
      to_kv: [named("o e", this.to_kv.weight), "o e"],
    });
    const { heads: h, dimHead } = this.options;

    // #region attend
    const q = rearrange("b l (h k) -> b h l k", this.to_q.forward(this.norm.forward(x)), { h }); // [xattn.norm]
    const [k, v] = unbind(
      rearrange("b m r (n h k) -> n b h (m r) k", this.to_kv.forward(media), { n: 2, h }), // [xattn.keys]
    );
    const mask = mediaLocations ? this.#mask(x, mediaLocations, { m, r }) : EVERYTHING; // [xattn.no-locations]

    const out = attention(this, mulScalar(q, dimHead ** -0.5), k, v, mask); // [xattn.attend]
    return tap(this, "", this.to_out.forward(rearrange("b h l k -> b l (h k)", out)));
    // #endregion
  }

  /** The convention's rows and columns, repeated for heads and for the r latents of each image. */
  #mask(
    x: Tensor<"b l d">,
    mediaLocations: Bool<"b l">,
    { m, r }: { m: number; r: number },
  ): AttentionOptions {
    shapes("MaskedCrossAttention", { x: [x, "b l d"], mediaLocations: [mediaLocations, "b l"] });
    const { convention, heads: h } = this.options;
    const { mayAttend: images, zeroed, emptyRow } = softmaxRule(mediaLocations, m, convention);
    const postSoftmaxMask =
      zeroed &&
      new Bool<"b l">(
        zeroed.shape,
        zeroed.data.map((row) => 1 - row),
      );
    return {
      mayAttend: repeat("b l m -> b h l (m r)", new Bool<"b l m">(images.shape, images.data), { h, r }), // [xattn.mask]
      emptyRow,
      postSoftmaxMask: postSoftmaxMask && repeat("b l -> b h l s", postSoftmaxMask, { h, s: m * r }),
    };
  }
}

const EVERYTHING: AttentionOptions = { mayAttend: null, emptyRow: "nan" };
