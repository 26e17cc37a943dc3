// Laws of any computation. A law throws if it does not hold, so that tests and properties can use it.

import { expect } from "vitest";
import { reference } from "../../../src/kernels/reference/index.ts";
import { replay } from "../../../src/kernels/replay.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { add, mul, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate, type Results } from "../../../src/tensor/program/evaluate.ts";
import type { Program } from "../../../src/tensor/program/program.ts";
import { extend, type RecordOptions, record } from "../../../src/tensor/program/record.ts";
import { type Any, Tensor, view } from "../../../src/tensor/tensor.ts";
import { indices, listing, randomTensor, reader } from "./arbitraries.ts";

type Named = Readonly<Record<string, Tensor>>;

/** The values in row-major order, read one by one. */
export const valuesOf = (t: Tensor): number[] => {
  const at = reader(t.data);
  return listing(t.shape, (i) => at(...i));
};

/** Same shape, and the same numbers bit for bit (NaN is NaN, and −0 is not 0). */
export function expectSame(actual: Tensor, expected: Tensor): void {
  expect(actual.shape).toEqual(expected.shape);
  const [x, y] = [valuesOf(actual), valuesOf(expected)];
  const at = x.findIndex((value, i) => !Object.is(value, y[i]));
  if (at >= 0) throw new Error(`element ${at} is ${x[at]}, expected exactly ${y[at]}`);
}

/** Numbers that agree within `tolerance`, relative to 1 or to the expected number where that is larger. NaN is NaN. */
export function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const at = actual.findIndex((x, i) => {
    const y = expected[i] ?? Number.NaN;
    return !(Object.is(x, y) || Math.abs(x - y) <= tolerance * Math.max(1, Math.abs(y)));
  });
  if (at >= 0) throw new Error(`element ${at} is ${actual[at]}, expected ${expected[at]}`);
}

function expectSameResults(actual: Results, expected: Results): void {
  for (const kind of ["outputs", "taps"] as const) {
    expect(Object.keys(actual[kind])).toEqual(Object.keys(expected[kind]));
    for (const [name, t] of Object.entries(expected[kind])) expectSame(actual[kind][name] as Tensor, t);
  }
}

/** Eager calls, recording, symbolic recording and replay give the same results, bit for bit. */
export async function replayEqualsEager(f: () => Tensor | Named, options: RecordOptions = {}): Promise<void> {
  const out = f();
  const outputs = out instanceof Tensor ? { out } : out;
  const concrete = record(f, { ...options, symbolic: false });
  const symbolic = record(f, { ...options, symbolic: true });
  expect(symbolic.nodes).toEqual(concrete.nodes);
  const evaluated = evaluate(symbolic);
  expectSameResults({ outputs: evaluated.outputs, taps: {} }, { outputs, taps: {} });
  expectSameResults(evaluate(concrete), evaluated);
  expectSameResults(await replay(symbolic, reference(), { taps: Object.keys(symbolic.taps) }), evaluated);
}

/** df/dh at h = 0, by finite differences of fourth order. */
export function slope(f: (h: number) => number, h = 1e-3): number {
  return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
}

function bumped(t: Tensor, at: number, h: number): Tensor<Any> {
  const values = Float64Array.from(valuesOf(t));
  values[at] = (values[at] ?? 0) + h;
  return new Tensor(t.shape, view(values, t.shape));
}

export const scalar = (program: Program, output: string, bind: Named = {}): number =>
  evaluate(program, bind).outputs[output]?.flat()[0] ?? Number.NaN;

/** The derivatives of a program's output with respect to its inputs equal finite differences. */
function expectDerivatives(program: Program, output: string, inputs: Named, tolerance: number): Program {
  const derived = gradients(program, output, Object.keys(inputs));
  const results = evaluate(derived).outputs;
  for (const [name, t] of Object.entries(inputs)) {
    const actual = valuesOf(results[gradientOf(name)] as Tensor);
    const expected = [...indices(t.shape)].map((_, at) =>
      slope((h) => scalar(program, output, { [name]: bumped(t, at, h) })),
    );
    expectClose(actual, expected, tolerance);
  }
  return derived;
}

/** Σ y ⊙ weights: a scalar that depends on every element. */
const weighed = (y: Tensor, seed: number): Tensor<Any> => sumAll(mul(y, randomTensor(y.shape, seed)));

/**
 * d/dx Σ f(x) ⊙ w, and then d/dx Σ (that gradient) ⊙ u, equal finite differences. `inputs` names the tensors to
 * differentiate with respect to, which may be parameters.
 */
export function vjpEqualsFiniteDifferences(f: () => Tensor, inputs: Named, tolerance = 1e-9): void {
  const leaves = Object.keys(inputs);
  const program = record(() => ({ loss: weighed(f(), 11) }), { inputs });
  const first = expectDerivatives(program, "loss", inputs, tolerance);
  const slopes = extend(first, (at) => ({
    second: leaves
      .map((leaf, i) => weighed(at(first.outputs[gradientOf(leaf)] ?? -1), 12 + i))
      .reduce((a, b) => add(a, b)),
  }));
  expectDerivatives(slopes, "second", inputs, tolerance);
}
