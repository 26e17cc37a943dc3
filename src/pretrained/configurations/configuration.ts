// The configuration of one class of language models: the members of config.json that its constructor takes, with the names of
// transformers, and those that have to have one value here. Golden cases name their options by the same tables.
import {
  boolean,
  type FieldLocation,
  integer,
  number,
  oneOf,
  optional,
  orNull,
  type Read,
  refuse,
} from "../../io/fields.ts";
import type { Json, JsonObject } from "../../io/json.ts";
import { type CamelCased, camel, type Readers } from "../../io/snake-case.ts";
import { quoted } from "../../io/wording.ts";
import type { LanguageModel } from "../../models/language-model.ts";
import { ACTIVATIONS, type ActivationName } from "../../nn/activations.ts";
import type { LoadError } from "../../tensor/errors.ts";

export const numberOrDefault = optional(number, undefined);
export const flag = optional(boolean, undefined);
/** A number, or null where the class takes None. */
export const numberOrNull = optional(orNull(number), undefined);

/** The error for a value of a configuration that is not supported; in a golden case it cites the rule of cases. */
export const unsupported = (at: FieldLocation, problem: string): LoadError =>
  refuse(at, problem, at.rule && "config.unsupported"); // [config.unsupported]

/** A member that changes the results: a value that its reader refuses is reported as not supported. */
export const deciding =
  <T>(read: Read<T>): Read<T> =>
  (value, at) =>
    read(value, { ...at, rule: at.rule && "config.unsupported" });

/** An option of the package with the values that are supported, of which the first is that of an absent member. */
export const only =
  <T extends Json>(value: T, ...others: readonly T[]): Read<T> =>
  (given, at) => {
    const supported = [value, ...others];
    const found = given === undefined ? value : supported.find((one) => one === given);
    if (found !== undefined) return found;
    const wanted = supported.map((one) => JSON.stringify(one)).join(" or ");
    throw unsupported(at, `has to be ${wanted}; other values are not supported`);
  };

/** The name of an activation in transformers. */
export const activationName = optional(
  deciding(oneOf(...(Object.keys(ACTIVATIONS) as ActivationName[]))),
  undefined,
);

/** The id of a token, or null for none. */
export const idOrNull = optional(orNull(integer), undefined);

/** The configuration and the weights of a class in transformers. */
export interface Configuration<O extends object = object> {
  /** The class in transformers. */
  readonly name: string;
  /** `model_type` of its configurations. */
  readonly modelType: string;
  /** Readers of the options that the constructor takes. */
  readonly options: Readers<O>;
  /** Readers of members that would change the numbers of a forward pass, and that have one supported value. */
  readonly fixed: Readers<object>;
  /** Other names of options, in transformers' `attribute_map`. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** The configuration in the names of transformers 4.57.6, where a later release has others. */
  readonly renamed?: (config: JsonObject, at: FieldLocation) => JsonObject;
  /** The option with the number of tokens of the longest text, and its default. */
  readonly longest: { readonly option: string; readonly byDefault: number };
  /** Names of buffers that old checkpoints hold, and that no forward pass reads. */
  readonly buffers: readonly string[];
  /** The prefix that the weights lack where the class without its head was saved, and patterns of all names without it. */
  readonly base: { readonly prefix: string; readonly names: readonly string[] };
  /** Names that other releases give to the weights. */
  readonly otherNames?: Readonly<Record<string, string>>;
  build(options: CamelCased<O>): LanguageModel;
}

/** A configuration with the options that its readers give. */
export const configuration = <O extends object>(definition: Configuration<O>): Configuration<O> => definition;

export const inside = (at: FieldLocation, name: string): FieldLocation => ({
  ...at,
  field: at.field === "" ? name : `${at.field}.${name}`,
});

/** The members with their first names. An alias that differs from its first name is refused. */
function withoutAliases(
  config: JsonObject,
  aliases: Readonly<Record<string, string>>,
  at: FieldLocation,
): JsonObject {
  const members: Record<string, Json> = Object.assign(Object.create(null), config);
  for (const [alias, name] of Object.entries(aliases)) {
    const given = config[alias];
    if (given === undefined) continue;
    if (config[name] !== undefined && config[name] !== given)
      throw refuse(
        inside(at, alias),
        `differs from ${quoted(name)}, of which it is another name`,
        "config.aliases",
      ); // [config.aliases]
    members[name] = given;
  }
  return members;
}

/** The members that have a reader, in camelCase; what is absent is left out, so that the class's default applies. */
export function readMembers<O extends object>(
  readers: Readers<O>,
  members: JsonObject,
  at: FieldLocation,
): CamelCased<O> {
  const entries = Object.entries(readers).flatMap(([name, read]) => {
    const value = (read as Read<unknown>)(members[name], inside(at, name)); // [config.fields]
    return value === undefined ? [] : [[camel(name), value] as const]; // [config.defaults]
  });
  return Object.fromEntries(entries) as CamelCased<O>;
}

/** The options in a configuration, for the constructor. Members without a reader change nothing about a forward pass. */
export function optionsIn<O extends object>(
  { options, fixed, aliases = {}, renamed = (config) => config }: Configuration<O>,
  config: JsonObject,
  at: FieldLocation,
): CamelCased<O> {
  const members = renamed(withoutAliases(config, aliases, at), at);
  readMembers(fixed, members, at);
  return readMembers(options, members, at);
}
