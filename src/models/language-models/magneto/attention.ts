// Self-attention of torchscale's decoder: torchscale/component/multihead_attention.py.
import { Dropout } from "../../../nn/dropout.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import type { RelativePositionBias } from "../../../nn/positions/relative-bias.ts";
import { XPos } from "../../../nn/positions/xpos.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { mulScalar } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { appended, type Decoded, type Decoding, type KeyValues } from "../../language-model.ts";
import { attendTo } from "../multi-head.ts";
import { type MagnetoLinear, magnetoLinear } from "./initializers.ts";
import { branches, type Multiway, throughBranches } from "./multiway.ts";
import type { MagnetoSettings } from "./options.ts";

type Projection = Linear<"d", "(h k)">;
type Branches<M extends object> = M | Multiway<M>;

/** The settings that attention reads. */
export type AttentionSettings = Pick<
  MagnetoSettings,
  "width" | "heads" | "subNorms" | "epsilon" | "xpos" | "split" | "attentionDropout" | "init"
>;

export class MagnetoAttention {
  k_proj: Branches<Projection>;
  v_proj: Branches<Projection>;
  q_proj: Branches<Projection>;
  out_proj: Branches<Linear<"d", "d">>;
  /** Before the last projection. */
  inner_attn_ln: Branches<LayerNorm> | null;
  dropout_module: Dropout;
  xpos: XPos | null;
  readonly options: AttentionSettings;
  readonly #relative: RelativePositionBias | null;

  /** `relative` is the decoder's, which all layers share. */
  constructor(settings: AttentionSettings, relative: RelativePositionBias | null = null) {
    const { width, heads, split, subNorms, epsilon, xpos, attentionDropout, init } = settings;
    this.options = settings;
    this.#relative = relative;
    const initial = (name: MagnetoLinear) => magnetoLinear(name, width, width, init);
    const projection = (name: MagnetoLinear) =>
      branches(() => new Linear("d -> (h k)", width, width, initial(name)), split);
    this.k_proj = projection("k_proj");
    this.v_proj = projection("v_proj");
    this.q_proj = projection("q_proj");
    this.out_proj = branches(() => new Linear("d -> d", width, width, initial("out_proj")), split);
    this.inner_attn_ln = subNorms ? branches(() => new LayerNorm(width, { epsilon }), split) : null; // [magneto.sub-norms]
    this.dropout_module = new Dropout(attentionDropout);
    this.xpos = xpos ? new XPos({ width: width / heads, ...xpos }) : null; // [magneto.xpos]
  }

  /** The cache holds keys before their rotation, and values, b g s k. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { heads: h, width } = this.options;
    const from = past?.k.shape[2] ?? 0;
    const inHeads = (part: Branches<Projection>): Tensor<"b h l k"> => {
      const projected = throughBranches(part, x, at.positions, "b l (h k)", (one, x) => one.forward(x));
      return rearrange("b l (h k) -> b h l k", projected, { h });
    };
    // #region attend
    const q = mulScalar(inHeads(this.q_proj), (width / h) ** -0.5); // [magneto.heads]
    const [k, v] = [inHeads(this.k_proj), inHeads(this.v_proj)];
    const now = appended(past, { k: named("b g l k", k), v: named("b g l k", v) }); // [magneto.cache]
    const heads = this.xpos // [magneto.xpos]
      ? { q: this.xpos.forward(q, { offset: from }), k: this.xpos.forward(now.k, { downscale: true }) }
      : { q, k: now.k };
    const [queries, keys] = [x.shape[1] ?? 0, now.k.shape[2] ?? 0];
    const bias = this.#relative?.forward({ queries, keys, from }) ?? null; // [magneto.relative]
    const dropout = this.dropout_module;
    const out = attendTo(this, heads.q, { k: heads.k, v: now.v }, at, { bias, dropout }); // [magneto.dropout] [magneto.causal]
    const inner = named("b l d", out);
    const normed = this.inner_attn_ln
      ? throughBranches(this.inner_attn_ln, inner, at.positions, "b l d", (norm, x) => norm.forward(x)) // [magneto.sub-norms]
      : inner;
    const result = throughBranches(this.out_proj, normed, at.positions, "b l d", (one, x) => one.forward(x));
    return { x: tap(this, "", result), now };
    // #endregion
  }
}
