// MPT as naive loops over plain numbers: pre-norm layers; queries and keys are normalised over the whole width before heads are
// split (Dehghani et al., arXiv 2302.05442v1, §2, normalise queries and keys); the linear biases of Press et al., arXiv 2108.12409v2, §3, −m_h (l − s) for query l and key s; heads that share keys and values: arXiv 2305.13245v3, §2.2.
import {
  at,
  attention,
  columns,
  gelu,
  layerNorm,
  linear,
  type Mat,
  mat,
  plus,
  range,
  row,
  sum,
  under,
  type Vec,
  vec,
  type Weights,
} from "../layers.ts";

export interface MosaicShape {
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  /** The slope of each head, counted by hand; zeros: there are no position biases. */
  readonly slopes: Vec;
  readonly clip: number;
  /** The factor of the scores. */
  readonly scale: number;
  readonly logitScale: number;
  readonly rms: boolean;
  readonly epsilon: number;
}

/** A layer norm with or without bias, or w ⊙ x / √(Σ x²/n + ε)        arXiv 1910.07467v1, equation (4) */
function normed(w: Weights, x: Vec, rms: boolean, epsilon: number): Vec {
  const gain = vec(w, "weight");
  if (!rms) return layerNorm(gain, "bias" in w ? vec(w, "bias") : gain.map(() => 0), x, epsilon);
  const root = Math.sqrt(sum(x.length, (i) => at(x, i) ** 2) / x.length + epsilon);
  return x.map((value, i) => (at(gain, i) * value) / root);
}

/** The projection has the queries of all heads, then all keys, then all values. */
function selfAttention(w: Weights, x: Mat, real: readonly boolean[], shape: MosaicShape): Mat {
  const { heads, keyValueHeads: groups, slopes, clip, scale } = shape;
  const d = row(x, 0).length;
  const width = d / heads;
  const projected = x.map((r) =>
    linear(under(w, "Wqkv"), r).map((value) => Math.min(Math.max(value, -clip), clip)),
  );
  const part = (from: number, to: number, norm: string | null): Mat => {
    const rows = columns(projected, from, to);
    return norm !== null && `${norm}.weight` in w
      ? rows.map((r) => normed(under(w, norm), r, false, 1e-5))
      : rows;
  };
  const inner = groups * width;
  const [q, k, v] = [part(0, d, "q_ln"), part(d, d + inner, "k_ln"), part(d + inner, d + 2 * inner, null)];
  const head = (y: Mat, h: number) => columns(y, h * width, (h + 1) * width);
  const outs = range(heads).map((h) => {
    const shared = Math.floor((h * groups) / heads);
    const queries = head(q, h).map((r) => r.map((value) => value * scale * Math.sqrt(width))); // the loop divides by √width
    return attention(queries, head(k, shared), head(v, shared), {
      allowed: (l, s) => s <= l && real[s] === true,
      empty: "zero",
      zeroed: () => false,
      bias: (l, s) => -at(slopes, h) * (l - s),
    });
  });
  return x.map((_, l) =>
    linear(
      under(w, "out_proj"),
      outs.flatMap((out) => row(out, l)),
    ),
  );
}

/**
 * Logits of one text, of which `real` is false for padding. The position of a token is the number of real tokens before it; padding has
 * the position of the token before it, or 0.
 */
export function mosaicLogits(
  w: Weights,
  ids: readonly number[],
  real: readonly boolean[],
  shape: MosaicShape,
): Mat {
  const { rms, epsilon } = shape;
  const norm = (part: Weights, y: Mat) => y.map((r) => normed(part, r, rms, epsilon));
  const table = mat(w, "transformer.wte.weight");
  const place = (i: number) => {
    const before = real.slice(0, i).filter(Boolean).length;
    return real[i] ? before : Math.max(0, before - 1);
  };
  let x: Mat = ids.map((id) => row(table, id));
  if ("transformer.wpe.weight" in w)
    x = plus(
      x,
      ids.map((_, i) => row(mat(w, "transformer.wpe.weight"), place(i))),
    );
  for (const i of range(shape.layers)) {
    const block = under(w, `transformer.blocks.${i}`);
    x = plus(x, selfAttention(under(block, "attn"), norm(under(block, "norm_1"), x), real, shape));
    const inner = norm(under(block, "norm_2"), x).map((r) =>
      linear(under(block, "ffn.up_proj"), r).map(gelu),
    );
    x = plus(
      x,
      inner.map((r) => linear(under(block, "ffn.down_proj"), r)),
    );
  }
  const head = "lm_head.weight" in w ? under(w, "lm_head") : { weight: table };
  return norm(under(w, "transformer.norm_f"), x).map((r) =>
    linear(head, r).map((value) => value * shape.logitScale),
  );
}

/** The part of MosaicML's MPT that the class of transformers has: linear biases, and neither biases nor norms of queries and keys. */
export interface MptShape extends Pick<MosaicShape, "layers" | "slopes" | "clip" | "scale" | "epsilon"> {}

/** Logits of one text without padding. */
export const mptLogits = (w: Weights, ids: readonly number[], shape: MptShape): Mat => {
  const { length: heads } = shape.slopes;
  const whole = { ...shape, heads, keyValueHeads: heads, logitScale: 1, rms: false };
  return mosaicLogits(
    w,
    ids,
    ids.map(() => true),
    whole,
  );
};
