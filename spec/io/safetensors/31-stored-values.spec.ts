import { expect, test } from "vitest";
import { openSafetensors } from "../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../src/io/safetensors/write.ts";
import { LoadError, RuleError } from "../../../src/tensor/errors.ts";
import { Bool, type Int, int, type Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { OFFICIAL } from "../../support/fixtures/official-file.ts";
import { fileOf } from "../../support/properties/files.ts";

const words = (...pairs: number[]) => new Uint8Array(Int32Array.from(pairs).buffer);
const one = (dtype: string, shape: number[], data: Uint8Array) =>
  openSafetensors(fileOf({ x: { dtype, shape, data_offsets: [0, data.length] } }, data), "one.safetensors");

test("[io.i64-fits] an integer beyond 32 bits is an error, not truncated", () => {
  const most = [2 ** 31 - 1, 0, -(2 ** 31), -1];
  expect(
    one("I64", [2], words(...most))
      .int("x")
      .flat(),
  ).toEqual(Int32Array.of(2 ** 31 - 1, -(2 ** 31)));
  for (const bad of [
    [-1, 0],
    [0, 1],
    [0, -1],
    [-(2 ** 31), 0],
    [2 ** 31 - 1, -1],
  ]) {
    const read = () => one("I64", [1, 3], words(...most, ...bad)).int("x");
    expect(read).toThrow(
      new LoadError('one.safetensors: tensor "x" needs more than 32 bits at index [0 2]  [io.i64-fits]'),
    );
  }
});

test("[io.i64-fits] narrower and unsigned integers are read as 32-bit integers, if they fit", () => {
  const read = (dtype: string, values: ArrayBufferView, n: number) => [
    ...one(dtype, [n], new Uint8Array(values.buffer)).int("x").flat(),
  ];
  expect(read("I8", Int8Array.of(-128, 127), 2)).toEqual([-128, 127]);
  expect(read("I16", Int16Array.of(-32768, 32767), 2)).toEqual([-32768, 32767]);
  expect(read("U16", Uint16Array.of(0, 65535), 2)).toEqual([0, 65535]);
  expect(read("U32", Uint32Array.of(0, 2 ** 31 - 1), 2)).toEqual([0, 2 ** 31 - 1]);
  expect(read("U64", BigUint64Array.of(0n, 2n ** 31n - 1n), 2)).toEqual([0, 2 ** 31 - 1]);
  const wide: readonly (readonly [string, ArrayBufferView])[] = [
    ["U32", Uint32Array.of(1, 2 ** 31)],
    ["U32", Uint32Array.of(1, 2 ** 32 - 1)],
    ["U64", BigUint64Array.of(1n, 2n ** 31n)],
    ["U64", BigUint64Array.of(1n, 2n ** 32n)],
    ["U64", BigUint64Array.of(1n, 2n ** 64n - 1n)],
  ];
  for (const [dtype, values] of wide)
    expect(() => read(dtype, values, 2)).toThrow('"x" needs more than 32 bits at index [1]  [io.i64-fits]');
});

test("[io.bool] a flag of any byte but 0 is written as 1, so that the file can be read", () => {
  const mask = new Bool([2, 2], Uint8Array.of(0, 1, 2, 255));
  const written = writeSafetensors(new Map([["x", mask]]));
  expect([...written.subarray(-4)]).toEqual([0, 1, 1, 1]);
  expect([...openSafetensors(written, "mask").bool("x").flat()]).toEqual([0, 1, 1, 1]);
});

test("[io.bool] a byte other than 0 and 1 is not a boolean", () => {
  expect(() => one("BOOL", [2, 2], Uint8Array.of(0, 1, 2, 0)).bool("x")).toThrow(
    /"x" is 2 at index \[1 0\].*\[io\.bool\]/,
  );
});

test("[io.keys] a missing name and another kind of value are errors that name the key", () => {
  const file = openSafetensors(OFFICIAL, "official");
  expect(() => file.tensor("tripel")).toThrow(/no tensor "tripel"; it has 9: "ids", "double".*\[io\.keys\]/);
  expect(() => file.info("toString")).toThrow(LoadError);
  expect(() => file.tensor("ids")).toThrow(/"ids" is I64, not floats/);
  expect(() => file.int("mask")).toThrow(/"mask" is BOOL, not integers/);
  expect(() => file.bool("bytes")).toThrow(/"bytes" is U8, not booleans/);
  expect(() => writeSafetensors(new Map([["__metadata__", int("", 1)]]))).toThrow(RuleError);
});

test("[io.fits] [options.known] names and metadata that the format cannot hold, and unknown options, are refused", () => {
  const x = new Map([["x", tensor("n", [1])]]);
  expect(() => writeSafetensors(new Map([["\ud800", tensor("n", [1])]]))).toThrow(
    /half of a surrogate pair.*\[io\.fits\]/,
  );
  expect(() => writeSafetensors(x, { metadata: new Map([["a", "\udc00"]]) })).toThrow(
    /half of a surrogate pair/,
  );
  expect(() => writeSafetensors(x, { metadata: new Map([["a", 1]]) as never })).toThrow(/1 is no text/);
  expect(() => writeSafetensors(x, { float: "F16" } as never)).toThrow(
    'there is no option "float" (did you mean "floats"?)',
  );
  expect(() => openSafetensors("x.safetensors" as never, "x")).toThrow("loadSafetensors takes a path");
});

test("[io.fits] a value that the dtype cannot represent is an error", () => {
  const write = (stored: Tensor | Int, dtype: "U8" | "I64" | "F32" | "BOOL") => () =>
    writeSafetensors(new Map([["x", stored]]), { dtypes: new Map([["x", dtype]]) });
  expect(write(int("n", [255, 256]), "U8")).toThrow(/"x" has a value at index \[1\] that U8 cannot hold/);
  expect(write(int("n", [-1]), "U8")).toThrow(RuleError);
  expect(write(int("n", [1]), "F32")).toThrow(/holds integers, which cannot be written as F32/);
  expect(write(tensor("n", [1]), "I64")).toThrow(/holds floats, which cannot be written as I64/);
  expect(write(int("n", [1]), "BOOL")).toThrow(RuleError);
});
