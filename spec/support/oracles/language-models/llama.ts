// LLaMA as naive loops over plain numbers: Touvron et al., arXiv 2302.13971v1, §2.2; grouped queries: arXiv 2305.13245v3, §2.2.
import {
  at,
  attention,
  columns,
  linear,
  type Mat,
  mat,
  plus,
  range,
  rotate,
  row,
  sum,
  under,
  type Vec,
  vec,
  type Weights,
} from "../layers.ts";

export interface LlamaShape {
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly epsilon: number;
  readonly theta: number;
  /** Linear scaling divides every frequency by it. */
  readonly slower: number;
  readonly act: (x: number) => number;
}

/** w ⊙ x / √(Σ x²/n + ε)        arXiv 1910.07467v1, equation (4), with ε as LLaMA's own code adds it */
function rmsNorm(w: Weights, x: Vec, epsilon: number): Vec {
  const root = Math.sqrt(sum(x.length, (i) => at(x, i) ** 2) / x.length + epsilon);
  return x.map((value, i) => (at(vec(w, "weight"), i) * value) / root);
}

function selfAttention(w: Weights, x: Mat, { heads, keyValueHeads, theta, slower }: LlamaShape): Mat {
  const project = (name: string) => x.map((r) => linear(under(w, name), r));
  const [q, k, v] = [project("q_proj"), project("k_proj"), project("v_proj")];
  const width = row(q, 0).length / heads;
  const speeds = range(width / 2).map((i) => theta ** (-(2 * i) / width) / slower);
  const head = (y: Mat, h: number) => columns(y, h * width, (h + 1) * width);
  const turned = (y: Mat) => y.map((r, m) => rotate(r, m, speeds));
  const causal = { allowed: (l: number, s: number) => s <= l, empty: "nan", zeroed: () => false } as const;
  const outs = range(heads).map((h) => {
    const shared = Math.floor((h * keyValueHeads) / heads);
    return attention(turned(head(q, h)), turned(head(k, shared)), head(v, shared), causal);
  });
  return x.map((_, l) =>
    linear(
      under(w, "o_proj"),
      outs.flatMap((out) => row(out, l)),
    ),
  );
}

function mlp(w: Weights, x: Vec, act: LlamaShape["act"]): Vec {
  const [gate, up] = [linear(under(w, "gate_proj"), x), linear(under(w, "up_proj"), x)];
  return linear(
    under(w, "down_proj"),
    gate.map((g, i) => act(g) * at(up, i)),
  );
}

/** Logits of one text. */
export function llamaLogits(w: Weights, ids: readonly number[], shape: LlamaShape): Mat {
  const { layers, epsilon } = shape;
  let x: Mat = ids.map((id) => row(mat(w, "model.embed_tokens.weight"), id));
  for (const i of range(layers)) {
    const layer = under(w, `model.layers.${i}`);
    const normed = (name: string, y: Mat) => y.map((r) => rmsNorm(under(layer, name), r, epsilon));
    x = plus(x, selfAttention(under(layer, "self_attn"), normed("input_layernorm", x), shape));
    x = plus(
      x,
      normed("post_attention_layernorm", x).map((r) => mlp(under(layer, "mlp"), r, shape.act)),
    );
  }
  return x.map((r) => linear(under(w, "lm_head"), rmsNorm(under(w, "model.norm"), r, epsilon)));
}
