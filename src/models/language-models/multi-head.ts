// Self-attention of a decoder.
import { attention } from "../../nn/attention/attention.ts";
import type { Dropout } from "../../nn/dropout.ts";
import { rearrange, repeat } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { appended, type Decoding, type KeyValues } from "../language-model.ts";

export interface Heads {
  /** Queries, multiplied by the scale of the scores. */
  readonly q: Tensor<"b h l k">;
  /** The number of their heads is that of the queries or a divisor of it: neighbouring heads of queries then share a head of keys and values. */
  readonly k: Tensor<"b g l k">;
  readonly v: Tensor<"b g l k">;
}

/** Keys or values for each of h heads of queries, from those of g heads. */
function forQueries(x: Tensor, h: number): Tensor<"b h s k"> {
  const g = x.shape[1] ?? 0;
  if (g === h) return named("b h s k", x);
  return named("b h s k", repeat("b g s k -> b (g r) s k", named("b g s k", x), { r: h / g }));
}

export interface AttendOptions {
  /** Added to the scores. */
  readonly bias?: Tensor | null;
  /** Dropout of the attention weights. */
  readonly dropout?: Dropout | null;
}

/** Attention of queries to the keys and values of a text; the heads' results are joined again. */
export function attendTo(
  owner: object,
  q: Tensor<"b h l k">,
  { k, v }: KeyValues,
  { mayAttend, emptyRow = "zero" }: Decoding,
  { bias = null, dropout = null }: AttendOptions = {},
): Tensor<"b l (h k)"> {
  const h = q.shape[1] ?? 0;
  const out = attention(owner, q, forQueries(k, h), forQueries(v, h), {
    mayAttend: repeat("b l s -> b h l s", mayAttend, { h }),
    bias,
    dropout,
    emptyRow, // [decode.empty-row]
  });
  return named("b l (h k)", rearrange("b h l k -> b l (h k)", out));
}

/** Attention of the pass's tokens to those of the cache and of the pass, with a bias of the scores; the heads' results are joined again. */
export function multiHead(
  owner: object,
  { q, k, v }: Heads,
  at: Decoding,
  past: KeyValues | null,
  bias: Tensor | null = null,
): { readonly out: Tensor<"b l (h k)">; readonly now: KeyValues } {
  const now = appended(past, { k, v });
  return { out: attendTo(owner, q, now, at, { bias }), now };
}
