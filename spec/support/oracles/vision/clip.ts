// CLIP's image tower as naive loops over plain numbers: Radford et al., arXiv 2103.00020v1, §2.4, Dosovitskiy et al., arXiv 2010.11929v2, §3.1,
// and open_clip/transformer.py of open_clip 3.3.0, whose names the weights have.
import {
  at,
  columns,
  gelu,
  linear,
  type Mat,
  mat,
  multiHead,
  norm,
  plus,
  range,
  row,
  sum,
  under,
  type Vec,
  vec,
  type Weights,
  weight,
} from "../layers.ts";

/** [c][y][x] */
export type Plane = readonly Mat[];

export interface ClipShape {
  readonly patch: readonly [height: number, width: number];
  readonly layers: number;
  readonly heads: number;
  readonly act: "gelu" | "quick_gelu";
}

/** x σ(1.702 x)        arXiv 1606.08415v5, §2 */
const quickGelu = (x: number): number => x / (1 + Math.exp(-1.702 * x));

/** A vector for each patch: row after row, from left to right. */
function patches(kernel: readonly Plane[], image: Plane, [p, q]: readonly [number, number]): Mat {
  const [first = []] = image;
  const [down, across] = [Math.floor(first.length / p), Math.floor(row(first, 0).length / q)];
  const at3 = (x: Plane, c: number, i: number, j: number) => at(row(x[c] ?? [], i), j);
  return range(down * across).map((n) => {
    const [y, x] = [Math.floor(n / across) * p, (n % across) * q];
    return kernel.map((one) =>
      sum(one.length, (c) => sum(p, (i) => sum(q, (j) => at3(one, c, i, j) * at3(image, c, y + i, x + j)))),
    );
  });
}

function attend(w: Weights, x: Mat, heads: number): Mat {
  const all = x.map((r) => linear({ weight: mat(w, "in_proj_weight"), bias: vec(w, "in_proj_bias") }, r));
  const d = row(x, 0).length;
  const out = multiHead(columns(all, 0, d), columns(all, d, 2 * d), columns(all, 2 * d, 3 * d), heads, heads);
  return out.map((r) => linear(under(w, "out_proj"), r));
}

function layer(w: Weights, x: Mat, { heads, act }: ClipShape): Mat {
  const f = act === "gelu" ? gelu : quickGelu;
  const y = plus(
    x,
    attend(
      under(w, "attn"),
      x.map((r) => norm(under(w, "ln_1"), r)),
      heads,
    ),
  );
  const up = (r: Vec) => linear(under(w, "mlp.c_fc"), norm(under(w, "ln_2"), r)).map(f);
  return plus(
    y,
    y.map((r) => linear(under(w, "mlp.c_proj"), up(r))),
  );
}

/** All tokens before the first layer, and after each layer; the class token is the first. */
export function clipStates(w: Weights, image: Plane, shape: ClipShape): Mat[] {
  const kernel = weight(w, "conv1.weight") as readonly Plane[];
  const tokens = plus(
    [vec(w, "class_embedding"), ...patches(kernel, image, shape.patch)],
    mat(w, "positional_embedding"),
  );
  const states: Mat[] = [tokens.map((r) => norm(under(w, "ln_pre"), r))];
  for (const i of range(shape.layers))
    states.push(layer(under(w, `transformer.resblocks.${i}`), states.at(-1) ?? [], shape));
  return states;
}

/** The tokens of the patches. */
export function clipTokens(w: Weights, image: Plane, shape: ClipShape, tokens: "raw" | "ln_post"): Mat {
  const rows = (clipStates(w, image, shape).at(-1) ?? []).slice(1);
  return tokens === "raw" ? rows : rows.map((r) => norm(under(w, "ln_post"), r));
}

/** The normalised class token. */
export const clipPooled = (w: Weights, image: Plane, shape: ClipShape): Vec =>
  norm(under(w, "ln_post"), row(clipStates(w, image, shape).at(-1) ?? [], 0));

/** The embedding of the image. */
export function clipFeatures(w: Weights, image: Plane, shape: ClipShape): Vec {
  const [pooled, proj] = [clipPooled(w, image, shape), mat(w, "proj")];
  return row(proj, 0).map((_, o) => sum(pooled.length, (i) => at(pooled, i) * at(row(proj, i), o)));
}

const TRANSFORMERS_NAMES = [
  ["embeddings.class_embedding", "class_embedding"],
  ["embeddings.patch_embedding.weight", "conv1.weight"],
  ["embeddings.position_embedding.weight", "positional_embedding"],
  ["pre_layrnorm.", "ln_pre."],
  ["post_layernorm.", "ln_post."],
  ["encoder.layers.", "transformer.resblocks."],
  [".layer_norm1.", ".ln_1."],
  [".layer_norm2.", ".ln_2."],
  [".self_attn.out_proj.", ".attn.out_proj."],
  [".mlp.fc1.", ".mlp.c_fc."],
  [".mlp.fc2.", ".mlp.c_proj."],
] as const;

/** Weights under transformers' names, under those of open_clip; the rows of queries, keys and values are joined in this order. */
export function openClipWeights(w: Weights): Weights {
  const renamed = Object.entries(w)
    .filter(([key]) => !/\.[qkv]_proj\./.test(key))
    .map(([key, value]) => [TRANSFORMERS_NAMES.reduce((name, [a, b]) => name.replace(a, b), key), value]);
  const joined = Object.keys(w)
    .filter((key) => key.endsWith(".q_proj.bias"))
    .flatMap((key) => {
      const stem = key.slice(0, -"q_proj.bias".length);
      const to = stem.replace("encoder.layers.", "transformer.resblocks.").replace("self_attn", "attn");
      const rows = (field: string) =>
        ["q", "k", "v"].flatMap((n) => [...(w[`${stem}${n}_proj.${field}`] as Mat)]);
      return [
        [`${to}in_proj_weight`, rows("weight")],
        [`${to}in_proj_bias`, rows("bias")],
      ];
    });
  return Object.fromEntries([...renamed, ...joined]) as Weights;
}
