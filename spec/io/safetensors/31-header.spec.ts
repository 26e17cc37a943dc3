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
  expect(long.ranges).toEqual([
    [0, 8],
    [8, 4096], // to recognise other formats; the header itself is not read
  ]);
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
  for (const bad of ["pt", ["pt"], 1, true, { format: null }])
    expectError(fileOf({ __metadata__: bad }), "io.metadata");
  expectError(fileOf('{"__metadata__":{"a":"","a":""}}'), "io.metadata", "is a duplicate");
  expect([...open(fileOf({ __metadata__: { format: "pt" } })).metadata]).toEqual([["format", "pt"]]);
  // https://github.com/huggingface/safetensors/issues/823
  const none = open(fileOf({ __metadata__: null, x: entry }, Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64)));
  expect([none.metadata.size, ...none.tensor("x").data.data]).toEqual([0, 1, 2]);
  expectError(fileOf('{"__metadata__":nul}'), "io.metadata");
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

test("[io.dtypes] a dtype that the format does not have is an error", () => {
  expectError(
    one({ dtype: "Q4_0" }),
    "io.dtypes",
    'tensor "x" has dtype "Q4_0"; the format has BOOL U8 F16 BF16 I32 F32 F64 I64 F4 ',
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

/** Bits per value of every dtype of safetensors 0.8.0. */
const BITS = {
  ...{
    BOOL: 8,
    F4: 4,
    F6_E2M3: 6,
    F6_E3M2: 6,
    U8: 8,
    I8: 8,
    F8_E5M2: 8,
    F8_E4M3: 8,
    F8_E8M0: 8,
    F8_E4M3FNUZ: 8,
  },
  ...{
    F8_E5M2FNUZ: 8,
    I16: 16,
    U16: 16,
    F16: 16,
    BF16: 16,
    I32: 32,
    U32: 32,
    F32: 32,
    C64: 64,
    F64: 64,
    I64: 64,
    U64: 64,
  },
};

test("[io.dtypes] a dtype that is not read is listed, and refused when its values are asked for", () => {
  // https://github.com/ollama/ollama/issues/15175: packed weights beside floats
  const unread = [
    "F4",
    "F6_E2M3",
    "F6_E3M2",
    "F8_E5M2",
    "F8_E4M3",
    "F8_E8M0",
    "F8_E4M3FNUZ",
    "F8_E5M2FNUZ",
    "C64",
  ];
  for (const [dtype, bits] of Object.entries(BITS)) {
    const n = (4 * bits) / 8;
    const q = { dtype, shape: [2, 2], data_offsets: [8, 8 + n] };
    const file = open(fileOf({ w: entry, q }, 8 + n));
    expect([file.keys, file.info("q")]).toEqual([["w", "q"], { dtype, shape: [2, 2] }]);
    expect([...file.tensor("w").data.data]).toEqual([0, 0]);
    if (!unread.includes(dtype)) {
      file.get("q");
      continue;
    }
    for (const read of [
      () => file.get("q"),
      () => file.tensor("q"),
      () => file.int("q"),
      () => file.bool("q"),
    ])
      expect(read).toThrow(
        `f: tensor "q" is ${dtype}, which is not read here; store it as F32 or BF16, dequantised`,
      );
    expectError(fileOf({ q: { ...q, data_offsets: [0, n + 1] } }, n + 1), "io.offsets");
  }
  expectError(
    fileOf({ q: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2),
    "io.offsets",
    "F4 [3] needs 1.5",
  );
});

/** A file's header and bytes of data, and whether safetensors 0.8.0 (Python, safe_open) opens it. */
const x = JSON.stringify(entry);
const OFFICIAL_VERDICTS: readonly (readonly [header: string, data: number, opens: boolean])[] = [
  ['{"__metadata__":null}', 0, true],
  [`{"__metadata__":{"a":1},"w":${x}}`, 8, false],
  [`{"__metadata__":{"a":null},"w":${x}}`, 8, false],
  [`{"__metadata__":[],"w":${x}}`, 8, false],
  [`{"__metadata__":"x","w":${x}}`, 8, false],
  [`{"\\ud800":${x}}`, 8, false],
  [`{"\\udc00":${x}}`, 8, false],
  [`{"\\ud83d\\ude00":${x}}`, 8, true],
  [`{"__metadata__":{"a":"\\ud800"},"w":${x}}`, 8, false],
  [`{"__metadata__":{"\\udfff":"a"},"w":${x}}`, 8, false],
  ['{"w":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', 8, false],
  ['{"w":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', 0, false],
  ['{"w":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}', 8, false],
  [
    '{"w":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904,0],"data_offsets":[0,0]}}',
    0,
    false,
  ],
  ['{"w":{"dtype":"F32","shape":[0,18446744073709551616],"data_offsets":[0,0]}}', 0, false],
  ['{"w":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}', 2, false],
  ['{"w":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}', 2, true],
  ['{"w":{"dtype":"C128","shape":[1],"data_offsets":[0,16]}}', 16, false],
  ['{"w":{"dtype":"f32","shape":[2],"data_offsets":[0,8]}}', 8, false],
  ['{"w":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8, false],
  ['{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8,9]}}', 8, false],
  ['{"w":{"dtype":"F32","shape":[2],"data_offsets":[0]}}', 8, false],
  ['{"w":{"dtype":"F32","shape":null,"data_offsets":[0,4]}}', 4, false],
  ['{"w":{"dtype":"F32","data_offsets":[0,4]}}', 4, false],
  ['{"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', 8, false],
  [`{"w":${x}}`, 16, false],
  ["{}", 0, true],
  ["{}", 3, false],
  ["", 0, false],
  ["", 8, false],
  ["{}\0\0", 0, false],
  ["{}  \n\t ", 0, true],
  ["\ufeff{}", 0, false],
  ['{"__metadata__":{"a":"b"}}', 0, true],
  ['{"__metadata__":{"a":"\u0001"}}', 0, false],
  ['{"__metadata__":{"a":"\u007f"}}', 0, true],
  ['{"__metadata__":{},"__metadata__":{}}', 0, false],
  [
    '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}',
    4,
    true,
  ],
  [
    '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}',
    4,
    false,
  ],
];

test("[io.official] files are opened and refused as by the official reader", () => {
  for (const [header, data, opens] of OFFICIAL_VERDICTS)
    expect(messageOf(fileOf(header, data)) === "", header).toBe(opens);
});

test("[io.official] what the official reader opens and is refused here has one of five reasons", () => {
  // safetensors 0.8.0 opens all of these
  expectError(fileOf(" {}"), "io.header-bounds");
  expectError(fileOf(`{"w":${x},"w":${x}}`, 8), "io.json");
  expectError(fileOf('{"__metadata__":{"a":"1","a":"2"}}'), "io.metadata");
  expectError(fileOf('{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":[[1]]}}', 8), "io.entries");
  expectError(fileOf('{"w":["F32",[2],[0,8]]}', 8), "io.entries");
  expectError(one({ shape: [2, ...new Array(32).fill(1)] }), "io.shapes");
  expectError(
    fileOf('{"w":{"dtype":"F32","shape":[0,1152921504606846976],"data_offsets":[0,0]}}'),
    "io.shapes",
  );
});

test("[io.json] half of a surrogate pair in a name or in metadata is refused", () => {
  for (const header of [`{"\\ud800":${x}}`, '{"__metadata__":{"a":"\\udc00b"}}', `{"\\udc00\\ud800":${x}}`])
    expectError(fileOf(header, 8), "io.json", "half of a surrogate pair");
});

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));
test("[io.other-format] a safetensors file that is cut off is no other format, whatever its length says", () => {
  for (const length of [0x8b1f, 0x0280, 0x04034b50]) {
    const cut = fileOf(`{"a":${x}`, 0, BigInt(length));
    expectError(cut, "io.header-bounds", "the file is cut short, or not safetensors");
  }
  expectError(bytesOf("abc"), "io.header-bounds", "holds 3 bytes");
  expectError(bytesOf("plain text, nothing else"), "io.header-bounds");
});
