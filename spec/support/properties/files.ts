// Files for property tests: tensors of every kind and shape, broken files, and sources that record reads.
import fc from "fast-check";
import { type ByteSource, fromBytes } from "../../../src/host/host.ts";
import { type Dtype, WIDTH } from "../../../src/io/dtypes.ts";
import type { Stored } from "../../../src/io/safetensors/read.ts";
import { writeSafetensors } from "../../../src/io/safetensors/write.ts";
import { toBfloat16, toFloat16 } from "../../../src/tensor/precision.ts";
import { Bool, Int, sizeOf, Tensor, view } from "../../../src/tensor/tensor.ts";

export const DTYPES = Object.keys(WIDTH) as Dtype[];

/** Shapes of up to four axes, including scalars and axes of size 0. */
export const shapes = fc.array(fc.nat({ max: 4 }), { maxLength: 4 });

/** A value that the dtype represents exactly. */
const value: Record<Dtype, fc.Arbitrary<number>> = {
  F64: fc.double(),
  F32: fc.double().map(Math.fround),
  F16: fc
    .oneof(fc.double(), fc.double({ min: -7e4, max: 7e4 }), fc.double({ min: -1e-4, max: 1e-4 }))
    .map(toFloat16),
  BF16: fc.oneof(fc.double(), fc.double({ min: -1e-37, max: 1e-37 })).map(toBfloat16),
  I64: fc.integer(),
  I32: fc.integer(),
  U8: fc.nat({ max: 255 }),
  BOOL: fc.nat({ max: 1 }),
};

export interface Example {
  readonly dtype: Dtype;
  readonly stored: Stored;
}

const example = fc.tuple(fc.constantFrom(...DTYPES), shapes).chain(([dtype, shape]) =>
  fc.array(value[dtype], { minLength: sizeOf(shape), maxLength: sizeOf(shape) }).map((values): Example => {
    if (dtype === "BOOL") return { dtype, stored: new Bool(shape, Uint8Array.from(values)) };
    if (dtype[0] === "I" || dtype[0] === "U")
      return { dtype, stored: new Int(shape, Int32Array.from(values)) };
    const data = dtype === "F64" ? Float64Array.from(values) : Float32Array.from(values);
    return { dtype, stored: new Tensor(shape, view(data, shape)) };
  }),
);

/** Keys like those of checkpoints, and unusual ones. */
const key = fc.oneof(
  fc.constantFrom(
    "weights.layers.0.1.to_kv.weight",
    "0",
    "10",
    "2",
    "",
    "__proto__",
    "constructor",
    'é "\\\n',
  ),
  fc.string({ unit: "grapheme", maxLength: 12 }).filter((text) => text !== "__metadata__"),
);

export const examples = fc
  .array(fc.tuple(key, example), { maxLength: 6 })
  .map((list) => new Map<string, Example>(list));

export const storedOf = (all: ReadonlyMap<string, Example>): Map<string, Stored> =>
  new Map([...all].map(([name, { stored }]) => [name, stored]));
export const dtypesOf = (all: ReadonlyMap<string, Example>): Map<string, Dtype> =>
  new Map([...all].map(([name, { dtype }]) => [name, dtype]));

export const metadata = fc.array(fc.tuple(fc.string(), fc.string())).map((list) => new Map(list));

/** Valid files. */
export const files = fc
  .tuple(examples, metadata)
  .map(([all, notes]) => writeSafetensors(storedOf(all), { dtypes: dtypesOf(all), metadata: notes }));

/** A file from a header in JSON (or any text) and its data. */
export function fileOf(header: unknown, data: Uint8Array | number = 0, length?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + body.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(body, 8 + text.length);
  return bytes;
}

/** Mutations of bytes: cut, flip, insert, remove, overwrite, and other numbers in the header. */
const damage: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.double({ min: 0, max: 1, noNaN: true }).map((at) => (b: Uint8Array) => b.slice(0, at * b.length)),
  fc.tuple(fc.nat(), fc.nat({ max: 255 })).map(([at, byte]) => (b: Uint8Array) => {
    const changed = b.slice();
    if (b.length > 0) changed[at % b.length] = byte;
    return changed;
  }),
  fc
    .tuple(fc.nat(), fc.uint8Array({ maxLength: 9 }), fc.nat({ max: 9 }))
    .map(([at, more, less]) => (b: Uint8Array) => {
      const start = at % (b.length + 1);
      return Uint8Array.from([...b.slice(0, start), ...more, ...b.slice(start + less)]);
    }),
  fc
    .tuple(
      fc.nat(),
      fc.constantFrom(...["-1", "0", "1e999", "0.5", "9007199254740993", "[]", "{}", '"F64"', "null"]),
    )
    .map(([nth, instead]) => (b: Uint8Array) => {
      const length = new DataView(b.buffer, b.byteOffset).getUint32(0, true);
      const text = new TextDecoder().decode(b.slice(8, 8 + length));
      const numbers = [...text.matchAll(/\d+|"[A-Z]+\d*"/g)];
      const chosen = numbers[nth % Math.max(1, numbers.length)];
      if (chosen === undefined) return b;
      const { index } = chosen;
      const changed = text.slice(0, index) + instead + text.slice(index + chosen[0].length);
      return fileOf(changed, b.slice(8 + length));
    }),
);

/** Valid files with one to four mutations, and arbitrary bytes. */
export const brokenFiles = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(files, fc.array(damage, { minLength: 1, maxLength: 4 })).map(damaged) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  { weight: 1, arbitrary: fc.json({ maxDepth: 4 }).map((text) => fileOf(text, 16)) },
);

function damaged([bytes, ways]: [Uint8Array, ((bytes: Uint8Array) => Uint8Array)[]]): Uint8Array {
  return ways.reduce((b, way) => (b.length >= 8 ? way(b) : b), bytes);
}

/** A source that counts the bytes that are read, and records reads outside of it. */
export function counting(bytes: Uint8Array): ByteSource & { readonly ranges: [number, number][] } {
  const source = fromBytes(bytes);
  const ranges: [number, number][] = [];
  const read = (from: number, to: number): Uint8Array => {
    ranges.push([from, to]);
    return source.read(from, to);
  };
  return { size: source.size, read, close: source.close, ranges };
}
