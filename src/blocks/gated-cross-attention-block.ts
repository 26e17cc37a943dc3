// GATED XATTN-DENSE: Alayrac et al., arXiv 2204.14198v2, §2.2 and figure 4.

import type { Visibility } from "../masks/media-mask.ts";
import { FeedForward } from "../nn/feed-forward.ts";
import { type Check, checked, multiple, optional } from "../nn/options.ts";
import { constant, Parameter } from "../nn/parameter.ts";
import { repeat } from "../tensor/ops/arrange.ts";
import { add, expand, mul, tanh, where } from "../tensor/ops/functions.ts";
import { shapes } from "../tensor/pattern.ts";
import { tap } from "../tensor/program/apply.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import {
  crossAttentionChecks,
  MaskedCrossAttention,
  type MaskedCrossAttentionOptions,
} from "./masked-cross-attention.ts";
import { type MediaVisibility, visibilityIn } from "./media-visibility.ts";

const CLASS = "GatedCrossAttentionBlock";

/**
 * The options of masked cross-attention, and those of the feed-forward network; `ffMult` is its width in multiples of `dim`, 4
 * unless given.
 */
export interface GatedCrossAttentionBlockOptions extends MaskedCrossAttentionOptions {
  readonly ffMult?: number | undefined;
}

const checks: { readonly [K in keyof GatedCrossAttentionBlockOptions]-?: Check } = {
  ...crossAttentionChecks,
  ffMult: optional(multiple),
};

/**
 * y = x + tanh(α) · MaskedCrossAttention(x, media), then y + tanh(β) · FFW(y). Both gates α and β are 0 at first, so that a new
 * block passes x unchanged.
 * Source: Alayrac et al., arXiv 2204.14198v2, §2.2 and figure 4; GatedCrossAttentionBlock of flamingo-pytorch 0.1.2.
 */
export class GatedCrossAttentionBlock {
  attn: MaskedCrossAttention;
  attn_gate: Parameter<"1">;
  ff: FeedForward;
  ff_gate: Parameter<"1">;

  constructor(options: GatedCrossAttentionBlockOptions) {
    const { ffMult = 4, ...attn } = checked(CLASS, options, checks);
    this.attn = new MaskedCrossAttention(attn);
    this.attn_gate = new Parameter("1", [1], constant(0)); // [gate.zero]
    this.ff = new FeedForward({ dim: attn.dim, mult: ffMult });
    this.ff_gate = new Parameter("1", [1], constant(0)); // [gate.zero]
  }

  /**
   * x with what its tokens take from the images that they see. `masks` are the media locations or the visibility; without either,
   * every token sees every image. Throws as `MaskedCrossAttention` does.
   */
  forward(x: Tensor<"b l d">, media: Tensor<"b m r e">, masks: MediaVisibility = {}): Tensor<"b l d"> {
    const visible = visibilityIn(CLASS, x, media, masks, this.attn.options.convention); // [gate.visibility]
    // #region gate
    const gate = (alpha: Tensor<"1">) => expand(tanh(alpha), x);
    const attended = this.attn.forward(x, media, { visibility: visible });
    const y = add(mul(attended, gate(this.attn_gate)), x); // [gate.attn]
    const fed = mul(this.ff.forward(y), gate(this.ff_gate)); // [gate.ff]
    return tap(this, "", add(fedRows(fed, visible), y));
    // #endregion
  }
}

/** Sets the feed-forward's output to zero in the rows on which it does not run. */
function fedRows(fed: Tensor<"b l d">, visibility: Visibility | null): Tensor<"b l d"> {
  if (!visibility?.feedForward) return fed;
  const feedForward = new Bool<"b l">(visibility.feedForward.shape, visibility.feedForward.data);
  const { d } = shapes(CLASS, { x: [fed, "b l d"], feedForward: [feedForward, "b l"] });
  return where(repeat("b l -> b l d", feedForward, { d }), fed); // [gate.empty-row-feed-forward]
}
