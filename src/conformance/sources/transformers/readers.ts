// Readers that the configurations of transformers' language models share.
import { type FieldLocation, integer, number, oneOf, optional, orNull } from "../../../io/fields.ts";
import type { JsonObject } from "../../../io/json.ts";
import { type CamelCased, camel, type Readers } from "../../../io/snake-case.ts";
import type { LanguageModel } from "../../../models/language-model.ts";
import { layers, readOptions } from "../interface/source.ts";

export const numberOrDefault = optional(number, undefined);
export const id = optional(orNull(integer), null);
/** The number of layers, under any name. */
export const layersOrDefault = optional(layers, undefined);
/** The precision of rotary angles, which cases choose beside the options of the package. */
export const rotaryPrecision = optional(oneOf("float32", "float64"), undefined);

/** `max_position_embeddings` of configurations that name none. */
const DEFAULT_POSITIONS = 2048;

/** A language model, and the tokens that end its text and fill it up by default. */
export interface BuiltModel {
  readonly model: LanguageModel;
  readonly eosTokenId: number | null;
  /** The token that fills rows up where a call names none. */
  readonly padTokenId: number | null;
  /** The number of positions, where the configuration limits them. */
  readonly positions: number | null;
  readonly useCache: boolean;
}

/** A class of language models: the names of its options, and its constructor. */
export interface ModelClass {
  readonly options: readonly string[];
  build(config: JsonObject, at: FieldLocation): BuiltModel;
}

/**
 * The class of a model whose configuration has `options`, which its constructor takes, and `others`: those that decide nothing about the
 * numbers of a forward pass, or that have one supported value. `padding` is the padding token of a configuration that names none,
 * `positions` the option that is `max_position_embeddings` of the package's configuration, and `caches` its default of `use_cache`.
 */
export function modelClass<O extends object, R extends { readonly eos_token_id: number | null }>(
  options: Readers<O>,
  others: Readers<R>,
  make: (options: CamelCased<O>) => LanguageModel,
  {
    padding = null,
    positions = "max_position_embeddings",
    caches = true,
  }: { readonly padding?: number | null; readonly positions?: string | null; readonly caches?: boolean } = {},
): ModelClass {
  const readers = { ...options, ...others } as Readers<O & R>;
  const taken = new Set(Object.keys(options).map(camel));
  return {
    options: Object.keys(readers),
    build(config, at) {
      const read = Object.entries(readOptions(readers, config, at));
      const own = Object.fromEntries(read.filter(([name]) => taken.has(name))) as CamelCased<O>;
      const {
        eosTokenId,
        padTokenId = padding,
        useCache = caches,
      } = Object.fromEntries(read) as {
        eosTokenId: number | null;
        padTokenId?: number | null;
        useCache?: boolean;
      };
      const limit = positions === null ? null : optional(integer, DEFAULT_POSITIONS)(config[positions], at);
      return { model: make(own), eosTokenId, padTokenId, positions: limit, useCache };
    },
  };
}
