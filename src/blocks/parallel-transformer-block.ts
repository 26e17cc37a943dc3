// The layer of PaLM (Chowdhery et al., arXiv 2204.02311, §2): parallel attention and feed-forward, multi-query attention,
// rotary embeddings, SwiGLU (Shazeer, arXiv 2002.05202, equation 6), no biases.

import { silu } from "../nn/activations.ts";
import { attention } from "../nn/attention/attention.ts";
import { causal } from "../nn/attention/causal.ts";
import { Linear, NO_BIAS } from "../nn/linear.ts";
import { PaLMLayerNorm } from "../nn/norms/layer-norm.ts";
import { type Check, checked, even, inner as innerWidth, optional } from "../nn/options.ts";
import { RotaryEmbedding, rotate } from "../nn/positions/palm-rotary.ts";
import { RuleError } from "../tensor/errors.ts";
import { chunk, concat, rearrange, repeat, split } from "../tensor/ops/arrange.ts";
import { add, mul, mulScalar } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { checkTensors, tap } from "../tensor/program/apply.ts";
import type { Bool, Tensor } from "../tensor/tensor.ts";
import { type HeadOptions, headChecks } from "./perceiver-attention.ts";

const CLASS = "ParallelTransformerBlock";

/**
 * silu(gate) ⊙ value, where value and gate are the first and the second half of the last axis.
 * Source: Shazeer, arXiv 2002.05202, equation (6); SwiGLU of flamingo-pytorch 0.1.2.
 */
export class SwiGLU {
  /**
   * silu(gate) ⊙ value. Throws a RuleError if the last axis is odd.
   * Shapes: x `... n` → `... h`, where h = n / 2.
   */
  forward<A extends string>(x: Tensor<A>): Tensor<A> {
    checkTensors("SwiGLU", x);
    const width = x.shape.at(-1) ?? 0;
    if (width % 2 !== 0)
      throw new RuleError(
        `the last axis of SwiGLU is ${width} wide, and must have two halves`,
        "swiglu.order",
        { x: x.shape },
      );
    const [value, gate] = chunk(x); // [swiglu.order]
    return mul(silu(gate), value); // [swiglu.silu]
  }
}

/** SwiGLU, then a projection: a torch Sequential whose slot 0 has no parameters. */
class SwiGluProjection {
  readonly 1: Linear<"f", "d">;

  constructor(inner: number, dim: number) {
    this[1] = new Linear("f -> d", inner, dim, NO_BIAS);
  }

  forward(x: Tensor<"b l f">): Tensor<"b l d"> {
    return this[1].forward(new SwiGLU().forward(x));
  }
}

/** Width and heads; `ffMult` is the width of the feed-forward network in multiples of `dim`, 4 unless given. */
export interface ParallelTransformerBlockOptions extends HeadOptions {
  readonly ffMult?: number | undefined;
}

const checks: { readonly [K in keyof ParallelTransformerBlockOptions]-?: Check } = {
  ...headChecks,
  dimHead: optional(even), // [rotary.halves]
  ffMult: optional(innerWidth),
};

/**
 * y = Attention(norm x) + FFW(norm x); the caller adds the residual.
 * Source: Chowdhery et al., arXiv 2204.02311, §2; ParallelTransformerBlock of flamingo-pytorch 0.1.2.
 */
export class ParallelTransformerBlock {
  norm: PaLMLayerNorm;
  rotary_emb: RotaryEmbedding;
  fused_attn_ff_proj: Linear<"d", "f">;
  attn_out: Linear<"(h k)", "d">;
  ff_out: SwiGluProjection;
  readonly options: { readonly heads: number; readonly dimHead: number; readonly inner: number };

  constructor(options: ParallelTransformerBlockOptions) {
    const { dim, dimHead = 64, heads = 8, ffMult = 4 } = checked(CLASS, options, checks);
    const inner = dim * ffMult;
    this.options = { heads, dimHead, inner };
    this.norm = new PaLMLayerNorm(dim);
    this.rotary_emb = new RotaryEmbedding(dimHead);
    this.fused_attn_ff_proj = new Linear("d -> f", dim, heads * dimHead + 2 * dimHead + 2 * inner, NO_BIAS);
    this.attn_out = new Linear("(h k) -> d", heads * dimHead, dim, NO_BIAS);
    this.ff_out = new SwiGluProjection(inner, dim);
  }

  /** The output of the layer for whole texts, causally masked. Throws a RuleError for a text without tokens. */
  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    return this.read(x, null, null).x;
  }

  /**
   * The output for tokens that follow those of a cache, and the cache with these tokens added; s counts both. Padding on the left
   * moves the positions of a row, which changes nothing: rotary embeddings depend on differences of positions. Without `mayAttend`
   * and a cache, the mask is causal. Throws a RuleError if there are no tokens.
   * Shapes: x `b l d`, mayAttend `b l s` → x `b l d`, and keys and values `b s k` in `now`.
   */
  read(
    x: Tensor<"b l d">,
    mayAttend: Bool<"b l s"> | null,
    past: SharedKeyValues | null,
  ): { x: Tensor<"b l d">; now: SharedKeyValues } {
    const { b, l } = shapes(CLASS, { x: [x, "b l d"], norm: [this.norm.gamma, "d"] });
    if (l === 0) throw new RuleError("the text has no tokens; give at least one", "palm.empty-text");
    const { heads: h, dimHead, inner } = this.options;
    const from = past?.k.shape[1] ?? 0;

    // #region parallel
    const fused = this.fused_attn_ff_proj.forward(this.norm.forward(x));
    const parts = split(fused, { q: h * dimHead, k: dimHead, v: dimHead, ff: 2 * inner }); // [palm.fused]
    const angles = this.rotary_emb.forward(l, from);
    const q = rotate(rearrange("b l (h k) -> b h l k", parts.q, { h }), angles); // [palm.rotary]
    const now = appended(past, { k: rotate(named("b s k", parts.k), angles), v: named("b s k", parts.v) });
    const k = repeat("b s k -> b h s k", now.k, { h }); // [palm.multi-query]
    const v = repeat("b s k -> b h s k", now.v, { h });

    const mask = repeat("b l s -> b h l s", mayAttend ?? causal(b, l), { h }); // [palm.causal]
    const out = attention(this, mulScalar(q, dimHead ** -0.5), k, v, { mayAttend: mask, emptyRow: "zero" });
    const attended = this.attn_out.forward(rearrange("b h l k -> b l (h k)", out));
    return { x: tap(this, "", add(attended, this.ff_out.forward(named("b l f", parts.ff)))), now }; // [palm.parallel]
    // #endregion
  }
}

/** Rotated keys, and values, of the one head that serves all heads of queries. */
export interface SharedKeyValues {
  readonly k: Tensor<"b s k">;
  readonly v: Tensor<"b s k">;
}

/** Keys and values of a cache with those of further tokens behind them. */
function appended(past: SharedKeyValues | null, { k, v }: SharedKeyValues): SharedKeyValues {
  if (!past) return { k, v };
  const joined = (before: Tensor<"b s k">, further: Tensor<"b s k">) =>
    concat("b p k, b l k -> b s k", named("b p k", before), named("b l k", further));
  return { k: joined(past.k, k), v: joined(past.v, v) };
}
