// Models as generation takes them: the cache of the text that a decoder has read, and steps that read on.
import { isConvention } from "../masks/conventions/check.ts";
import type { Convention } from "../masks/conventions/schema.ts";
import { type Check, checkValue, object, oneOf, optional, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { rearrange, slice } from "../tensor/ops/arrange.ts";
import type { SoftmaxEmptyRow } from "../tensor/ops/table.ts";
import { named, shapes } from "../tensor/pattern.ts";
import { type Bool, Int, type Tensor } from "../tensor/tensor.ts";
import {
  type Decoding,
  decodingOf,
  type KeyValues,
  type LanguageModel,
  languageModelCheck,
  type PositionCount,
  readTokens,
} from "./language-model.ts";

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

/** Logits of the token after the pass: those of its last position. */
export function nextLogits(model: LanguageModel, x: Tensor<"b l d">): Tensor<"b n"> {
  const l = x.shape[1] ?? 0;
  return rearrange("b 1 n -> b n", named("b 1 n", model.logits(slice(x, 1, l - 1, l))));
}

/**
 * A writer that has its own step. Every method is recorded, then run on a backend; what `context` returns is computed once and passed to
 * every step.
 */
export interface WriterWithStep {
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

/** How a model finds the images in its text, and which tokens see them. */
export interface MediaText {
  readonly mediaTokenId: number;
  readonly convention: Convention;
  readonly count?: PositionCount;
  /** See `Decoding`. */
  readonly emptyRow?: SoftmaxEmptyRow | undefined;
}

/** A language model whose layers read images, with its images fixed; `withStep` makes its steps. */
export interface WriterWithMedia {
  /** The module that owns the parameters. */
  readonly model: object;
  /** The language model, whose layers are given the latents. */
  readonly decoder: LanguageModel;
  readonly text: MediaText;
  /** Encodes the images; null for a text without any. Recorded, then run once on a backend. */
  latents(): Tensor<"b m r e"> | null;
}

/** A model as generation takes it, with its images. */
export type Writer = WriterWithStep | WriterWithMedia;

const method = passing("a function", (value) => typeof value === "function");
const model = object("the model that owns the parameters");

/** The members of a writer with a step of its own, and of one without. */
const WITH_STEP = { model, context: method, step: method };
const WITH_MEDIA = { model, decoder: languageModelCheck, text: object("an object"), latents: method };

const countCheck = oneOf(["slots", "tokens"]);
const TEXT = {
  mediaTokenId: passing("a token id", Number.isInteger),
  convention: passing("a mask convention, such as one of `conventions`", isConvention),
  count: optional(countCheck),
  emptyRow: optional(oneOf(["zero", "uniform", "nan"])),
};

const membersOf = (writer: object): Readonly<Record<string, Check>> =>
  "step" in writer ? WITH_STEP : WITH_MEDIA;

const writerCheck = passing(
  "a writer, such as writerOf(languageModel) or flamingo.withMedia(images)",
  (value) =>
    typeof value === "object" &&
    value !== null &&
    Object.keys(membersOf(value)).every((name) => name in value),
);

/** Checks the members of an object that may have more of them. */
function checkMembers(
  caller: string,
  name: string,
  value: object,
  checks: Readonly<Record<string, Check>>,
): void {
  for (const [member, check] of Object.entries(checks)) {
    const given: unknown = Reflect.get(value, member);
    if (given !== undefined || !check.optional) checkValue(caller, `${name}.${member}`, given, check);
  }
}

/** Throws a RuleError that names the argument, or its member, unless a call is given a writer. */
export function checkWriter(caller: string, writer: Writer): void {
  checkValue(caller, "writer", writer, writerCheck);
  checkMembers(caller, "writer", writer, membersOf(writer));
  if (!("step" in writer)) checkMembers(caller, "writer.text", writer.text, TEXT);
}

/**
 * A language model without images as a writer: what `generate` takes. Throws a RuleError for anything but a language model; a
 * step throws one for a cache or a mask that is not that of the text.
 */
export function writerOf(model: LanguageModel, count: PositionCount = "tokens"): WriterWithStep {
  checkValue("writerOf", "model", model, languageModelCheck);
  checkValue("writerOf", "count", count, countCheck);
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
