// Modules with random weights, their values as nested lists for the loops, and the comparison of the two.
import fc from "fast-check";
import { expect } from "vitest";
import { type Convention, conventions } from "../../../src/masks/conventions/conventions.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { type Bool, flat, type Int, type Shape, sizeOf, Tensor, view } from "../../../src/tensor/tensor.ts";
import { numbers } from "../properties/arbitraries.ts";
import type { Nested, Weights } from "./layers.ts";

/** Values for a parameter for which every part of a module affects the result: open gates, unequal scales, different scores. */
function drawn(key: string, shape: Shape, seed: number): number[] {
  const next = numbers(seed);
  const from: (x: number) => number = key.endsWith("gate")
    ? (x) => x + Math.sign(x) * 0.3
    : /(weight|gamma)$/.test(key) && shape.length === 1
      ? (x) => 1 + x / 2
      : key.endsWith("weight")
        ? (x) => 3 * x * (shape.at(-1) ?? 1) ** -0.5
        : (x) => x;
  return Array.from({ length: sizeOf(shape) }, () => from(next()));
}

/** Buffers with the values of a formula: rotary frequencies, and the scales of xPos, which are positive. */
const isComputed = (key: string): boolean => /(^|\.)(inv_freq|xpos\.scale)$/.test(key);

/** The model with random values in all parameters and buffers but those of a formula. */
export function weighted<M extends object>(model: M, seed: number): M {
  const tied = ties(model);
  for (const [i, [key, t]] of [...stateDict(model)].entries()) {
    if (isComputed(key) || tied.has(key)) continue;
    t.assign(view(Float64Array.from(drawn(key, t.shape, 1000 * seed + i)), t.shape));
  }
  return model;
}

/** A tensor, mask or ids as nested lists. */
export function nested(x: Tensor | Bool | Int): Nested {
  const numbers = Array.from<number>(x instanceof Tensor ? flat(x.data) : x.flat());
  const level = ([n, ...rest]: Shape, from: number): Nested =>
    n === undefined
      ? (numbers[from] ?? Number.NaN)
      : Array.from({ length: n }, (_, i) => level(rest, from + i * sizeOf(rest)));
  return level(x.shape, 0);
}
export const list = <T>(x: Tensor | Bool | Int): readonly T[] => nested(x) as readonly T[];

export const weightsOf = (model: object): Weights =>
  Object.fromEntries([...stateDict(model)].map(([key, t]) => [key, nested(t)]));

const shapeOf = (x: Nested): number[] => (typeof x === "number" ? [] : [x.length, ...shapeOf(x[0] ?? 0)]);
const flatten = (x: Nested): number[] => (typeof x === "number" ? [x] : x.flatMap(flatten));

/** Agreement with a loop, relative to the largest number of the result, or to 0.1 if that is larger, since terms are about 1. */
export function expectNear(actual: Tensor, expected: Nested, tolerance = 1e-12): void {
  const [x, y] = [Array.from(flat(actual.data)), flatten(expected)];
  if (y.length > 0) expect(actual.shape).toEqual(shapeOf(expected));
  expect(x.length).toBe(y.length);
  const largest = Math.max(0.1, ...y.filter(Number.isFinite).map(Math.abs));
  const off = x.findIndex(
    (v, i) => !(Object.is(v, y[i]) || Math.abs(v - (y[i] ?? Number.NaN)) <= tolerance * largest),
  );
  if (off >= 0) throw new Error(`element ${off} is ${x[off]}, the loop says ${y[off]}`);
}

/** A property of random configurations. */
export function forAll<T extends object>(
  cases: { readonly [K in keyof T]: fc.Arbitrary<T[K]> },
  law: (config: T) => void,
  numRuns = 20,
): void {
  fc.assert(fc.property(fc.record<T>(cases), law), { numRuns });
}

export const seeds = fc.integer({ min: 1, max: 9999 });
export const from = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** All taps of a run, by their full names. */
export const tapsOf = (model: object, f: () => Tensor): Readonly<Record<string, Tensor>> =>
  evaluate(record(f, { model })).taps;

/** The conventions of flamingo-pytorch and of the paper; for other codebases see chapter 20-masks. */
export const ownConventions: readonly Convention[] = [
  conventions.immediate,
  conventions["all-previous"],
  conventions["flamingo-pytorch@0.1.2 immediate"],
  conventions["flamingo-pytorch@0.1.2 all-previous"],
];
