// The executable half of 00-notation.md: tensors, masks and ids, and their layout in memory.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect, test } from "vitest";
import { Bug, RuleError, ShapeError } from "../../src/tensor/errors.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { rules } from "../../src/tensor/ops/rules.ts";
import { named } from "../../src/tensor/pattern.ts";
import {
  type Any,
  abstractTensor,
  Bool,
  bool,
  contiguous,
  flat,
  Int,
  int,
  Tensor,
  tensor,
  view,
  viewOf,
} from "../../src/tensor/tensor.ts";
import { laidOut, layouts, listing, numbers, stridedReader } from "../support/properties/arbitraries.ts";
import { valuesOf } from "../support/properties/programs.ts";

test("[tensor.values] tensors are constructed from nested arrays, or from a shape and row-major values", () => {
  expect(tensor("a b", [[1, 2, 3], [4, 5, 6]]).shape).toEqual([2, 3]); // biome-ignore format: two rows
  expect(valuesOf(tensor("a b", [2, 2], [1, 2, 3, 4]))).toEqual([1, 2, 3, 4]);
  expect(tensor("", 5).shape).toEqual([]);
  expect([tensor("a", []).shape, tensor("a b", [[], []]).shape]).toEqual([[0], [2, 0]]);
  expect(() => tensor("a b", [[1, 2], [3]])).toThrow(/ragged {2}\[tensor\.values\]/);
  expect(() => tensor("a b", [[1], 2] as Any)).toThrow(/ragged/);
  expect(() => tensor("a b", [2, 2], [1, 2, 3])).toThrow(
    /\[2 2\] holds 4 values, got 3 {2}\[tensor\.values\]/,
  );
});

test("[tensor.values] values of another type are refused and named, in place of NaN", () => {
  const values: readonly (readonly [unknown, string])[] = [
    ["x\u001b", '"x\\u001b" is not a number'],
    [undefined, "undefined is not a number"],
    [null, "null is not a number"],
    [true, "true is not a number"],
    [1n, "1 is not a number"],
  ];
  for (const [value, words] of values) {
    expect(() => tensor("a", [2], [1, value as number])).toThrow(words);
    expect(() => tensor("a", [1, value as number])).toThrow(words);
  }
  expect(() => tensor("a", [2], Array(2))).toThrow("undefined is not a number"); // a list with holes
  expect(() => bool("a", ["true\n" as never])).toThrow('"true\\n" is neither true nor false');
  for (const value of [0, 1, null])
    expect(() => bool("a", [true, value as unknown as boolean])).toThrow(
      `${value} is neither true nor false`,
    );
  expect([...flat(tensor("a", [1, Number.NaN]).data)]).toEqual([1, Number.NaN]);
});

test("[tensor.values] a shape or values of another kind are refused in a sentence", () => {
  const loose = tensor as unknown as (...args: readonly unknown[]) => unknown;
  const wrong: readonly (readonly [readonly unknown[], string])[] = [
    [[null, [1]], "[null] is not a shape"],
    [[{ length: 1 }, [1]], "is not a shape"],
    [[[-1], []], "[-1] is not a shape"],
    [[[1.5], [1]], "[1.5] is not a shape"],
    [[[1], "1"], "values are a list of numbers or a typed array, not string"],
    [[[1], null], "values are a list of numbers or a typed array, not null"],
    [[[1], { length: 1 }], "values are a list of numbers or a typed array, not object"],
    [[[1], new DataView(new ArrayBuffer(8))], "values are a list of numbers or a typed array, not object"],
    [[new Float64Array(3)], "give a shape before it"],
    [[], "undefined is not a number"],
    [[[1], BigInt64Array.of(1n)], "1 is not a number"],
  ];
  for (const [args, words] of wrong) {
    expect(() => loose("a", ...args)).toThrow(words);
    expect(() => loose("a", ...args)).toThrow(/\[tensor\.values\]/);
  }
});

test("[tensor.axes] a tensor names as many axes as its shape has", () => {
  for (const axes of ["a", "a b c", "", "... a b c"]) {
    expect(() => tensor(axes, [1, 2], [1, 2])).toThrow(ShapeError);
    const calls = [
      () => tensor(axes, [[1, 2]]),
      () => int(axes, [[1, 2]]),
      () => bool(axes, [[true, false]]),
    ];
    for (const call of calls) expect(call).toThrow(/the shape \[1 2\] has 2 {2}\[tensor\.axes\]/);
  }
  for (const axes of ["a b", "... a", "...", "a ... b"]) expect(tensor(axes, [[1, 2]]).shape).toEqual([1, 2]);
  expect(tensor("", [], [1]).shape).toEqual([]);
});

test("[tensor.axes] no two axes of a tensor have the same name; any number of them are 1 or ...", () => {
  for (const axes of ["a a", "a ... a"])
    expect(() => tensor(axes, [[1, 2]])).toThrow(
      `"${axes}" names an axis twice; use two names  [tensor.axes]`,
    );
  for (const axes of ["1 1", "a 1", "1 ..."]) expect(tensor(axes, [[1]]).shape).toEqual([1, 1]);
  for (const axes of [undefined, null, 5, Symbol("a")])
    expect(() => tensor(axes as never, [1])).toThrow(
      /axes are a text such as "b l d", not .*\[tensor\.axes\]/,
    );
});

test("[tensor.values] a view of host data does not extend beyond its buffer", () => {
  expect(() => new Bool([2, 3], new Uint8Array(5))).toThrow(
    /\[2 3\] holds 6 values, got 5.*\[tensor\.values\]/,
  );
  expect(() => new Int([2], new Int32Array(2), [1], 1)).toThrow(ShapeError);
  expect(() => new Int([1], new Int32Array(0))).toThrow(ShapeError);
  expect(new Bool([5, 2, 3], new Uint8Array(3), [0, 0, 1]).flat().length).toBe(30);
  expect(new Int([0, 7], new Int32Array(0)).flat().length).toBe(0);
});

test("[tensor.values] data that is longer than its shape, and a shape that is none, are refused", () => {
  const six = new Float64Array(6);
  const by = (rows: number, columns: number, offset = 0) => ({
    data: six,
    shape: [2, 3],
    stride: [rows, columns],
    offset,
  });
  const wrong: readonly (readonly [() => unknown, RegExp])[] = [
    [() => new Bool([2], new Uint8Array(3)), /\[2\] holds 2 values, got 3/],
    [() => new Int([2, 2], new Int32Array(5)), /\[2 2\] holds 4 values, got 5/],
    [() => view(six, [5]), /\[5\] holds 5 values, got 6/],
    [() => view(six, [2], undefined, 1), /\[2\] holds 2 values, got 5/],
    [() => view(six, [2, 3], [3, 2]), /extends beyond the 6 values/],
    [() => view(six, [2], [-1]), /extends beyond the 6 values/],
    [() => view(six, [6], undefined, 1), /\[6\] holds 6 values, got 5/],
    [() => view(six, [2], [1, 1]), /extends beyond the 6 values/],
    [() => view(six, [2], [0.5]), /extends beyond the 6 values/],
    [() => new Tensor([5], view(six, [6])), /values of shape \[6\] do not fit a tensor of shape \[5\]/],
    [() => new Tensor([2, 3], view(six, [3, 2])), /values of shape \[3 2\]/],
    [() => new Tensor([5], () => view(six, [6])).data, /values of shape \[6\]/],
    [() => new Tensor([6]).assign(view(six, [2, 3])), /values of shape \[2 3\]/],
    [() => new Tensor([2, 3], by(3, 2)), /extends beyond the 6 values/],
    [() => new Tensor([2, 3]).assign(by(-3, 1)), /extends beyond the 6 values/],
    [() => new Tensor([2, 3], () => by(3, 1, 1)).data, /extends beyond the 6 values/],
    ...[[1, 2], Float64Array.of(1, 2), () => [1, 2], new Tensor([2], view(Float64Array.of(1, 2), [2]))].map(
      (values): [() => unknown, RegExp] => [
        () => new Tensor([2], values as never).data,
        /^the values are in no typed array; tensor\(\), int\(\) and bool\(\) take numbers/,
      ],
    ),
    [() => new Tensor([-1]), /\[-1\] is not a shape/],
    [() => new Tensor([0.5]), /\[0\.5\] is not a shape/],
    [() => new Tensor("3" as never), /^\[3\] is not a shape: give whole numbers from 0 up/],
    [() => new Tensor(undefined as never), /^\[undefined\] is not a shape/],
    [() => new Int([2], [1, 2] as never), /in no typed array/],
    [() => named(3 as never, new Tensor([1])), /a pattern is a text such as .*, not number/],
  ];
  for (const [make, message] of wrong) {
    expect(make).toThrow(ShapeError);
    expect(make).toThrow(message);
  }
  expect(ndArray(view(six, [2, 2], [3, 1], 1)).get(1, 1)).toBe(0); // strides into a larger buffer
  expect(ndArray(view(six, [2, 3], [-3, 1], 3)).get(1, 2)).toBe(0);
});

test("[tensor.int] ids are 32-bit integers", () => {
  expect([...int("i", [-1, 0, 2 ** 31 - 1]).data]).toEqual([-1, 0, 2 ** 31 - 1]);
  for (const id of [1.5, 2 ** 31, Number.NaN, undefined as unknown as number, 1n as unknown as number]) {
    expect(() => int("i", [0, id, 1.5])).toThrow(RuleError);
    expect(() => int("i", [0, id, 1.5])).toThrow(`${id} is not a 32-bit integer  [tensor.int]`);
  }
});

test("[tensor.values] the ops on layout make views of values in another memory, whose buffer on the host is empty", () => {
  const made = viewOf(new Float32Array(0), [2, 3]);
  expect(made.stride).toEqual([3, 1]);
  const turned = rules.rearrange.compute({ pattern: "a b -> b a", sizes: { a: 2, b: 3 } }, made);
  expect(turned).toMatchObject({ data: made.data, shape: [3, 2], stride: [1, 3] });
  const part = rules.slice.compute({ axis: 1, from: 1, to: 2 }, turned);
  expect(part).toMatchObject({ data: made.data, shape: [3, 1], stride: [1, 3], offset: 3 });
  const wide = rules.expand.compute({ shape: [4, 3, 2] }, part);
  expect(wide).toMatchObject({ data: made.data, shape: [4, 3, 2], stride: [0, 1, 0], offset: 3 });
  expect(() => view(new Float32Array(0), [3, 2], [1, 3])).toThrow(/beyond the 0 values .*\[tensor\.values\]/);
});

test("[tensor.flat] flat returns the values of any view in row-major order, and copies only if memory has another order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 3 }), { maxLength: 4 }), layouts, (shape, layout) => {
      const v = laidOut(Float64Array, Number.NaN, shape, layout, numbers(1));
      const at = stridedReader(v);
      expect([...flat(v)]).toEqual(listing(shape, (i) => at(...i)));
      if (contiguous(v)) expect(flat(v).buffer).toBe(v.data.buffer);
    }),
  );
  const transposed = { shape: [2, 2], stride: [1, 2], offset: 0 };
  const t = new Tensor([2, 2], { data: Float32Array.of(1, 2, 3, 4), ...transposed });
  expect(t.flat()).toEqual(Float32Array.of(1, 3, 2, 4));
  expect(tensor("a b", [[1, 2]]).flat()).toEqual(Float64Array.of(1, 2));
  expect(() => abstractTensor("a", [1]).flat()).toThrow(Bug);
  const bytes = flat({ data: Uint8Array.of(1, 2, 3, 4), ...transposed });
  expect(bytes).toEqual(Uint8Array.of(1, 3, 2, 4));
});

test("[tensor.source] values from a source are freed when unused and read again, and the dtype needs no reading", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const ranges: number[][] = [];
  const read = (from: number, to: number) => {
    ranges.push([from, to]);
    return Uint16Array.of(0x3f80, 0xc000, 0x7f7f, 0x0001); // 1, −2, the largest bfloat16, the smallest one
  };
  const t = new Tensor<"i j">([2, 2], { dtype: "bfloat16", read });
  expect([t.symbolic, t.dtype, ranges]).toEqual([false, "bfloat16", []]);
  const values = [1, -2, (2 - 2 ** -7) * 2 ** 127, 2 ** -133];
  expect([valuesOf(t), valuesOf(t)]).toEqual([values, values]);
  expect(ranges).toEqual([[0, 4]]); // the second time they were still in memory
  for (let i = 0; i < 50 && ranges.length === 1; i++) {
    await new Promise((resume) => setTimeout(resume, 1)); // a value that was used stays until the end of its job
    collect();
    expect(valuesOf(t)).toEqual(values);
  }
  expect(ranges).toEqual([[0, 4], [0, 4]]); // biome-ignore format: one row
  t.assign(tensor("i j", [[1, 2], [3, 4]]).data); // biome-ignore format: one row
  expect([t.dtype, valuesOf(t)]).toEqual(["float64", [1, 2, 3, 4]]);
  t.assign({ dtype: "float32", read: () => Float32Array.of(5, 6, 7, 8) });
  expect(valuesOf(t)).toEqual([5, 6, 7, 8]);
});

test("[tensor.lazy] values are computed once, on first use, and assign replaces them", () => {
  let made = 0;
  const source = () => {
    made++;
    return tensor("i", [1, 2]).data;
  };
  const lazy = new Tensor<"i">([2], source);
  expect([lazy.shape, lazy.size, lazy.symbolic, made]).toEqual([[2], 2, false, 0]);
  expect([valuesOf(lazy), valuesOf(lazy), made]).toEqual([[1, 2], [1, 2], 1]); // biome-ignore format: one row
  lazy.assign(tensor("i", [3, 4]).data);
  expect(valuesOf(lazy)).toEqual([3, 4]);
});
