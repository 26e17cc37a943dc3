// Self-attention of a decoder whose heads have keys and values of their own.
import { attention } from "../../nn/attention/attention.ts";
import { rearrange, repeat } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { Bool, Tensor } from "../../tensor/tensor.ts";
import { appended, type KeyValues } from "../language-model.ts";

export interface Heads {
  /** Queries, multiplied by the scale of the scores. */
  readonly q: Tensor<"b h l k">;
  readonly k: Tensor<"b g l k">;
  readonly v: Tensor<"b g l k">;
}

/** Attention of the pass's tokens to those of the cache and of the pass, with a bias of the scores; the heads' results are joined again. */
export function multiHead(
  owner: object,
  { q, k, v }: Heads,
  mayAttend: Bool<"b l s">,
  past: KeyValues | null,
  bias: Tensor | null = null,
): { readonly out: Tensor<"b l (h k)">; readonly now: KeyValues } {
  const now = appended(past, { k, v });
  const out = attention(owner, q, named("b h s k", now.k), named("b h s k", now.v), {
    mayAttend: repeat("b l s -> b h l s", mayAttend, { h: q.shape[1] ?? 0 }),
    bias,
    emptyRow: "zero", // the rows of padding, which nothing reads
  });
  return { out: named("b l (h k)", rearrange("b h l k -> b l (h k)", out)), now };
}
