// A Magneto decoder as naive loops over plain numbers. Norms: Wang et al. (Magneto), arXiv 2210.06423, figure 2 and §2; residuals: Wang et al.
// (DeepNet), arXiv 2203.00555, §4.1 and figure 2; xPos: Sun et al., arXiv 2212.10554, Algorithm 1; buckets of
// distances: Raffel et al. (T5), arXiv 1910.10683, §2.1; branches: Wang et al. (BEiT-3), arXiv 2208.10442, §2.1. Where the norms after the
// sums, the position table and the split stand is that of torchscale/architecture/decoder.py.
import {
  at,
  columns,
  gelu,
  layerNorm,
  linear,
  type Mat,
  mat,
  range,
  row,
  silu,
  sum,
  under,
  type Vec,
  vec,
  type Weights,
} from "../layers.ts";

export interface MagnetoShape {
  readonly layers: number;
  readonly heads: number;
  readonly act: "gelu" | "relu" | "swish";
  /** Norms before the sublayers, or after the sums. */
  readonly before: boolean;
  /** Norms before the last projections of attention and feed-forward. */
  readonly subNorms: boolean;
  readonly deepNorm: boolean;
  readonly epsilon: number;
  /** null: no xPos. */
  readonly xposBase: number | null;
  readonly buckets: { readonly count: number; readonly maxDistance: number } | null;
  /** Tokens that use the first branch; null: there is one branch. */
  readonly split: number | null;
  readonly scaled: boolean;
  readonly embedNorm: boolean;
  /** Whether positions have embeddings. */
  readonly positions: boolean;
}

/** Σ_i ζ_i^((t − u)/base) ⟨R_t q_i, R_u k_i⟩ over pairs i of neighbours, ζ_i = (2i/k + γ)/(1 + γ), γ = 0.4: a function of the distance t − u. */
function xposScore(q: Vec, k: Vec, distance: number, base: number, zeta: Vec): number {
  return sum(q.length / 2, (i) => {
    const angle = distance * 10_000 ** ((-2 * i) / q.length);
    const [a, b, c, d] = [at(q, 2 * i), at(q, 2 * i + 1), at(k, 2 * i), at(k, 2 * i + 1)];
    const rotated = (a * c + b * d) * Math.cos(angle) + (a * d - b * c) * Math.sin(angle);
    return at(zeta, i) ** (distance / base) * rotated;
  });
}

/** The bucket of a distance: of the buckets of its direction half have one distance each, and the bounds of the others grow by a factor. */
export function bucket(distance: number, count: number, maxDistance: number): number {
  const half = Math.floor(count / 2);
  const exact = Math.floor(half / 2);
  const far = Math.abs(distance);
  const wide = exact + Math.trunc((Math.log(far / exact) / Math.log(maxDistance / exact)) * (half - exact));
  return (distance < 0 ? half : 0) + (far < exact ? far : Math.min(wide, half - 1));
}

/** A module, or with a split the branch of token l. */
const branch = (w: Weights, name: string, l: number, split: number | null): Weights =>
  split === null ? under(w, name) : under(w, `${name}.${split === -1 || l < split ? "A" : "B"}`);

function attend(w: Weights, table: Mat | null, x: Mat, real: readonly boolean[], shape: MagnetoShape): Mat {
  const { heads, split, xposBase, buckets, epsilon, subNorms } = shape;
  const project = (name: string) => x.map((r, l) => linear(branch(w, name, l, split), r));
  const [q, k, v] = [project("q_proj"), project("k_proj"), project("v_proj")];
  const width = row(q, 0).length / heads;
  const zeta = xposBase === null ? [] : vec(w, "xpos.scale");
  const part = (y: Mat, h: number) => columns(y, h * width, (h + 1) * width);
  const head = (h: number): Mat => {
    const [queries, keys, values] = [part(q, h), part(k, h), part(v, h)];
    return queries.map((query, l) => {
      const seen = range(l + 1).filter((s) => real[s]);
      const score = (s: number): number => {
        const key = row(keys, s);
        const product =
          xposBase === null
            ? sum(width, (c) => at(query, c) * at(key, c))
            : xposScore(query, key, l - s, xposBase, zeta);
        const bias =
          buckets && table ? at(row(table, bucket(l - s, buckets.count, buckets.maxDistance)), h) : 0;
        return product / Math.sqrt(width) + bias;
      };
      const total = seen.reduce((z, s) => z + Math.exp(score(s)), 0);
      return range(width).map((c) =>
        seen.reduce((y, s) => y + (Math.exp(score(s)) / total) * at(row(values, s), c), 0),
      );
    });
  };
  const outs = range(heads).map(head);
  return x.map((_, l) => {
    const joined = outs.flatMap((out) => row(out, l));
    const norm = branch(w, "inner_attn_ln", l, split);
    const normed = subNorms ? layerNorm(vec(norm, "weight"), vec(norm, "bias"), joined, epsilon) : joined;
    return linear(branch(w, "out_proj", l, split), normed);
  });
}

function feed(w: Weights, x: Vec, { act, epsilon, subNorms }: MagnetoShape): Vec {
  const activation = { gelu, swish: silu, relu: (y: number) => Math.max(y, 0) }[act];
  const hidden = linear(under(w, "fc1"), x).map(activation);
  const norm = under(w, "ffn_layernorm");
  const normed = subNorms ? layerNorm(vec(norm, "weight"), vec(norm, "bias"), hidden, epsilon) : hidden;
  return linear(under(w, "fc2"), normed);
}

/** Logits of one text; `real` is false for padding, which is never first. Positions count padding. */
export function magnetoLogits(
  w: Weights,
  ids: readonly number[],
  real: readonly boolean[],
  shape: MagnetoShape,
): Mat {
  const { layers, before, deepNorm, epsilon, scaled, embedNorm, positions, buckets } = shape;
  const norm = (part: string, x: Vec) =>
    layerNorm(vec(w, `${part}.weight`), vec(w, `${part}.bias`), x, epsilon);
  const alpha = deepNorm ? (2 * layers) ** (1 / 4) : 1; // arXiv 2203.00555, figure 2: decoder-only, α = (2M)^(1/4)
  const residual = (x: Mat, y: Mat): Mat =>
    x.map((r, l) => r.map((value, i) => alpha * value + at(row(y, l), i)));
  let x: Mat = ids.map((id, l) => {
    const word = row(mat(w, "embed_tokens.weight"), id);
    const place = positions ? row(mat(w, "embed_positions.weight"), l + 2) : word.map(() => 0);
    const total = word.map((value, i) => value * (scaled ? Math.sqrt(word.length) : 1) + at(place, i));
    return embedNorm ? norm("layernorm_embedding", total) : total;
  });
  const relative = "self_attn_relative_position.relative_attention_bias.weight";
  const table = buckets ? mat(w, relative) : null;
  for (const i of range(layers)) {
    const name = `layers.${i}`;
    const first = (y: Mat) => y.map((r) => norm(`${name}.self_attn_layer_norm`, r));
    const second = (y: Mat) => y.map((r) => norm(`${name}.final_layer_norm`, r));
    const attention = (y: Mat) => attend(under(w, `${name}.self_attn`), table, y, real, shape);
    const forward = (y: Mat) => y.map((r) => feed(under(w, `${name}.ffn`), r, shape));
    if (before) {
      x = residual(x, attention(first(x)));
      x = residual(x, forward(second(x)));
    } else {
      x = first(residual(x, attention(x)));
      x = second(residual(x, forward(x)));
    }
  }
  return x.map((r) => linear(under(w, "output_projection"), before ? norm("layer_norm", r) : r));
}
