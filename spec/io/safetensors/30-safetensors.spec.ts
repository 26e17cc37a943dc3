import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeFloats, encodeFloats, WIDTH } from "../../../src/io/dtypes.ts";
import { openSafetensors } from "../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../src/io/safetensors/write.ts";
import { isSource, widened } from "../../../src/tensor/source.ts";
import { Tensor, tensor } from "../../../src/tensor/tensor.ts";
import { OFFICIAL, official, valuesOf } from "../../support/fixtures/official-file.ts";
import {
  counting,
  DTYPES,
  dtypesOf,
  examples,
  fileOf,
  metadata,
  storedOf,
} from "../../support/properties/files.ts";

describe("a file written by the official library", () => {
  test("[io.widen] is read as the values that were written", () => {
    const file = openSafetensors(OFFICIAL, "official");
    expect(file.keys).toEqual([...official.keys()]);
    for (const [key, stored] of official) {
      expect(file.info(key).shape).toEqual(stored.shape);
      expect(valuesOf(file.get(key))).toEqual(valuesOf(stored));
    }
  });

  test("[io.deterministic] is reproduced byte for byte, independently of the order of tensors", () => {
    const dtypes = new Map([
      ["count", "I32"],
      ["brain", "BF16"],
      ["half", "F16"],
      ["bytes", "U8"],
    ] as const);
    expect(Buffer.from(writeSafetensors(official, { dtypes }))).toEqual(OFFICIAL);
    const backwards = new Map([...official].reverse());
    expect(Buffer.from(writeSafetensors(backwards, { dtypes }))).toEqual(OFFICIAL);
    const notes = (...keys: string[]) => new Map(keys.map((key) => [key, "x"]));
    const [one, other] = [notes("b", "a", "0"), notes("0", "a", "b")];
    expect(writeSafetensors(new Map(), { metadata: one })).toEqual(
      writeSafetensors(new Map(), { metadata: other }),
    );
  });
});

test("[io.lazy] every dtype, shape and name is read back as written, one tensor at a time", () => {
  const law = fc.property(examples, metadata, (all, notes) => {
    const bytes = writeSafetensors(storedOf(all), { dtypes: dtypesOf(all), metadata: notes });
    const source = counting(bytes);
    const file = openSafetensors(source, "law");
    expect(file.metadata).toEqual(notes);
    expect(new Set(file.keys)).toEqual(new Set(all.keys()));
    const header = source.ranges.length;
    for (const [key, { dtype, stored }] of all) {
      expect(file.info(key)).toEqual({ dtype, shape: stored.shape });
      const before = source.ranges.length;
      const read = file.get(key);
      if (read instanceof Tensor) expect(source.ranges.length).toBe(before); // the numbers were not asked for yet
      expect(read.constructor).toBe(stored.constructor);
      expect(valuesOf(read)).toEqual(valuesOf(stored));
      const [from, to] = source.ranges.at(-1) ?? [0, -1];
      expect([source.ranges.length, to - from]).toEqual([before + 1, WIDTH[dtype] * valuesOf(stored).length]);
    }
    expect(header).toBe(2);
  });
  fc.assert(law, { numRuns: 300 });
});

test("[io.lazy] a range of a tensor reads its bytes only", () => {
  for (const [dtype, width] of [
    ["F64", 8],
    ["F32", 4],
    ["BF16", 2],
    ["F16", 2],
  ] as const) /* biome-ignore format: one row */ {
    const values = Float64Array.of(1, -2, 0.5, 4, -8, 16);
    const bytes = writeSafetensors(new Map([["x", tensor("i j", [2, 3], values)]]), { floats: dtype });
    const source = counting(bytes);
    const { stored } = openSafetensors(source, "ranges").tensor("x");
    if (!isSource(stored)) throw new Error("not a source");
    expect(Array.from(widened(stored.read(2, 5), stored.dtype))).toEqual([0.5, 4, -8]);
    const end = bytes.length - width;
    expect(source.ranges.at(-1)).toEqual([end - 3 * width, end]);
  }
});

test('[io.bits] floats: "stored" keeps every dtype and, with 16 bits, every bit', () => {
  const patterns = new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer);
  for (const dtype of ["BF16", "F16"] as const) {
    const header = { x: { dtype, shape: [65536], data_offsets: [0, patterns.length] } };
    const file = openSafetensors(fileOf(JSON.stringify(header), patterns), "patterns");
    const again = writeSafetensors(new Map([["x", file.tensor("x")]]), { floats: "stored" });
    expect(again.subarray(-patterns.length)).toEqual(patterns); // NaN keeps its payload
    expect(openSafetensors(again, "again").info("x").dtype).toBe(dtype);
    const wide = writeSafetensors(new Map([["x", file.tensor("x")]]));
    expect(openSafetensors(wide, "wide").info("x").dtype).toBe("F32");
  }
  const inMemory = new Map<string, Tensor>([
    ["f64", tensor("i", [1, 2])],
    ["f32", tensor("i", [2], Float32Array.of(1, 2))],
  ]);
  const file = openSafetensors(writeSafetensors(inMemory, { floats: "stored" }), "memory");
  expect([file.info("f64").dtype, file.info("f32").dtype]).toEqual(["F64", "F32"]);
});

test("[io.unaligned] a tensor may begin at any byte", () => {
  for (const dtype of DTYPES) {
    const data = new Uint8Array(1 + 2 * WIDTH[dtype]);
    data[1] = 1;
    const odd = { dtype: "BOOL", shape: [1], data_offsets: [0, 1] };
    for (const pad of [" ", "  "]) {
      const header = { odd, x: { dtype, shape: [2], data_offsets: [1, data.length] } };
      const got = valuesOf(openSafetensors(fileOf(JSON.stringify(header) + pad, data), "odd").get("x"));
      const one = { F64: 2 ** -1074, F32: 2 ** -149, F16: 2 ** -24, BF16: 2 ** -133 }[dtype as string] ?? 1;
      expect(got).toEqual([one, 0]);
    }
  }
});

test("[io.unaligned] bytes from a source that returns views of a larger buffer are read correctly", () => {
  const buffer = new Uint8Array(17);
  buffer.set(new Uint8Array(Float64Array.of(0.1, 7).buffer), 1);
  expect(decodeFloats(buffer.subarray(1), "F64")).toEqual(Float64Array.of(0.1, 7));
});

test("[io.widen] all 65536 float16 and bfloat16 patterns are decoded and encoded again", () => {
  const patterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
  for (const [dtype, digits, bias] of [
    ["F16", 10, 15],
    ["BF16", 7, 127],
  ] as const) {
    const numbers = decodeFloats(new Uint8Array(patterns.buffer), dtype);
    const most = 2 ** (15 - digits) - 1;
    for (const [i, number] of numbers.entries()) {
      const [sign, exponent, rest] = [i >> 15 ? -1 : 1, (i >> digits) & most, i % 2 ** digits];
      const normal = sign * (1 + rest / 2 ** digits) * 2 ** (exponent - bias);
      const below = sign * (rest / 2 ** digits) * 2 ** (1 - bias);
      const beyond = rest ? Number.NaN : sign * Infinity;
      const right = exponent === most ? beyond : exponent ? normal : below;
      if (!Object.is(number, right)) expect([i, number]).toEqual([i, right]);
    }
    const back = new Uint16Array(encodeFloats(numbers, dtype).buffer);
    const quiet = dtype === "F16" ? 0x7e00 : 0x7fc0;
    expect(back).toEqual(patterns.map((i) => (Number.isNaN(numbers[i]) ? quiet : i)));
  }
});

test("[io.header-aligned] the data begins at a multiple of eight and every tensor at a multiple of its width", () => {
  const law = fc.property(examples, metadata, (all, notes) => {
    const bytes = writeSafetensors(storedOf(all), { dtypes: dtypesOf(all), metadata: notes });
    const length = new DataView(bytes.buffer).getUint32(0, true);
    expect(length % 8).toBe(0);
    const text = new TextDecoder().decode(bytes.slice(8, 8 + length));
    expect(text).toMatch(/^\{.*\} {0,7}$/s);
    const header: Record<string, { dtype: "F64"; data_offsets: number[] }> = JSON.parse(text);
    for (const [key, entry] of Object.entries(header)) {
      if (key !== "__metadata__") expect((entry.data_offsets[0] ?? 1) % WIDTH[entry.dtype]).toBe(0);
    }
  });
  fc.assert(law);
});
