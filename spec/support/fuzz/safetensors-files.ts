// Safetensors files with changes that are typical of other writers, of accidents and of attacks: structure-aware, and the same for
// the same seed.
import fc from "fast-check";
import { bitsOf, STORED_DTYPES, type StoredDtype } from "../../../src/io/dtypes.ts";
import { fileOf } from "../properties/files.ts";
import { damagedBytes } from "./bytes.ts";

/** A member of the header: a key and its value, both as JSON text, so that any text can be written. */
type Member = readonly [key: string, value: string];

const text = (value: unknown): string => JSON.stringify(value);

const dtype = fc.constantFrom(...STORED_DTYPES).map((name) => name as StoredDtype);
const shape = fc.array(fc.constantFrom(0, 1, 1, 2, 2, 3, 4, 8), { maxLength: 4 });
const key = fc.oneof(
  fc.constantFrom("a", "b", "layers.0.weight", "", "0", "__proto__", "é 權重", "\u{1f600}", "a/b:c", '"\\'),
  fc.string({ unit: "grapheme", maxLength: 5 }),
);

/** The members of a valid header, and the size of its data. */
const valid = fc
  .tuple(
    fc.uniqueArray(fc.tuple(key, dtype, shape), { maxLength: 5, selector: ([name]) => name }),
    fc.option(fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }), { maxKeys: 2 })),
  )
  .map(([tensors, metadata]): { members: Member[]; size: number } => {
    let at = 0;
    const members = tensors
      .filter(([name]) => name !== "__metadata__")
      .map(([name, dtype, shape]): Member => {
        const bits = shape.reduce((product, n) => product * n, bitsOf(dtype));
        const begin = at;
        at += Math.ceil(bits / 8);
        return [text(name), text({ dtype, shape, data_offsets: [begin, at] })];
      });
    return { members: metadata ? [['"__metadata__"', text(metadata)], ...members] : members, size: at };
  });

/** Values that stand in place of a number, a name or an object. */
const instead = fc.constantFrom(
  ...[
    "null",
    "-1",
    "-0",
    "0",
    "1",
    "00",
    "1.0",
    "1e0",
    "0.5",
    "1e999",
    "true",
    '"1"',
    "[]",
    "{}",
    "[1]",
    "[0,0]",
    '"F32"',
    '"f32"',
  ],
  ...[
    "9007199254740991",
    "9007199254740992",
    "18446744073709551615",
    "18446744073709551616",
    '"\\ud800"',
    '"\\ud83d\\ude00"',
  ],
);

type Change = (header: string) => string;

/** Replaces the nth match of a pattern. */
const replacing =
  (pattern: RegExp, nth: number, by: string): Change =>
  (header) => {
    const all = [...header.matchAll(pattern)];
    const chosen = all[nth % Math.max(1, all.length)];
    if (chosen === undefined) return header;
    return header.slice(0, chosen.index) + by + header.slice(chosen.index + chosen[0].length);
  };

const PIECES = [
  " ",
  "\n",
  "\t",
  "\0",
  ",",
  "{",
  "}",
  "[",
  "]",
  '"',
  ":",
  "\\",
  "\ufeff",
  "\u0001",
  "é",
  '"x":1,',
  '"dtype":"F32",',
];
const METADATA = [
  "null",
  "{}",
  "[]",
  "1",
  '"x"',
  '{"a":"b","a":"c"}',
  '{"a":null}',
  '{"a":1}',
  '{"\\ud800":"x"}',
  '{"a":"\\udc00"}',
];

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.nat(), instead).map(([nth, by]) => replacing(/-?\d+/g, nth, by)),
  fc.tuple(fc.nat(), instead).map(([nth, by]) => replacing(/"[^"\\]*"/g, nth, by)),
  fc.tuple(fc.nat(), instead).map(([nth, by]) => replacing(/\[[^\]]*\]/g, nth, by)),
  fc.tuple(fc.nat(), instead).map(([nth, by]) => replacing(/\{[^{}]*\}/g, nth, by)),
  fc
    .tuple(fc.nat(), fc.constantFrom(...STORED_DTYPES))
    .map(([nth, name]) => replacing(/"(F32|F16|BF16|I64|U8)"/g, nth, text(name))),
  fc.tuple(fc.nat(), fc.constantFrom(...PIECES)).map(
    ([at, piece]): Change =>
      (header) => {
        const from = at % (header.length + 1);
        return header.slice(0, from) + piece + header.slice(from);
      },
  ),
  fc.constantFrom(...PIECES).map(
    (piece): Change =>
      (header) =>
        piece + header,
  ),
  fc.constantFrom(...PIECES).map(
    (piece): Change =>
      (header) =>
        header + piece,
  ),
  fc.constantFrom(...METADATA).map(
    (value): Change =>
      (header) =>
        header.replace("{", `{"__metadata__":${value}${header === "{}" ? "" : ","}`),
  ),
  fc.nat().map(
    (nth): Change =>
      (header) => {
        const members = [...header.matchAll(/"[^"\\]*":\{[^{}]*\}/g)];
        const chosen = members[nth % Math.max(1, members.length)];
        return chosen === undefined ? header : header.replace("{", `{${chosen[0]},`); // twice
      },
  ),
  fc.integer({ min: 30, max: 40 }).map(
    (n): Change =>
      (header) =>
        header.replace(/"shape":\[[^\]]*\]/, `"shape":[${Array(n).fill(1)}]`),
  ),
  fc.nat({ max: 200 }).map(
    (n): Change =>
      (header) =>
        header.replace('"dtype"', `"x":${"[".repeat(n)}${"]".repeat(n)},"dtype"`),
  ),
);

const joined = (members: readonly Member[]): string =>
  `{${members.map((member) => member.join(":")).join(",")}}`;

/** Files from valid headers with up to two changes, with fewer or more bytes of data, or with damaged bytes. */
export const safetensorsFiles: fc.Arbitrary<Uint8Array> = fc
  .tuple(valid, fc.array(change, { maxLength: 2 }), fc.constantFrom(...Array(12).fill(0), -1, 1, 8))
  .map(([{ members, size }, changes, more]) =>
    fileOf(
      changes.reduce((header, one) => one(header), joined(members)),
      Math.max(0, size + more),
    ),
  )
  .chain((file) =>
    fc.oneof({ weight: 9, arbitrary: fc.constant(file) }, { weight: 1, arbitrary: damagedBytes(file) }),
  );

/** The first `count` files of a seed. */
export const seededFiles = (seed: number, count: number): Uint8Array[] =>
  fc.sample(safetensorsFiles, { seed, numRuns: count });
