// Options with Python's snake_case names, as files have them, and in camelCase, as classes take them.
import type { Read } from "./fields.ts";

type Camel<S> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
/** Options with the source's snake_case names in camelCase. */
export type CamelCased<O> = { readonly [K in keyof O as Camel<K> & string]: O[K] };

export const camel = (name: string): string =>
  name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Options with their names in camelCase. */
export const camelKeys = <O extends object>(options: O): CamelCased<O> =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [camel(name), value])) as CamelCased<O>;

type Snake<S> = S extends `${infer Head}${infer Tail}`
  ? `${Head extends Lowercase<Head> ? Head : `_${Lowercase<Head>}`}${Snake<Tail>}`
  : S;
/** Options in camelCase with snake_case names. */
export type SnakeCased<O> = { readonly [K in keyof O as Snake<K> & string]: O[K] };

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Options with their names in snake_case. */
export const snakeKeys = <O extends object>(options: O): SnakeCased<O> =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [snake(name), value])) as SnakeCased<O>;

/** One reader for each option. */
export type Readers<O> = { readonly [K in keyof O]-?: Read<O[K]> };
