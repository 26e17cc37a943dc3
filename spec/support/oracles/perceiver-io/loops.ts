// Perceiver IO as naive loops over plain numbers, for one element of a batch: Jaegle et al., arXiv 2107.14795v3, §3.1, §3.2 and appendix E.
import {
  at,
  attention,
  columns,
  gelu,
  linear,
  type Mat,
  norm,
  plus,
  range,
  row,
  under,
  type Vec,
  type Weights,
} from "../layers.ts";

/** Which inputs a query may attend to, and what is added to its products with keys before they are scaled. */
export interface Reading {
  readonly heads: number;
  readonly allowed?: (query: number, input: number) => boolean;
  readonly bias?: (head: number, query: number, input: number) => number;
}

/** Attention with projections of their own for queries, keys and values; a query without inputs reads zeros. */
export function attend(w: Weights, q: Mat, k: Mat, v: Mat, { heads, allowed, bias }: Reading): Mat {
  const projected = (name: string, x: Mat) => x.map((r) => linear(under(w, name), r));
  const [queries, keys, values] = [projected("proj_q", q), projected("proj_k", k), projected("proj_v", v)];
  const part = (x: Mat, h: number) => {
    const width = row(x, 0).length / heads;
    return columns(x, h * width, (h + 1) * width);
  };
  const scale = Math.sqrt(row(queries, 0).length / heads);
  const outs = range(heads).map((h) =>
    attention(part(queries, h), part(keys, h), part(values, h), {
      allowed: allowed ?? (() => true),
      empty: "zero",
      zeroed: () => false,
      bias: (l, s) => (bias?.(h, l, s) ?? 0) / scale,
    }),
  );
  return q.map((_, l) =>
    linear(
      under(w, "final"),
      outs.flatMap((out) => row(out, l)),
    ),
  );
}

export const mlp = (w: Weights, x: Mat): Mat =>
  x.map((r) => linear(under(w, "fc2"), linear(under(w, "fc1"), r).map(gelu)));
const normed = (w: Weights, part: string, x: Mat): Mat => x.map((r) => norm(under(w, part), r));

export function selfAttention(w: Weights, x: Mat, reading: Reading): Mat {
  const n = normed(w, "layer_norm1", x);
  const y = plus(x, attend(under(w, "attention"), n, n, n, reading));
  return plus(y, mlp(under(w, "mlp"), normed(w, "layer_norm2", y)));
}

export function crossAttention(w: Weights, q: Mat, x: Mat, reading: Reading, residual = true): Mat {
  const kv = normed(w, "layer_norm_kv", x);
  const read = attend(under(w, "attention"), normed(w, "layer_norm_q", q), kv, kv, reading);
  const y = residual ? plus(q, read) : read;
  return plus(y, mlp(under(w, "mlp"), normed(w, "layer_norm2", y)));
}

export interface Shape {
  readonly blocks: number;
  readonly layers: number;
  readonly crossHeads: number;
  readonly selfHeads: number;
  readonly decoderHeads: number;
  readonly residual: boolean;
}

/** Outputs of the decoder for queries and inputs with all their channels. `inputs` and `outputs` say which are not masked. */
export function perceiver(
  w: Weights,
  tokens: Mat,
  queries: Mat,
  { blocks, layers, crossHeads, selfHeads, decoderHeads, residual }: Shape,
  masks: { readonly inputs?: readonly boolean[]; readonly outputs?: readonly boolean[] } = {},
): Mat {
  const encoder = under(w, "_encoder");
  let z = crossAttention(under(encoder, "cross_attend"), encoder["latent_pos_enc.pos_embs"] as Mat, tokens, {
    heads: crossHeads,
    allowed: (_, input) => masks.inputs?.[input] ?? true,
  });
  for (const _ of range(blocks))
    for (const i of range(layers))
      z = selfAttention(under(encoder, `self_attends.${i}`), z, { heads: selfHeads });
  const decoder = under(w, "_decoder");
  const allowed = (output: number) => masks.outputs?.[output] ?? true;
  const out = crossAttention(
    under(decoder, "decoding_cross_attn"),
    queries,
    z,
    { heads: decoderHeads, allowed },
    residual,
  );
  return out.map((r) => linear(under(decoder, "final_layer"), r));
}

/** Fourier features of one position, in float64: [x | sin(π f x) | cos(π f x)], f from 1 to half of each resolution. */
export function fourier(x: Vec, bands: number, resolution: Vec): Vec {
  const angles = x.flatMap((value, axis) =>
    range(bands).map((i) => {
      const step = bands === 1 ? 0 : (at(resolution, axis) / 2 - 1) / (bands - 1);
      return Math.PI * value * (1 + i * step);
    }),
  );
  return [...x, ...angles.map(Math.sin), ...angles.map(Math.cos)];
}

/** The place of index i of n on a line from −1 to 1. */
export const placeOf = (i: number, n: number): number => (n === 1 ? -1 : -1 + (2 * i) / (n - 1));
