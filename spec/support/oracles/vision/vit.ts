// The Vision Transformer as naive loops over plain numbers, from the paper, composed of the loops in ../layers.ts.
import {
  at,
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
  type Weights,
} from "../layers.ts";

/** An image: channels, rows, columns. */
export type Image = readonly Mat[];

export interface VitShape {
  readonly patch: readonly [height: number, width: number];
  readonly depth: number;
  readonly heads: number;
  readonly pool: "cls" | "mean";
}

/** Patches from left to right, then down; in a patch: rows, columns, channels        arXiv 2010.11929v2, §3.1 */
function patches(image: Image, [p, q]: VitShape["patch"]): Mat {
  const [height, width] = [image[0]?.length ?? 0, row(image[0] ?? [], 0).length];
  return range(height / p).flatMap((y) =>
    range(width / q).map((x) =>
      range(p).flatMap((i) => range(q).flatMap((j) => image.map((c) => at(row(c, y * p + i), x * q + j)))),
    ),
  );
}

/** A norm, the projection E of equation (1), and a norm; the norms are from vit-pytorch. */
export function patchEmbedding(w: Weights, image: Image, patch: VitShape["patch"]): Mat {
  const part = (k: number) => under(w, `to_patch_embedding.${k}`);
  return patches(image, patch).map((r) => norm(part(3), linear(part(2), norm(part(1), r))));
}

/** z' = MSA(LN z) + z; z = MLP(LN z') + z'; LN z        equations (1) to (4) there, (4) for every token */
export function vitTokens(w: Weights, image: Image, { patch, depth, heads }: VitShape): Mat {
  let z: Mat = [...mat(w, "cls_token"), ...patchEmbedding(w, image, patch)];
  z = plus(z, mat(w, "pos_embedding"));
  for (const i of range(depth)) {
    z = plus(z, selfAttention(under(w, `transformer.layers.${i}.0`), z, heads));
    z = plus(z, mlp(under(w, `transformer.layers.${i}.1.net`), z));
  }
  return z.map((r) => norm(under(w, "transformer.norm"), r));
}

/** Appendix A there; a single head as wide as the model is not projected again (vit-pytorch). */
function selfAttention(w: Weights, z: Mat, heads: number): Mat {
  const qkv = z.map((r) => linear(under(w, "to_qkv"), norm(under(w, "norm"), r)));
  const inner = row(qkv, 0).length / 3;
  const [q, k, v] = [0, 1, 2].map((n) => qkv.map((r) => r.slice(n * inner, (n + 1) * inner)));
  const out = multiHead(q ?? [], k ?? [], v ?? [], heads, heads);
  return "to_out.0.weight" in w ? out.map((r) => linear(under(w, "to_out.0"), r)) : out;
}

const mlp = (w: Weights, z: Mat): Mat =>
  z.map((r) => linear(under(w, "4"), linear(under(w, "1"), norm(under(w, "0"), r)).map(gelu)));

/** Class scores from the class token, or from the mean of all tokens. */
export function vitScores(w: Weights, image: Image, shape: VitShape): Vec {
  const tokens = vitTokens(w, image, shape);
  const first = row(tokens, 0);
  const mean = first.map((_, d) => sum(tokens.length, (t) => at(row(tokens, t), d)) / tokens.length);
  return linear(under(w, "mlp_head"), shape.pool === "cls" ? first : mean);
}
