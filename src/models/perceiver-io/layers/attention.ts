// Multi-head attention of Perceiver IO: Jaegle et al., arXiv 2107.14795, §3.1 and appendix E, with the names and defaults of
// JOBR0/PerceiverIO_Pytorch (perceiver_io/transformer_primitives.py).
import { attention } from "../../../nn/attention/attention.ts";
import { Dropout, probability } from "../../../nn/dropout.ts";
import { Linear } from "../../../nn/linear.ts";
import { type Check, checked, count, flag, oneOf, optional, positive } from "../../../nn/options.ts";
import { varianceScaling } from "../../../nn/parameter.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { einsum, rearrange, repeat } from "../../../tensor/ops/arrange.ts";
import { mulScalar, where } from "../../../tensor/ops/functions.ts";
import type { SoftmaxEmptyRow } from "../../../tensor/ops/table.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import { Bool, Tensor, view } from "../../../tensor/tensor.ts";

export interface PerceiverAttentionOptions {
  readonly qInChannels: number;
  readonly kInChannels?: number | undefined;
  readonly vInChannels?: number | undefined;
  readonly numHeads?: number | undefined;
  readonly initScale?: number | undefined;
  readonly withFinalBias?: boolean | undefined;
  readonly finalInitScaleMultiplier?: number | undefined;
  /** The rate of dropout of the attention weights. */
  readonly dropoutProb?: number | undefined;
  /** Channels of all heads' queries and keys together. Default: `qInChannels`. */
  readonly qkOutChannels?: number | undefined;
  /** Channels of all heads' values together. Default: `qkOutChannels`. */
  readonly vOutChannels?: number | undefined;
  /** Default: `vOutChannels`. */
  readonly outputChannels?: number | undefined;
  readonly emptyRow?: SoftmaxEmptyRow | undefined;
}

const size = optional(count);
const checks: { readonly [K in keyof PerceiverAttentionOptions]-?: Check } = {
  qInChannels: count,
  kInChannels: size,
  vInChannels: size,
  numHeads: size,
  initScale: optional(positive),
  withFinalBias: optional(flag),
  finalInitScaleMultiplier: optional(positive),
  dropoutProb: optional(probability),
  qkOutChannels: size,
  vOutChannels: size,
  outputChannels: size,
  emptyRow: optional(oneOf(["zero", "uniform", "nan"])),
};

/** Throws a RuleError unless the heads have the same number of channels. */
function checkHeads(name: string, channels: number, heads: number): void {
  if (channels % heads === 0) return;
  throw new RuleError(
    `${name} is ${channels}, which ${heads} heads cannot share equally; it must be a multiple of numHeads`,
    "perceiverio.heads",
    { name, channels, heads },
  );
}

/** Optional arguments of a call of attention. */
export interface AttendOptions {
  /** Which inputs a query may attend to; null: all. */
  readonly mask?: Bool<"b o s"> | null | undefined;
  /** Added to the products of queries and keys before they are scaled; trailing axes as in b h o s, or 1. */
  readonly bias?: Tensor | null | undefined;
}

/** Queries attend to keys and values of other channels. All projections have biases. */
export class PerceiverIOAttention {
  proj_q: Linear<"c", "(h k)">;
  proj_k: Linear<"d", "(h k)">;
  proj_v: Linear<"e", "(h k)">;
  dropout: Dropout;
  final: Linear<"(h k)", "c">;
  readonly options: { readonly heads: number; readonly scale: number; readonly emptyRow: SoftmaxEmptyRow };

  constructor(options: PerceiverAttentionOptions) {
    const given = checked("PerceiverIOAttention", options, checks);
    const { qInChannels, numHeads: heads = 8, initScale = 1, dropoutProb = 0, emptyRow = "zero" } = given;
    const { kInChannels = qInChannels, vInChannels = kInChannels, withFinalBias = true } = given;
    const { qkOutChannels: qk = qInChannels, finalInitScaleMultiplier = 1 } = given; // [perceiverio.channels]
    const { vOutChannels: v = qk } = given;
    const { outputChannels = v } = given;
    checkHeads("qkOutChannels", qk, heads);
    checkHeads("vOutChannels", v, heads);
    const projection = <A extends string>(axis: A, channels: number, out: number): Linear<A, "(h k)"> =>
      new Linear(`${axis} -> (h k)`, channels, out, { initial: varianceScaling(channels, initScale) }); // [perceiverio.initial]
    this.options = { heads, scale: (qk / heads) ** -0.5, emptyRow };
    this.proj_q = projection("c", qInChannels, qk);
    this.proj_k = projection("d", kInChannels, qk);
    this.proj_v = projection("e", vInChannels, v);
    this.dropout = new Dropout(dropoutProb);
    this.final = new Linear("(h k) -> c", v, outputChannels, {
      bias: withFinalBias,
      initial: varianceScaling(v, finalInitScaleMultiplier * initScale),
    });
  }

  forward(
    q: Tensor<"b o c">,
    k: Tensor<"b s d">,
    v: Tensor<"b s e">,
    { mask = null, bias = null }: AttendOptions = {},
  ): Tensor<"b o c"> {
    shapes("PerceiverIOAttention", { q: [q, "b o c"], k: [k, "b s d"], v: [v, "b s e"] });
    // #region attend
    const { scale, emptyRow } = this.options;
    const heads = this.#inHeads(q, k, v);
    const out = attention(this, mulScalar(heads.q, scale), heads.k, heads.v, {
      mayAttend: this.#mask(mask),
      emptyRow, // [perceiverio.empty-row]
      bias: bias && mulScalar(bias, scale), // [perceiverio.bias]
      dropout: this.dropout,
    });
    return this.#joined(out);
    // #endregion
  }

  /** The attention weights after dropout, b h o s, and the output. A query that may attend to nothing has equal weights. */
  withMatrix(
    q: Tensor<"b o c">,
    k: Tensor<"b s d">,
    v: Tensor<"b s e">,
    { mask = null, bias = null }: AttendOptions = {},
  ): { readonly matrix: Tensor<"b h o s">; readonly out: Tensor<"b o c"> } {
    const heads = this.#inHeads(q, k, v);
    const { scale } = this.options;
    const matrix = attention(this, mulScalar(heads.q, scale), heads.k, identity(heads.k), {
      mayAttend: this.#mask(mask),
      emptyRow: "uniform", // [perceiverio.matrix]
      bias: bias && mulScalar(bias, scale),
      dropout: this.dropout,
    });
    const weighted = einsum("b h o s, b h s k -> b h o k", named("b h o s", matrix), heads.v);
    const out =
      mask && this.options.emptyRow === "zero" ? where(this.#anything(mask, heads.v), weighted) : weighted;
    return { matrix: named("b h o s", matrix), out: this.#joined(out) };
  }

  #inHeads(q: Tensor<"b o c">, k: Tensor<"b s d">, v: Tensor<"b s e">) {
    const { heads: h } = this.options;
    return {
      q: rearrange("b o (h k) -> b h o k", this.proj_q.forward(q), { h }),
      k: rearrange("b s (h k) -> b h s k", this.proj_k.forward(k), { h }),
      v: rearrange("b s (h k) -> b h s k", this.proj_v.forward(v), { h }),
    };
  }

  #mask(mask: Bool<"b o s"> | null): Bool | null {
    return mask && repeat("b o s -> b h o s", mask, { h: this.options.heads });
  }

  /** True in the rows of queries that may attend to something. */
  #anything(mask: Bool<"b o s">, values: Tensor<"b h s k">): Bool<"b h o k"> {
    const [b = 0, o = 0, s = 0] = mask.shape;
    const flat = mask.flat();
    const rows = Uint8Array.from({ length: b * o }, (_, i) =>
      Number(flat.subarray(i * s, (i + 1) * s).includes(1)),
    );
    return new Bool([b, this.options.heads, o, values.shape[3] ?? 0], rows, [o, 0, 1, 0]);
  }

  #joined(out: Tensor<"b h o k">): Tensor<"b o c"> {
    return tap(this, "", this.final.forward(rearrange("b h o k -> b o (h k)", out)));
  }
}

/** Values whose weighted sums are the weights themselves. */
function identity({ shape: [b = 0, h = 0, s = 0] }: Tensor): Tensor<"b h s k"> {
  const ones = new Float64Array(s * s);
  for (let i = 0; i < s; i++) ones[i * s + i] = 1;
  return repeat("s k -> b h s k", new Tensor<"s k">([s, s], view(ones, [s, s])), { b, h });
}

/** The mask of attention between masked queries and masked inputs: both have to be true. [perceiverio.mask] */
export function crossAttentionMask(queries: Bool<"b o">, inputs: Bool<"b s">): Bool<"b o s"> {
  const { b, o, s } = shapes("crossAttentionMask", { queries: [queries, "b o"], inputs: [inputs, "b s"] });
  const [left, right] = [queries.flat(), inputs.flat()];
  const both = Uint8Array.from({ length: b * o * s }, (_, i) => {
    const [row, input] = [Math.floor(i / s), i % s];
    return (left[row] ?? 0) & (right[Math.floor(row / o) * s + input] ?? 0);
  });
  return new Bool([b, o, s], both);
}
