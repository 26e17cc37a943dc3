// A source: one released package, its profiles and its classes, as golden cases name them.

import {
  between,
  type FieldLocation,
  list,
  number,
  oneOf,
  type Read,
  record,
  refuse,
} from "../../../io/fields.ts";
import type { Json, JsonObject } from "../../../io/json.ts";
import type { Stored } from "../../../io/safetensors/read.ts";
import { type CamelCased, camel, type Readers } from "../../../io/snake-case.ts";
import { quoted } from "../../../io/wording.ts";
import type { Backend } from "../../../kernels/backend.ts";
import { LoadError } from "../../../tensor/errors.ts";
import type { Shape, Tensor } from "../../../tensor/tensor.ts";
import { Arguments, type Inputs } from "./arguments.ts";

/** Outputs by name; a single tensor is `{ out }`. */
export type Outputs = Readonly<Record<string, Stored>>;

/**
 * The system under test of a case. `forward` is recorded as one program, which backends replay and which can be differentiated. `run` is
 * for results of several programs, or of none: decoding, preprocessing, optimisers. If there is a `run`, it is used.
 */
export interface SystemUnderTest {
  readonly model: object;
  readonly forward?: (inputs: Inputs) => Tensor | Outputs;
  readonly run?: (inputs: Inputs, backend: Backend) => Promise<Outputs>;
  /** The parameters that the source's call leaves trainable; absent: all. */
  readonly trainable?: (inputs: Inputs) => readonly string[];
}

/** Data for building a class, besides its configuration. */
export interface BuildContext<P extends object> {
  readonly profile: P;
  readonly flags: readonly string[];
  /** Names of the arguments that the case passes by position. */
  readonly positional: readonly string[];
  /** Shapes of the case's weights. */
  readonly weights: ReadonlyMap<string, Shape>;
}

export interface SourceClass<P extends object = object> {
  /** Argument names of the constructor and of the call; "g#" stands for g0, g1, … */
  readonly options: readonly string[];
  readonly call: readonly string[];
  /** Whether the package computes in float32, whatever precision it is given. */
  readonly float32?: boolean;
  /** Throws a LoadError where an option is unknown or of another type, and whatever the model's constructor throws. */
  build(config: JsonObject, at: FieldLocation, context: BuildContext<P>): SystemUnderTest;
}

export interface Source<P extends object = object> {
  readonly package: string;
  readonly profiles: Readonly<Record<string, P>>;
  readonly classes: Readonly<Record<string, SourceClass<P>>>;
}

/** A number that the class checks itself, so that it refuses what the release refuses, in the release's words. */
export const size = between(number, -(2 ** 31), 2 ** 31);

/** One side, or height and width. */
export const side: Read<number | readonly [number, number]> = (value, at) => {
  if (!Array.isArray(value)) return size(value, at);
  const [height, width, ...rest] = list(size)(value, at);
  if (height === undefined || width === undefined || rest.length > 0)
    throw refuse(at, "has to be a height and a width");
  return [height, width];
};

const MOST_LAYERS = 1024;
/** Layers are built one by one, so that their number is bounded here: no model that was ever released has more. */
export const layers: Read<number> = (value, at) => {
  const n = number(value, at);
  if (n > MOST_LAYERS) throw refuse(at, `is ${n}; it must be between 0 and ${MOST_LAYERS}`, "conform.budget"); // [conform.budget]
  return n;
};

interface ClassDefinition<O extends object, P extends object, M extends object> {
  /** One reader for each argument of the constructor, in the source's names. */
  readonly options: Readers<O>;
  readonly call: readonly string[];
  readonly build: (options: CamelCased<O>, context: BuildContext<P>) => M;
}

/** Reads the options of a constructor. An unknown option is an error that lists the known ones. */
export function readOptions<O extends object>(
  readers: Readers<O>,
  config: Json | undefined,
  at: FieldLocation,
): CamelCased<O> {
  const read = record<O>(readers)(config, at);
  for (const name of Object.keys(config ?? {}))
    requireKnown(Object.keys(readers), name, `${at.file}: ${quoted(at.field)} has no option`);
  const entries = Object.entries(read).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [camel(name), value])) as CamelCased<O>;
}

/** A class whose call is one recorded forward pass. */
export const moduleClass = <O extends object, P extends object, M extends object>({
  options,
  call,
  build,
  forward,
  trainable,
}: ClassDefinition<O, P, M> & {
  readonly forward: (model: M, args: Arguments) => Tensor | Outputs;
  readonly trainable?: (model: M, args: Arguments) => readonly string[];
}): SourceClass<P> => ({
  options: Object.keys(options),
  call,
  build(config, at, context) {
    const model = build(readOptions(options, config, at), context);
    const argumentsOf = (inputs: Inputs) => new Arguments(inputs, context.positional);
    return {
      model,
      forward: (inputs) => forward(model, argumentsOf(inputs)),
      ...(trainable ? { trainable: (inputs: Inputs) => trainable(model, argumentsOf(inputs)) } : {}),
    };
  },
});

/** A class whose results take several programs, or none; `build` makes the state that they share. */
export const procedureClass = <O extends object, P extends object, M extends object>({
  options,
  call,
  build,
  run,
}: ClassDefinition<O, P, M> & {
  readonly run: (model: M, args: Arguments, backend: Backend) => Promise<Outputs>;
}): SourceClass<P> => ({
  options: Object.keys(options),
  call,
  build(config, at, context) {
    const model = build(readOptions(options, config, at), context);
    return {
      model,
      run: (inputs, backend) => run(model, new Arguments(inputs, context.positional), backend),
    };
  },
});

/** A nested module: an object with the member "class", one of `names`. */
export const className = (config: JsonObject, names: readonly string[], at: FieldLocation): string =>
  oneOf(...names)(config.class, { ...at, field: `${at.field}.class` });

const matches = (pattern: string, name: string): boolean =>
  pattern.endsWith("#")
    ? name.startsWith(pattern.slice(0, -1)) && /^\d+$/.test(name.slice(pattern.length - 1))
    : pattern === name;

/** Throws an error that lists the known names, unless `name` is one of them. */
export function requireKnown(known: readonly string[], name: string, problem: string): void {
  if (known.some((pattern) => matches(pattern, name))) return; // [conform.options]
  const list = known.length === 0 ? "it has none" : `known are ${known.join(", ")}`;
  throw new LoadError(`${problem} ${quoted(name)}; ${list}  [conform.options]`);
}

/** An own property of a record; names of Object.prototype such as "constructor" are unknown unless they are own properties. */
export function ownEntry<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const entry = Object.hasOwn(table, name) ? table[name] : undefined;
  if (entry !== undefined) return entry;
  const known = Object.keys(table).join(", ");
  throw new LoadError(`${what} ${quoted(name)}; known are ${known}  [conform.registry]`);
}
