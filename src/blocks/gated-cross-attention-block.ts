// GATED XATTN-DENSE: Alayrac et al., arXiv 2204.14198v2, §2.2 and figure 4.

import { maskRows } from "../masks/rows.ts";
import { FeedForward } from "../nn/feed-forward.ts";
import { constant, Parameter } from "../nn/parameter.ts";
import { repeat } from "../tensor/ops/arrange.ts";
import { add, expand, mul, tanh, where } from "../tensor/ops/functions.ts";
import { tap } from "../tensor/program/record.ts";
import { Bool, type Tensor } from "../tensor/tensor.ts";
import { MaskedCrossAttention, type MaskedCrossAttentionOptions } from "./masked-cross-attention.ts";

export interface GatedCrossAttentionBlockOptions extends MaskedCrossAttentionOptions {
  readonly ffMult?: number | undefined;
  /** What the feed-forward does to a token that sees no image: the paper and flamingo-pytorch run it, Mllama's reference skips it. */
  readonly emptyRowFeedForward?: "run" | "skip" | undefined;
}

export class GatedCrossAttentionBlock {
  attn: MaskedCrossAttention;
  attn_gate: Parameter<"1">;
  ff: FeedForward;
  ff_gate: Parameter<"1">;
  readonly options: { readonly emptyRowFeedForward: "run" | "skip" };

  constructor(options: GatedCrossAttentionBlockOptions) {
    const { ffMult = 4, emptyRowFeedForward = "run", ...attn } = options;
    this.options = { emptyRowFeedForward };
    this.attn = new MaskedCrossAttention(attn);
    this.attn_gate = new Parameter("1", [1], constant(0)); // [gate.zero]
    this.ff = new FeedForward({ dim: attn.dim, mult: ffMult });
    this.ff_gate = new Parameter("1", [1], constant(0)); // [gate.zero]
  }

  forward(
    x: Tensor<"b l d">,
    media: Tensor<"b m r e">,
    { mediaLocations = null }: { mediaLocations?: Bool<"b l"> | null } = {},
  ): Tensor<"b l d"> {
    // #region gate
    const gate = (alpha: Tensor<"1">) => expand(tanh(alpha), x);
    const attended = this.attn.forward(x, media, { mediaLocations });
    const y = add(mul(attended, gate(this.attn_gate)), x); // [gate.attn]
    const fed = mul(this.ff.forward(y), gate(this.ff_gate)); // [gate.ff]
    return tap(this, "", add(this.#seeing(fed, media, mediaLocations), y));
    // #endregion
  }

  #seeing(
    fed: Tensor<"b l d">,
    media: Tensor<"b m r e">,
    mediaLocations: Bool<"b l"> | null,
  ): Tensor<"b l d"> {
    if (this.options.emptyRowFeedForward === "run" || !mediaLocations) return fed;
    const rows = maskRows(mediaLocations, media.shape[1] ?? 0, this.attn.options.convention).flat();
    const seeing = Uint8Array.from(rows, (row) =>
      Number(row.outcome !== "zeroed" && row.outcome !== "identity"),
    );
    const d = fed.shape[2] ?? 0;
    return where(repeat("b l -> b l d", new Bool<"b l">(mediaLocations.shape, seeing), { d }), fed); // [gate.empty-row-feed-forward]
  }
}
