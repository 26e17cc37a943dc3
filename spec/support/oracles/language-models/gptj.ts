// GPT-J as naive loops over plain numbers: rotary embeddings from Su et al., arXiv 2104.09864v5, §3.2.2, equation (15); the parallel layer
// from mesh_transformer/transformer_shard.py and layers.py of kingoflolz/mesh-transformer-jax.
import {
  at,
  columns,
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

export interface GptJShape {
  readonly layers: number;
  readonly heads: number;
  readonly rotaryDim: number;
  readonly act: "gelu_new" | "gelu";
}

/** ½ x (1 + tanh(√(2/π)(x + 0.044715 x³)))        arXiv 1606.08415v5, §2 */
const geluTanh = (x: number): number =>
  (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

/** Rotates the pairs (x_2i, x_2i+1) by mθ_i, θ_i = 10000^(−2i/n); dimensions from n on stay as they are. */
function rotated(x: Vec, m: number, n: number): Vec {
  const angle = (c: number) => m * 10_000 ** (-(2 * Math.floor(c / 2)) / n);
  return x.map((value, c) => {
    if (c >= n) return value;
    const partner = c % 2 === 0 ? -at(x, c + 1) : at(x, c - 1);
    return value * Math.cos(angle(c)) + partner * Math.sin(angle(c));
  });
}

function selfAttention(w: Weights, x: Mat, { heads, rotaryDim }: GptJShape): Mat {
  const project = (name: string) => x.map((r) => linear(under(w, name), r));
  const turned = (y: Mat) => {
    const width = row(y, 0).length / heads;
    const parts = range(heads).map((h) =>
      columns(y, h * width, (h + 1) * width).map((r, m) => rotated(r, m, rotaryDim)),
    );
    return y.map((_, m) => parts.flatMap((part) => row(part, m)));
  };
  const causal = { allowed: (l: number, s: number) => s <= l, empty: "nan", zeroed: () => false } as const;
  const out = multiHead(
    turned(project("q_proj")),
    turned(project("k_proj")),
    project("v_proj"),
    heads,
    heads,
    causal,
  );
  return out.map((r) => linear(under(w, "out_proj"), r));
}

/** γ ⊙ (x − μ)/√(σ² + ε) + β: `layerNorm` has ε = 1e-5, which is the default of GPT-J. */
const norm = (w: Weights, x: Mat): Mat => x.map((r) => layerNorm(vec(w, "weight"), vec(w, "bias"), r));

/** Logits of one text without padding. */
export function gptJLogits(w: Weights, ids: readonly number[], shape: GptJShape): Mat {
  const body = under(w, "transformer");
  const activation = shape.act === "gelu" ? gelu : geluTanh;
  let x: Mat = ids.map((id) => row(mat(body, "wte.weight"), id));
  for (const i of range(shape.layers)) {
    const layer = under(body, `h.${i}`);
    const y = norm(under(layer, "ln_1"), x);
    const mlp = under(layer, "mlp");
    const fed = y.map((r) => linear(under(mlp, "fc_out"), linear(under(mlp, "fc_in"), r).map(activation)));
    x = plus(x, plus(selfAttention(under(layer, "attn"), y, shape), fed));
  }
  return norm(under(body, "ln_f"), x).map((r) => linear(under(w, "lm_head"), r));
}
