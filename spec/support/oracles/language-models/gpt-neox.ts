// GPT-NeoX as naive loops over plain numbers: Black et al., arXiv 2204.06745v1, §2.1; rotary embeddings: arXiv 2104.09864v5, §3.2.2. The
// sequential layer is that of GPT-2 with the same norms.
import {
  at,
  attention,
  layerNorm,
  linear,
  type Mat,
  mat,
  plus,
  range,
  rotate,
  row,
  under,
  type Vec,
  vec,
  type Weights,
} from "../layers.ts";

export interface GPTNeoXShape {
  readonly layers: number;
  readonly heads: number;
  /** How many of a head's dimensions are rotated. */
  readonly rotated: number;
  readonly base: number;
  /** Linear scaling divides every frequency by it. */
  readonly slower: number;
  readonly epsilon: number;
  readonly parallel: boolean;
  readonly act: (x: number) => number;
}

/** The projection has the query, the key and the value of the first head, then those of the second, and so on. */
function selfAttention(w: Weights, x: Mat, { heads, rotated, base, slower }: GPTNeoXShape): Mat {
  const projected = x.map((r) => linear(under(w, "query_key_value"), r));
  const width = row(projected, 0).length / heads / 3;
  const speeds = range(rotated / 2).map((i) => base ** (-(2 * i) / rotated) / slower);
  const part = (h: number, which: number) =>
    projected.map((r) => r.slice((3 * h + which) * width, (3 * h + which + 1) * width));
  const turned = (y: Mat) =>
    y.map((r, m) => [...rotate(r.slice(0, rotated), m, speeds), ...r.slice(rotated)]);
  const causal = { allowed: (l: number, s: number) => s <= l, empty: "nan", zeroed: () => false } as const;
  const outs = range(heads).map((h) => attention(turned(part(h, 0)), turned(part(h, 1)), part(h, 2), causal));
  return x.map((_, l) =>
    linear(
      under(w, "dense"),
      outs.flatMap((out) => row(out, l)),
    ),
  );
}

/** Logits of one text. */
export function gptNeoXLogits(w: Weights, ids: readonly number[], shape: GPTNeoXShape): Mat {
  const normed = (part: Weights, y: Mat) =>
    y.map((r) => layerNorm(vec(part, "weight"), vec(part, "bias"), r, shape.epsilon));
  const mlp = (part: Weights, r: Vec) =>
    linear(under(part, "dense_4h_to_h"), linear(under(part, "dense_h_to_4h"), r).map(shape.act));
  let x: Mat = ids.map((id) => row(mat(w, "gpt_neox.embed_in.weight"), id));
  for (const i of range(shape.layers)) {
    const layer = under(w, `gpt_neox.layers.${i}`);
    const attended = selfAttention(
      under(layer, "attention"),
      normed(under(layer, "input_layernorm"), x),
      shape,
    );
    const read = shape.parallel ? x : plus(x, attended);
    const fed = normed(under(layer, "post_attention_layernorm"), read).map((r) =>
      mlp(under(layer, "mlp"), r),
    );
    x = x.map((r, l) => r.map((v, c) => v + at(row(attended, l), c) + at(row(fed, l), c)));
  }
  return normed(under(w, "gpt_neox.final_layer_norm"), x).map((r) => linear(under(w, "embed_out"), r));
}
