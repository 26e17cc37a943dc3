// `generate` of transformers 4.57.6 without sampling: its arguments, and its outputs.
import { beamSearch } from "../../../generation/beam-search.ts";
import { generate } from "../../../generation/generate.ts";
import type { GenerateOptions } from "../../../generation/options.ts";
import { filled, type PaddedText, unpadded } from "../../../generation/padded/text.ts";
import {
  boolean,
  type FieldLocation,
  integer,
  length,
  list,
  number,
  object,
  optional,
  orNull,
  type Read,
  refuse,
} from "../../../io/fields.ts";
import type { Json } from "../../../io/json.ts";
import type { CamelCased } from "../../../io/snake-case.ts";
import type { Backend } from "../../../kernels/backend.ts";
import { noPadding, rowsOf } from "../../../models/language-model.ts";
import { withStep } from "../../../models/media-writer.ts";
import { readOn, type Writer, type WriterWithStep } from "../../../models/writer.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { named } from "../../../tensor/pattern.ts";
import { Bool, type Int, Tensor, view } from "../../../tensor/tensor.ts";
import { type Outputs, readOptions } from "../interface/source.ts";

/** One token id, or several. */
export const idOrIds: Read<readonly number[]> = (value, at) =>
  Array.isArray(value) ? list(integer)(value, at) : [integer(value, at)];
const count = optional(orNull(length), null);
const early: Read<boolean | "never"> = (value, at) => (value === "never" ? value : boolean(value, at));

/** The package's arguments and their defaults. */
const readers = {
  max_new_tokens: count,
  max_length: count,
  min_length: optional(orNull(length), 0),
  min_new_tokens: count,
  // null, unlike an argument that is left out, leaves nothing of the model's configuration
  eos_token_id: optional(orNull(idOrIds), undefined),
  pad_token_id: optional(orNull(integer), undefined),
  use_cache: optional(boolean, undefined),
  do_sample: optional(boolean, false),
  num_beams: optional(length, 1),
  num_return_sequences: optional(length, 1),
  length_penalty: optional(number, 1),
  early_stopping: optional(early, false),
  repetition_penalty: optional(orNull(number), 1),
  no_repeat_ngram_size: optional(orNull(length), 0),
  bad_words_ids: optional(orNull(list(list(integer))), null),
  suppress_tokens: optional(orNull(list(integer)), null),
  temperature: optional(orNull(number), 1),
  top_k: optional(orNull(length), 50),
  top_p: optional(orNull(number), 1),
};
type Readers = typeof readers;
export type GenerateArguments = CamelCased<{ readonly [K in keyof Readers]: ReturnType<Readers[K]> }>;

/** The tokens that `generate` adds where no length is given, as far as the model has positions. */
const DEFAULT_LENGTH = 20;

/** The arguments of the package's GenerationConfig. */
export const generationConfig: Read<GenerateArguments> = (value, at) =>
  readOptions<{ readonly [K in keyof Readers]: ReturnType<Readers[K]> }>(readers, object(value, at), at);

/** The arguments of a call of `generate`, which does not sample: torch's random generator is not implemented here. */
export const generateArguments = (value: Json | undefined, at: FieldLocation): GenerateArguments => {
  const read = generationConfig(value, at);
  if (read.doSample) throw refuse(at, "has do_sample; sampled tokens depend on torch's generator");
  return read;
};

/** The arguments with the padding token of the model's configuration, where the call names none. */
export const paddedWith = (given: GenerateArguments, padTokenId: number | null): GenerateArguments => ({
  ...given,
  padTokenId: given.padTokenId === undefined ? padTokenId : given.padTokenId,
});

/** Options of the processors in common. */
export const processorOptions = (given: GenerateArguments) => ({
  repetitionPenalty: given.repetitionPenalty ?? 1,
  noRepeatNgram: given.noRepeatNgramSize ?? 0,
  badWords: given.badWordsIds ?? [],
  minLength: given.minLength ?? 0,
  minTokens: given.minNewTokens ?? 0,
  never: given.suppressTokens ?? [],
});

function optionsOf(
  given: GenerateArguments,
  eos: readonly number[],
  { promptLength, positions }: { readonly promptLength: number; readonly positions: number | null },
): GenerateOptions {
  const { maxNewTokens, minNewTokens, numBeams } = given;
  const maxLength = given.maxLength ?? Math.min(promptLength + DEFAULT_LENGTH, positions ?? Infinity);
  const beams = { beams: numBeams, lengthPenalty: given.lengthPenalty, earlyStopping: given.earlyStopping };
  const maxTokens = maxNewTokens ?? maxLength - promptLength;
  if (maxTokens < 1)
    throw new LoadError(`max_length is ${maxLength}, and the prompt has ${promptLength} tokens`);
  return {
    stop: eos,
    maxTokens,
    ...processorOptions(given),
    ...(minNewTokens === null ? {} : { minLength: 0 }), // it takes precedence
    returns: given.numReturnSequences,
    ...(numBeams > 1 ? beams : {}),
  };
}

/**
 * The tokens of each row without its padding. Generation pads rows itself, with no images; open-flamingo counts image tokens in padding, so
 * that a case with such is refused.
 */
function promptsOf(text: PaddedText, mediaTokenId: number | null): number[][] {
  const prompts = unpadded(text);
  for (const [row, ids] of rowsOf(text.ids).entries())
    if (
      mediaTokenId !== null &&
      ids.slice(0, ids.length - (prompts[row]?.length ?? 0)).includes(mediaTokenId)
    )
      throw new LoadError(`row ${row} has an image token in its padding, which generation does not take`);
  return prompts;
}

/** A writer that reads the whole text in every step, as `use_cache=False` does. */
const withoutCache = (writer: WriterWithStep): WriterWithStep => ({
  ...writer,
  step(ids, mask, cache, context) {
    const read = readOn(cache, ids);
    return {
      logits: writer.step(named("b l", read.text), mask, null, context).logits,
      cache: { layers: [], ...read },
    };
  },
});

/** The mask that the package infers where a call has none: padding tokens are masked, unless they end texts. */
export function inferredMask(
  ids: Int<"b l">,
  { padTokenId: pad, eosTokenId }: GenerateArguments,
  modelEnd: number | null,
): Bool<"b s"> {
  const [b = 0, l = 0] = ids.shape;
  const ends = eosTokenId === undefined ? [modelEnd] : (eosTokenId ?? []);
  if (pad === null || pad === undefined || ends.includes(pad)) return noPadding(b, l);
  return new Bool(
    [b, l],
    Uint8Array.from(ids.flat(), (id) => Number(id !== pad)),
  );
}

/** The context of a call of `generate` besides its arguments. */
export interface GenerateContext {
  readonly backend: Backend;
  /** The end tokens of the model, where the call names none. */
  readonly eosTokenId?: readonly number[] | number | null;
  /** `max_position_embeddings` of the model's configuration, where it has that member. */
  readonly positions: number | null;
  /** `use_cache` of the model's configuration, which `generate` takes over. */
  readonly useCache: boolean;
  readonly mediaTokenId?: number | null;
}

/**
 * `sequences`: prompts and continuations, filled up to the longest with the padding token or the first end token; with beams also
 * `sequences_scores`. Processors see the padding of prompts, as in the package.
 */
export async function generatedSequences(
  model: Writer,
  text: PaddedText,
  given: GenerateArguments,
  { backend, eosTokenId = null, positions, useCache, mediaTokenId = null }: GenerateContext,
): Promise<Outputs> {
  const ends = given.eosTokenId === undefined ? eosTokenId : given.eosTokenId;
  const eos = ends === null ? [] : [ends].flat();
  const rows = rowsOf(text.ids);
  const promptLength = text.ids.shape[1] ?? 0;
  const options = { ...optionsOf(given, eos, { promptLength, positions }), seenPrompts: rows, backend };
  const prompts = promptsOf(text, mediaTokenId);
  const writer = (given.useCache ?? useCache) ? model : withoutCache(withStep(model));
  if (given.numBeams === 1) {
    const found = await generate(writer, prompts, options);
    const added = found.map((row, i) => row.slice(prompts[i]?.length));
    return { sequences: filled(rows, added, given.padTokenId ?? eos[0] ?? 0) };
  }
  const beams = await beamSearch(writer, prompts, options);
  const repeated = beams.flatMap((of, row) => of.map(() => rows[row] ?? []));
  const scores = Float64Array.from(beams.flat(), ({ score }) => score);
  const fill = eos.length === 0 ? -1 : given.padTokenId || (eos[0] ?? 0); // an id of 0 counts as none
  return {
    sequences: filled(
      repeated,
      beams.flat().map(({ tokens }) => tokens),
      fill,
    ),
    sequences_scores: new Tensor([scores.length], view(scores, [scores.length])),
  };
}
