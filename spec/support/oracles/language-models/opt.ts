// OPT as naive loops over plain numbers: Zhang et al., arXiv 2205.01068v4, §2.1 and appendix C, and for the norms after the additions and the
// positions models/opt/modeling_opt.py of transformers 4.57.6.
import {
  gelu,
  layerNorm,
  linear,
  type Mat,
  mat,
  multiHead,
  plus,
  range,
  row,
  under,
  type Vec,
  vec,
  type Weights,
} from "../layers.ts";

export interface OptShape {
  readonly layers: number;
  readonly heads: number;
  readonly normBefore: boolean;
  readonly finalNorm: boolean;
  readonly act: "relu" | "gelu";
}

function norm(w: Weights, x: Vec): Vec {
  if ("weight" in w) return layerNorm(vec(w, "weight"), vec(w, "bias"), x);
  return layerNorm(
    x.map(() => 1),
    x.map(() => 0),
    x,
  );
}

function selfAttention(w: Weights, x: Mat, real: readonly boolean[], heads: number): Mat {
  const [q, k, v] = ["q_proj", "k_proj", "v_proj"].map((name) => x.map((r) => linear(under(w, name), r)));
  if (!q || !k || !v) throw new Error("three projections");
  const allowed = (l: number, s: number) => s <= l && real[s] === true;
  const out = multiHead(q, k, v, heads, heads, { allowed, empty: "zero", zeroed: () => false });
  return out.map((r) => linear(under(w, "out_proj"), r));
}

/** Logits of one text; `real` is false for padding. */
export function optLogits(
  w: Weights,
  ids: readonly number[],
  real: readonly boolean[],
  shape: OptShape,
): Mat {
  const { layers, heads, normBefore, finalNorm, act } = shape;
  const decoder = under(w, "model.decoder");
  const activation = act === "gelu" ? gelu : (v: number) => Math.max(v, 0);
  let tokens = 0;
  let x: Mat = ids.map((id, i) => {
    const word = row(mat(decoder, "embed_tokens.weight"), id);
    const wide = "project_in.weight" in decoder ? linear(under(decoder, "project_in"), word) : word;
    if (real[i]) tokens++;
    const position = row(mat(decoder, "embed_positions.weight"), real[i] ? tokens + 1 : 1); // the first token takes row 2
    return wide.map((v, j) => v + (position[j] ?? Number.NaN));
  });
  for (const i of range(layers)) {
    const layer = under(decoder, `layers.${i}`);
    const [first, second] = ["self_attn_layer_norm", "final_layer_norm"].map(
      (name) => (y: Mat) => y.map((r) => norm(under(layer, name), r)),
    );
    if (!first || !second) throw new Error("two norms");
    const attend = (y: Mat) => selfAttention(under(layer, "self_attn"), y, real, heads);
    const feed = (y: Mat) =>
      y.map((r) => linear(under(layer, "fc2"), linear(under(layer, "fc1"), r).map(activation)));
    if (normBefore) {
      x = plus(x, attend(first(x)));
      x = plus(x, feed(second(x)));
    } else {
      x = first(plus(x, attend(x)));
      x = second(plus(x, feed(x)));
    }
  }
  return x.map((r) => {
    const y = finalNorm ? norm(under(decoder, "final_layer_norm"), r) : r;
    const narrow = "project_out.weight" in decoder ? linear(under(decoder, "project_out"), y) : y;
    return linear(under(w, "lm_head"), narrow);
  });
}
