// The blocks of the papers as naive loops over plain numbers, composed of the loops in layers.ts.
import {
  at,
  columns,
  everything,
  feedForward,
  layerNorm,
  linear,
  type Mat,
  mat,
  multiHead,
  norm,
  plus,
  range,
  rotate,
  row,
  swiglu,
  under,
  type Vec,
  type Visibility,
  vec,
  type Weights,
  weight,
} from "./layers.ts";

/** attention(q = x, kv = concat([x_f, x]))        arXiv 2204.14198v2, figure 5 and appendix A.1.1 */
export function perceiverAttention(w: Weights, features: Mat, latents: Mat, heads: number): Mat {
  const x = latents.map((r) => norm(under(w, "norm_latents"), r));
  const seen = [...features.map((r) => norm(under(w, "norm_media"), r)), ...x];
  const q = x.map((r) => linear(under(w, "to_q"), r));
  const kv = seen.map((r) => linear(under(w, "to_kv"), r));
  const inner = row(q, 0).length;
  const out = multiHead(q, columns(kv, 0, inner), columns(kv, inner, 2 * inner), heads, heads);
  return out.map((r) => linear(under(w, "to_out"), r));
}

/** x_f += position; x = latents; each layer: x += attention(x, concat(x_f, x)); x += ffw(x)        figure 5 there, for every image separately */
export function perceiverResampler(w: Weights, media: readonly Mat[], depth: number, heads: number): Mat[] {
  const positions = weight(w, "media_pos_emb") as readonly Mat[];
  return media.map((features, m) => {
    const placed = features.map((r) => row(plus([r], positions[m] ?? []), 0));
    let x = mat(w, "latents");
    for (const i of range(depth)) {
      x = plus(x, perceiverAttention(under(w, `layers.${i}.0`), placed, x, heads));
      x = plus(x, feedForward(under(w, `layers.${i}.1`), x));
    }
    return x.map((r) => norm(under(w, "norm"), r));
  });
}

export interface VisibilityRule {
  readonly lastOnly: boolean;
  readonly empty: Visibility["empty"];
  readonly zeroBefore: boolean;
}
/** φ(l) images are at or before token l, which attends to the latents of image φ(l), or of all images up to it        §2.3 and appendix A.1.3 there */
export function visibilityOf(located: readonly boolean[], latents: number, rule: VisibilityRule): Visibility {
  const phi = (l: number) => located.slice(0, l + 1).filter(Boolean).length;
  const image = (s: number) => Math.floor(s / latents) + 1;
  return {
    allowed: (l, s) => (rule.lastOnly ? image(s) === phi(l) : image(s) <= phi(l)),
    empty: rule.empty,
    zeroed: (l) => rule.zeroBefore && phi(l) === 0,
  };
}

/** attention(q = norm y, kv = x): keys are the latents of image 1, then of image 2, …        figure 4 there */
export function maskedCrossAttention(
  w: Weights,
  y: Mat,
  media: readonly Mat[],
  heads: number,
  visibility?: Visibility,
): Mat {
  const q = y.map((r) => linear(under(w, "to_q"), norm(under(w, "norm"), r)));
  const kv = media.flat().map((r) => linear(under(w, "to_kv"), r));
  const inner = row(q, 0).length;
  const out = multiHead(q, columns(kv, 0, inner), columns(kv, inner, 2 * inner), heads, heads, visibility);
  return out.map((r) => linear(under(w, "to_out"), r));
}

/** y += tanh(α_xattn) attention(y, x); y += tanh(α_dense) ffw(y)        figure 4 there. `fed`: the tokens whose ffw runs, all by the paper. */
export function gatedBlock(
  w: Weights,
  y: Mat,
  media: readonly Mat[],
  heads: number,
  visibility?: Visibility,
  fed: (l: number) => boolean = () => true,
): Mat {
  const gate = (name: string) => Math.tanh(at(vec(w, name), 0));
  const gated = (x: Mat, by: number) => x.map((r) => r.map((value) => value * by));
  const z = plus(
    y,
    gated(maskedCrossAttention(under(w, "attn"), y, media, heads, visibility), gate("attn_gate")),
  );
  const ff = gated(feedForward(under(w, "ff"), z), gate("ff_gate"));
  return z.map((r, l) => (fed(l) ? r.map((value, d) => value + at(row(ff, l), d)) : r));
}

/** Attention(norm x) + FFW(norm x), causal, one key/value head        arXiv 2204.02311v5, §2 */
export function parallelBlock(w: Weights, x: Mat, heads: number, dimHead: number): Mat {
  const theta = vec(w, "rotary_emb.inv_freq");
  const ends = [heads * dimHead, (heads + 1) * dimHead, (heads + 2) * dimHead] as const;
  const fused = x.map((r) =>
    linear(under(w, "fused_attn_ff_proj"), layerNorm(vec(w, "norm.gamma"), vec(w, "norm.beta"), r)),
  );
  const head = (r: Vec, h: number) => r.slice(h * dimHead, (h + 1) * dimHead);
  const q = fused.map((r, l) => range(heads).flatMap((h) => rotate(head(r, h), l, theta)));
  const k = fused.map((r, s) => rotate(r.slice(ends[0], ends[1]), s, theta));
  const v = columns(fused, ends[1], ends[2]);
  const out = multiHead(q, k, v, heads, 1, { ...everything, allowed: (l, s) => s <= l });
  const ff = fused.map((r) => linear(under(w, "ff_out.1"), swiglu(r.slice(ends[2]))));
  return plus(
    out.map((r) => linear(under(w, "attn_out"), r)),
    ff,
  );
}
