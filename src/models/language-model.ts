// A decoder with a cache of keys and values, as generation and gated layers use it. FlamingoPaLM and LLaMA implement it; a gated layer
// is a decoder layer around a decoder layer.
import type { Visibility } from "../masks/media-mask.ts";
import { type Check, checkValue, oneOf, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { concat, rearrange, slice } from "../tensor/ops/arrange.ts";
import type { SoftmaxEmptyRow } from "../tensor/ops/table.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { Bool, Int, type Tensor } from "../tensor/tensor.ts";

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
export const languageModelCheck: Check = passing(
  "a language model with layers, embed and logits",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    ["layers", "embed", "logits"].every((name) => name in value),
);

/** The places of rows that have changed places between passes, as the beams of a prompt do. */
export interface MovedRows {
  /** The tokens in the places at which they were read. */
  readonly fed: Int<"b s">;
  /** For each pass the row of the last one that each row continues; null: the same one. The next pass may be among them. */
  readonly parents: readonly (readonly number[] | null)[];
}

/** A text that was read in passes: what a cached step sees of the images depends on both (masks/conventions, `cachedStep`). */
export interface ReadText {
  readonly text: Int<"b s">;
  /** The number of tokens of each pass. */
  readonly passes: readonly number[];
  /** Absent where all rows have kept their places. */
  readonly moved?: MovedRows;
}

/** What a decoder keeps of the text that it has read. */
export interface Cache extends ReadText {
  readonly layers: readonly KeyValues[];
}

/** Tokens followed by further tokens of the same rows. */
function followed(before: Int<"b s">, ids: Int<"b l">): Int<"b s"> {
  const [b = 0, l = 0] = ids.shape;
  const past = before.shape[1] ?? 0;
  const all = new Int32Array(b * (past + l));
  const [old, added] = [before.flat(), ids.flat()];
  for (let row = 0; row < b; row++) {
    all.set(old.subarray(row * past, (row + 1) * past), row * (past + l));
    all.set(added.subarray(row * l, (row + 1) * l), row * (past + l) + past);
  }
  return new Int([b, past + l], all);
}

/** The text with the tokens of a further pass. */
export function readOn(before: ReadText | null, ids: Int<"b l">): ReadText {
  const [b = 0, l = 0] = ids.shape;
  if (!before) return { text: new Int([b, l], ids.flat()), passes: [l] };
  const { text, passes, moved } = before;
  const read = { text: followed(text, ids), passes: [...passes, l] };
  if (!moved) return read;
  const parents = moved.parents.length > passes.length ? moved.parents : [...moved.parents, null];
  return { ...read, moved: { fed: followed(moved.fed, ids), parents } };
}

/** The result of a decoding step: logits of the token that follows each row, and the cache for the next step. */
export interface DecodingStep {
  readonly logits: Tensor<"b n">;
  readonly cache: Cache;
}

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

/** A mask that is true everywhere, for a batch of `b` texts of `s` tokens without padding. */
export const noPadding = (b: number, s: number): Bool<"b s"> =>
  new Bool([b, s], new Uint8Array(b * s).fill(1));

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

/** Logits of the token after the pass: those of its last position. */
export function nextLogits(model: LanguageModel, x: Tensor<"b l d">): Tensor<"b n"> {
  const l = x.shape[1] ?? 0;
  return rearrange("b 1 n -> b n", named("b 1 n", model.logits(slice(x, 1, l - 1, l))));
}

/**
 * A model as generation takes it. Every method is recorded, then run on a backend; what `context` returns is computed once and passed to
 * every step.
 */
export interface Writer {
  /** The module that owns the parameters. */
  readonly model: object;
  /** Encoded images, and whatever else all steps read. */
  context(): Readonly<Record<string, Tensor>>;
  /** Reads the tokens `ids` after those of the cache. `mask` covers both and is false for padding. */
  step(
    ids: Int<"b l">,
    mask: Bool<"b s">,
    cache: Cache | null,
    context: Readonly<Record<string, Tensor>>,
  ): DecodingStep;
}

/** The check of an argument that takes a writer. */
export const writerCheck: Check = passing(
  "a writer, such as writerOf(languageModel) or flamingo.withMedia(images)",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    ["model", "context", "step"].every((name) => name in value),
);

/**
 * A language model without images as a writer: what `generate` takes. Throws a RuleError for anything but a language model; a
 * step throws one for a cache or a mask that is not that of the text.
 */
export function writerOf(model: LanguageModel, count: PositionCount = "tokens"): Writer {
  checkValue("writerOf", "model", model, languageModelCheck);
  checkValue("writerOf", "count", count, oneOf(["slots", "tokens"]));
  return {
    model,
    context: () => ({}),
    step(ids, mask, cache) {
      const at = { ...decodingOf(mask, ids.shape[1] ?? 0, count), media: null, visibility: null };
      return nextStep(model, ids, at, cache);
    },
  };
}

/** Throws a RuleError if a cache or a mask is not that of the text that a step reads on. */
export function checkStep(
  model: LanguageModel,
  ids: Int<"b l">,
  { mayAttend }: Pick<Decoding, "mayAttend">,
  cache: Cache | null,
): void {
  const { b, l } = shapes("a step", { ids: [ids, "b l"] });
  const [read = b, past = 0] = cache?.text.shape ?? [];
  if (read !== b)
    throw new RuleError(`the cache holds a batch of ${read}, and the pass is one of ${b}`, "decode.layers");
  const known = cache?.layers.length ?? model.layers.length;
  if (known !== model.layers.length)
    throw new RuleError(
      `the model's layers number ${model.layers.length}, and those of the cache ${known}: a model takes the cache that it returned`,
      "decode.layers",
    );
  const [rows = 0, , covered = 0] = mayAttend.shape;
  if (rows !== b || covered !== past + l)
    throw new RuleError(
      `the mask is [${rows} ${covered}], but the cached tokens and those of the pass are [${b} ${past + l}]`,
      "decode.mask",
    ); // [decode.mask]
}

/**
 * One step of a language model: the logits of the token after the pass, and the cache with the pass added. Throws a RuleError if the cache
 * is not one of this model and this batch, or the mask does not cover the cached tokens and those of the pass.
 */
export function nextStep(
  model: LanguageModel,
  ids: Int<"b l">,
  at: Decoding,
  cache: Cache | null,
): DecodingStep {
  checkStep(model, ids, at, cache);
  const { x, layers } = readTokens(model, ids, at, cache?.layers ?? null);
  return { logits: nextLogits(model, x), cache: { layers, ...readOn(cache, ids) } };
}
