// A decoder: embeddings, layers that return their keys and values, and logits. FlamingoPaLM and LLaMA implement it; a gated layer is a
// decoder layer around a decoder layer. Its cached steps are in writer.ts.
import type { Visibility } from "../masks/media-mask.ts";
import { causal } from "../nn/attention/causal.ts";
import { type Check, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { concat } from "../tensor/ops/arrange.ts";
import type { SoftmaxEmptyRow } from "../tensor/ops/table.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { Bool, checkShape, Int, type Tensor } from "../tensor/tensor.ts";

/** The rows of a batch of token ids, padding included. */
export function rowsOf(ids: Int): number[][] {
  const [b = 0, l = 0] = ids.shape;
  const all = ids.flat();
  return Array.from({ length: b }, (_, row) => [...all.subarray(row * l, (row + 1) * l)]);
}

/** Keys and values of the tokens that a layer has read, in the form in which its source caches them. */
export interface KeyValues {
  readonly k: Tensor;
  readonly v: Tensor;
}

/** A cache with keys and values of further tokens, b g l k, added behind its own. */
export function appended(
  past: KeyValues | null,
  { k, v }: { k: Tensor<"b g l k">; v: Tensor<"b g l k"> },
): KeyValues {
  if (!past) return { k, v };
  const pattern = "b g p k, b g l k -> b g s k";
  return {
    k: concat(pattern, named("b g p k", past.k), k),
    v: concat(pattern, named("b g p k", past.v), v),
  };
}

/** What all layers are given in one pass, besides the hidden states of its tokens and their own cache. */
export interface Decoding {
  /** The position of each of the pass's tokens, for position embeddings. */
  readonly positions: Int<"b l">;
  /** Whether a token of the pass may attend to a token of the text; s = the cached tokens, then those of the pass. */
  readonly mayAttend: Bool<"b l s">;
  /** Latents of the images, for gated layers; null in a text without images. */
  readonly media: Tensor<"b m r e"> | null;
  /** The images that the pass's tokens may attend to. */
  readonly visibility: Visibility | null;
  /** The attention of a token that may attend to no token, such as padding in front of a text, which nothing reads. Default "zero". */
  readonly emptyRow?: SoftmaxEmptyRow | undefined;
}

/** A layer's results: the hidden states, and its cache with the pass's tokens added. */
export interface Decoded {
  readonly x: Tensor<"b l d">;
  readonly now: KeyValues;
}

/** A layer of a decoder. `past` holds the keys and values of the tokens before those of x, or is null at the beginning of a text. */
export interface DecoderLayer {
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded;
}

/** A decoder: token ids to hidden states, layers, and hidden states to logits of n tokens. `readTokens` runs the layers. */
export interface LanguageModel {
  /** The width d of the hidden states. */
  readonly width: number;
  layers: readonly DecoderLayer[];
  embed(ids: Int<"b l">, at: Decoding): Tensor<"b l d">;
  logits(x: Tensor<"b l d">): Tensor<"b l n">;
}

/** The check of an option that takes a language model. */
export const languageModelCheck: Check = /* @__PURE__ */ passing(
  "a language model with layers, embed and logits",
  (value) => {
    const { layers, embed, logits } = Object(value);
    return Array.isArray(layers) && [embed, logits].every((method) => typeof method === "function");
  },
);

/** How tokens are numbered: by their place in the row, padding included, or by the number of real tokens before them. */
export type PositionCount = "slots" | "tokens";

/**
 * The causal mask and the positions of the last `l` tokens of a text. `mask` has the axes b s and is false for padding, to which no
 * token attends. Throws a RuleError if the text is shorter than the pass.
 */
export function decodingOf(
  mask: Bool<"b s">,
  l: number,
  count: PositionCount = "tokens",
): Pick<Decoding, "positions" | "mayAttend"> {
  const { b, s } = shapes("decodingOf", { mask: [mask, "b s"] });
  const past = s - l;
  if (past < 0)
    throw new RuleError(`a pass of ${l} tokens is longer than its text, which has ${s}`, "decode.mask");
  const real = mask.flat();
  const rows = real.includes(0) ? b : 1; // without padding all rows are alike and share one mask
  const mayAttend = new Uint8Array(rows * l * s);
  const positions = new Int32Array(rows * l);
  for (let row = 0; row < rows; row++) {
    let tokens = 0;
    for (let at = 0; at < s; at++) {
      const isReal = real[row * s + at] === 1;
      if (at >= past) positions[row * l + at - past] = count === "slots" ? at : tokens; // [decode.positions]
      if (!isReal) continue;
      tokens++;
      for (let q = Math.max(0, at - past); q < l; q++) mayAttend[(row * l + q) * s + at] = 1; // [decode.causal] [decode.padding]
    }
  }
  const apart = rows === 1 ? 0 : 1;
  return {
    positions: new Int([b, l], positions, [apart * l, 1]),
    mayAttend: new Bool([b, l, s], mayAttend, [apart * l * s, s, 1]),
  };
}

/** The mask of a step over a batch of `b` texts of `s` tokens without padding: true everywhere. Throws a ShapeError for numbers that are none. */
export function noPadding(b: number, s: number): Bool<"b s"> {
  checkShape([b, s]);
  return new Bool([b, s], new Uint8Array(b * s).fill(1));
}

/** The causal mask and the positions of whole texts without padding, `b` texts of `l` tokens: those of `decodingOf` for one pass. */
export const wholeTexts = (b: number, l: number): Pick<Decoding, "positions" | "mayAttend"> => ({
  positions: new Int(
    [b, l],
    Int32Array.from({ length: l }, (_, i) => i),
    [0, 1],
  ), // [decode.positions]
  mayAttend: causal(b, l), // [decode.causal]
});

/** Hidden states before a layer. */
export interface StatesBefore {
  readonly layer: number;
  readonly x: Tensor<"b l d">;
}

/**
 * Hidden states of the pass's tokens after the last layer, and each layer's cache with these tokens added. [decode.cached] With `from` the layers
 * before that one do not run.
 */
export function readTokens(
  model: LanguageModel,
  ids: Int<"b l">,
  at: Decoding,
  past: readonly KeyValues[] | null,
  from: StatesBefore | null = null,
): { readonly x: Tensor<"b l d">; readonly layers: readonly KeyValues[] } {
  let x = from ? from.x : model.embed(ids, at);
  const layers: KeyValues[] = [];
  for (const [i, layer] of model.layers.entries()) {
    if (from && i < from.layer) continue;
    const decoded = layer.forward(x, at, past?.[i] ?? null); // [decode.layers]
    x = decoded.x;
    layers.push(decoded.now);
  }
  return { x, layers };
}
