// MPT as naive loops over plain numbers: pre-norm layers without biases, and attention with the linear biases of Press et al.,
// arXiv 2108.12409v2, §3, −m_h (l − s) for query l and key s.
import {
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
  under,
  type Vec,
  vec,
  type Weights,
} from "./layers.ts";

export interface MptShape {
  readonly layers: number;
  /** The slope of each head, counted by hand. */
  readonly slopes: Vec;
  readonly clip: number;
  /** The factor of the scores. */
  readonly scale: number;
  readonly epsilon: number;
}

/** The projection has the queries of all heads, then all keys, then all values. */
function selfAttention(w: Weights, x: Mat, { slopes, clip, scale }: MptShape): Mat {
  const d = row(x, 0).length;
  const width = d / slopes.length;
  const projected = x.map((r) =>
    linear(under(w, "Wqkv"), r).map((value) => Math.min(Math.max(value, -clip), clip)),
  );
  const part = (which: number, h: number) =>
    columns(projected, which * d + h * width, which * d + (h + 1) * width);
  const outs = slopes.map((slope, h) => {
    const queries = part(0, h).map((r) => r.map((q) => q * scale * Math.sqrt(width))); // the loop divides by √width
    return attention(queries, part(1, h), part(2, h), {
      allowed: (l, s) => s <= l,
      empty: "nan",
      zeroed: () => false,
      bias: (l, s) => -slope * (l - s),
    });
  });
  return x.map((_, l) =>
    linear(
      under(w, "out_proj"),
      outs.flatMap((out) => row(out, l)),
    ),
  );
}

/** Logits of one text. */
export function mptLogits(w: Weights, ids: readonly number[], shape: MptShape): Mat {
  const normed = (part: Weights, y: Mat) =>
    y.map((r) => {
      const gain = vec(part, "weight");
      return layerNorm(
        gain,
        gain.map(() => 0),
        r,
        shape.epsilon,
      );
    });
  let x: Mat = ids.map((id) => row(mat(w, "transformer.wte.weight"), id));
  for (const i of range(shape.layers)) {
    const block = under(w, `transformer.blocks.${i}`);
    x = plus(x, selfAttention(under(block, "attn"), normed(under(block, "norm_1"), x), shape));
    const inner = normed(under(block, "norm_2"), x).map((r) =>
      linear(under(block, "ffn.up_proj"), r).map(gelu),
    );
    x = plus(
      x,
      inner.map((r) => linear(under(block, "ffn.down_proj"), r)),
    );
  }
  return normed(under(w, "transformer.norm_f"), x).map((r) => linear(under(w, "lm_head"), r));
}
