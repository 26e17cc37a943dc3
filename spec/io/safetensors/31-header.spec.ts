import { expect, test } from "vitest";
import { openSafetensors } from "../../../src/io/safetensors/read.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { counting, fileOf } from "../../support/properties/files.ts";

/** The message of the error on opening; "" if there is none. */
function messageOf(bytes: Uint8Array): string {
  try {
    openSafetensors(bytes, "f");
  } catch (error) {
    expect(error).toBeInstanceOf(LoadError);
    return (error as LoadError).message;
  }
  return "";
}

/** Expects an error of this rule whose message contains `text`. */
function expectError(bytes: Uint8Array, rule: string, text = "f: "): void {
  expect(messageOf(bytes)).toContain(text);
  expect(messageOf(bytes)).toContain(`  [${rule}]`);
}
const open = (bytes: Uint8Array) => openSafetensors(bytes, "f");
const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
const one = (change: object) => fileOf({ x: { ...entry, ...change } }, 8);

test("[io.header-bounds] the header has the given length, begins with a brace, and may end in spaces", () => {
  expectError(new Uint8Array(7), "io.header-bounds", "holds 7 bytes, too few for a safetensors file");
  for (const length of [3n, 2n ** 31n, 2n ** 32n + 2n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
    expectError(
      fileOf("{}", 0, length),
      "io.header-bounds",
      "bytes according to its length, but only 2 follow",
    );
  }
  expectError(fileOf(" {}"), "io.header-bounds", "does not begin with {");
  expectError(fileOf(""), "io.header-bounds", "does not begin with {");
  expect(open(fileOf("{}     ")).keys).toEqual([]);
  expectError(fileOf("{}\u0000"), "io.json");
  const long = counting(fileOf(`{}${" ".repeat(25_000_000)}`));
  expect(() => openSafetensors(long, "f")).toThrow(
    /25000002 bytes, more than the limit of 25000000.*\[io\.header-bounds\]/,
  );
  expect(long.ranges).toEqual([[0, 8]]); // refused before it is read
});

test("[io.json] the header is one object in UTF-8 without duplicate keys", () => {
  for (const text of ["{", '{"x"', '{"x', '{"x":'])
    expectError(fileOf(text), text.endsWith(":") ? "io.entries" : "io.json");
  const broken = [
    '{"x"}',
    "{x:1}",
    "{}]",
    "{} {}",
    "{,}",
    '{"\n":1}',
    '{"\\x":1}',
    '{"x" "y"}',
    '{"__metadata__":{},}',
  ];
  for (const text of broken) expectError(fileOf(text), "io.json", "the header is not JSON at character ");
  const text = fileOf('{"x":1}');
  text[10] = 0xff;
  expectError(text, "io.json", "not valid UTF-8");
  const x = JSON.stringify(entry);
  for (const name of ["x", "\\u0078"])
    expectError(fileOf(`{"x":${x},"${name}":${x}}`, 8), "io.json", 'has the key "x" twice');
  expectError(fileOf('{"__metadata__":{},"__metadata__":{}}'), "io.json", 'has the key "__metadata__" twice');
  const spaced = JSON.stringify({ x: entry }, null, "\t").replaceAll("\n", "\r\n");
  expect(open(fileOf(spaced, 8)).info("x")).toEqual({ dtype: "F32", shape: [2] });
});

test("[io.json] names of properties of JavaScript objects have no special meaning", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "length"];
  const members = names.map((name) => `"${name}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
  const file = open(fileOf(`{${members.join(",")}}`));
  expect(new Set(file.keys)).toEqual(new Set(names));
  for (const name of names) expect(file.info(name)).toEqual({ dtype: "F32", shape: [0] });
  expect(open(fileOf("{}")).has("constructor")).toBe(false);
  expectError(fileOf('{"x":{"__proto__":{"dtype":"F32"}}}'), "io.entries");
});

test("[io.metadata] metadata values are strings", () => {
  expectError(fileOf({ __metadata__: { format: 1 } }), "io.metadata", 'metadata "format" is not a string');
  for (const bad of ["pt", null, ["pt"], 1]) expectError(fileOf({ __metadata__: bad }), "io.metadata");
  expectError(fileOf('{"__metadata__":{"a":"","a":""}}'), "io.metadata", "is a duplicate");
  expect([...open(fileOf({ __metadata__: { format: "pt" } })).metadata]).toEqual([["format", "pt"]]);
});

test("[io.entries] a tensor is described by dtype, shape and offsets, exactly once each", () => {
  for (const bad of [1, null, "F32", [], true])
    expectError(fileOf({ x: bad }), "io.entries", '"x" is not described by');
  for (const left of Object.keys(entry)) expectError(one({ [left]: undefined }), "io.entries");
  expectError(one({ note: "more" }), "io.entries");
  expectError(
    fileOf('{"x":{"dtype":"F64","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
    "io.entries",
    "once each",
  );
  expect(open(fileOf({ x: Object.fromEntries(Object.entries(entry).reverse()) }, 8)).keys).toEqual(["x"]);
});

test("[io.dtypes] an unknown dtype is an error", () => {
  expectError(
    one({ dtype: "F8_E4M3" }),
    "io.dtypes",
    'tensor "x" has dtype "F8_E4M3"; convert it to one of BOOL U8 ',
  );
  for (const bad of [null, 32, "f32", "toString", ["F32"]]) expectError(one({ dtype: bad }), "io.dtypes");
});

test("[io.shapes] a shape that no file can hold is an error", () => {
  for (const bad of [2, "2", [-2], [0.5], ["2"], [null], [2 ** 53], [1e30], [[2]], { 0: 2 }]) {
    expectError(one({ shape: bad }), "io.shapes", '"x" has a shape that is not a list of at most 32 lengths');
  }
  expectError(one({ shape: new Array(33).fill(1) }), "io.shapes", "at most 32 lengths");
  expectError(
    one({ shape: [2 ** 52, 2] }),
    "io.shapes",
    "has shape [4503599627370496 2], which no file can hold",
  );
  expectError(one({ shape: [2 ** 52, 2 ** 52, 0] }), "io.shapes", "which no file can hold");
  expect(open(one({ shape: [1, 2, ...new Array(30).fill(1)] })).keys).toEqual(["x"]);
});

test("[io.offsets] offsets are within the file and match the shape", () => {
  for (const bad of [0, [], [0], [0, 8, 8], ["0", "8"], [-8, 0], [0, 8.5], [null, 8]]) {
    expectError(one({ data_offsets: bad }), "io.offsets", '"x" has data_offsets that are not [begin, end]');
  }
  expectError(
    one({ data_offsets: [8, 0] }),
    "io.offsets",
    '"x" lies at bytes 8 to 0 of the data, which has 8;',
  );
  expectError(
    one({ data_offsets: [1, 9] }),
    "io.offsets",
    '"x" lies at bytes 1 to 9 of the data, which has 8;',
  );
  expectError(one({ shape: [1] }), "io.offsets", '"x" has 8 bytes; F32 [1] needs 4');
  expectError(one({ shape: [0, 2 ** 40] }), "io.offsets", '"x" has 8 bytes; F32 [0 1099511627776] needs 0');
});

test("[io.cover] tensors cover the data exactly once", () => {
  const range = ([a, b]: [number, number]) => ({ dtype: "U8", shape: [b - a], data_offsets: [a, b] });
  const at = (...all: [number, number][]) =>
    fileOf(Object.fromEntries(all.map((r, i) => [`t${i}`, range(r)])), 8);
  expect(open(at([4, 8], [0, 4], [4, 4])).keys).toEqual(["t1", "t2", "t0"]);
  expectError(at([0, 5], [4, 8]), "io.cover", '"t1" overlaps the previous tensor');
  expectError(at([0, 8], [0, 8]), "io.cover", '"t1" overlaps');
  expectError(at([0, 8], [1, 1]), "io.cover", '"t1" overlaps');
  expectError(at([0, 3], [4, 8]), "io.cover", '"t1" leaves unused bytes before it');
  expectError(at([0, 7]), "io.cover", "1 bytes after the last tensor belong to no tensor");
  expectError(at(), "io.cover", "8 bytes after the last tensor");
});
