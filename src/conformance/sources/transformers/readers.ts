// Readers that the configurations of transformers' language models share.
import {
  boolean,
  type FieldLocation,
  integer,
  number,
  object,
  oneOf,
  optional,
  orNull,
  type Read,
  refuse,
} from "../../../io/fields.ts";
import type { Json, JsonObject } from "../../../io/json.ts";
import type { LanguageModel } from "../../../models/language-model.ts";
import { ACTIVATIONS, type ActivationName } from "../../../nn/activations.ts";
import type { RopeScaling } from "../../../nn/positions/scaling.ts";
import { type CamelCased, camel, type Readers, readOptions, size } from "../interface/source.ts";

export const sizeOrDefault = optional(size, undefined);
export const numberOrDefault = optional(number, undefined);
export const flag = optional(boolean, undefined);
export const id = optional(orNull(integer), null);

/** The name of an activation in transformers. */
export const activationName = optional(oneOf(...(Object.keys(ACTIVATIONS) as ActivationName[])), undefined);

/** The package's rope_scaling, whose type older configurations call `type`. */
const scalingType = optional(oneOf("default", "linear", "llama3"), undefined);
const scalingOptions = {
  type: scalingType,
  rope_type: scalingType,
  factor: numberOrDefault,
  low_freq_factor: numberOrDefault,
  high_freq_factor: numberOrDefault,
  original_max_position_embeddings: numberOrDefault,
};
const scaling: Read<RopeScaling> = (value, at) => {
  const { type, ropeType = type, ...members } = readOptions(scalingOptions, object(value, at), at);
  return { ropeType, ...members } as RopeScaling; // the model checks it
};
export const ropeScaling = optional(orNull(scaling), undefined);

/** An option of the package with the only value that is supported. */
export const only =
  <T extends Json>(value: T): Read<T> =>
  (given, at) => {
    if (given === undefined || given === value) return value;
    throw refuse(at, `has to be ${JSON.stringify(value)}; other values are not supported`);
  };

/** A language model, and the token that ends its text by default. */
export interface BuiltModel {
  readonly model: LanguageModel;
  readonly eosTokenId: number | null;
}

/** A class of language models: the names of its options, and its constructor. */
export interface ModelClass {
  readonly options: readonly string[];
  build(config: JsonObject, at: FieldLocation): BuiltModel;
}

/**
 * The class of a model whose configuration has `options`, which its constructor takes, and `others`: those that decide nothing about the
 * numbers of a forward pass, or that have one supported value.
 */
export function modelClass<O extends object, R extends { readonly eos_token_id: number | null }>(
  options: Readers<O>,
  others: Readers<R>,
  make: (options: CamelCased<O>) => LanguageModel,
): ModelClass {
  const readers = { ...options, ...others } as Readers<O & R>;
  const taken = new Set(Object.keys(options).map(camel));
  return {
    options: Object.keys(readers),
    build(config, at) {
      const read = Object.entries(readOptions(readers, config, at));
      const own = Object.fromEntries(read.filter(([name]) => taken.has(name))) as CamelCased<O>;
      const { eosTokenId } = Object.fromEntries(read) as { eosTokenId: number | null };
      return { model: make(own), eosTokenId };
    },
  };
}
