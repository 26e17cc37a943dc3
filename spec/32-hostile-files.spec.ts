import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openSafetensors } from "../src/io/safetensors.ts";
import { LoadError } from "../src/tensor/errors.ts";
import { Tensor } from "../src/tensor/tensor.ts";
import { brokenFiles, counting, fileOf, files } from "./support/arbitrary-files.ts";
import { OFFICIAL } from "./support/official-file.ts";

/** Opens a file and reads everything in it; true if all of it could be read. */
function readAll(bytes: Uint8Array): boolean {
  const source = counting(bytes);
  try {
    const file = openSafetensors(source, "f");
    for (const key of file.keys) {
      const read = file.get(key);
      const numbers = read instanceof Tensor ? read.data.data : read.data;
      expect(numbers.byteLength).toBeLessThanOrEqual(4 * bytes.length); // bytes become integers of four
    }
    return true;
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    expect(error.message).toMatch(/^f: .*\[io\.[a-z0-9-]+\]$/s);
    expect(error.message.length).toBeLessThan(500);
    return false;
  } finally {
    const read = source.ranges.reduce((sum, [from, to]) => sum + to - from, 0);
    expect(read).toBeLessThanOrEqual(bytes.length); // no byte was read twice, and none that is not there
  }
}

test("[io.hostile] broken files give tensors or a LoadError, and are read at most once", () => {
  const outcomes = { read: 0, refused: 0 };
  const law = fc.property(brokenFiles, (bytes) => {
    outcomes[readAll(bytes) ? "read" : "refused"] += 1;
  });
  fc.assert(law, { numRuns: 4000 });
  expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(100); // the damage is neither always fatal nor always harmless
});

test("[io.hostile] a file cut at any byte is refused", () => {
  for (let n = 0; n < OFFICIAL.length; n++) expect(readAll(OFFICIAL.subarray(0, n))).toBe(false);
  expect(readAll(OFFICIAL)).toBe(true);
  fc.assert(fc.property(files, (bytes) => readAll(bytes)));
});

describe("the header", () => {
  const refused = (bytes: Uint8Array, message: RegExp) => {
    expect(() => openSafetensors(bytes, "f")).toThrow(message);
    expect(readAll(bytes)).toBe(false);
  };
  const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const one = (change: object) => fileOf({ x: { ...entry, ...change } }, 8);

  test("[io.header-bounds] is as long as it says, begins with a brace, and may end in spaces", () => {
    refused(new Uint8Array(7), /holds 7 bytes, too few for a safetensors file.*\[io\.header-bounds\]/);
    for (const length of [3n, 2n ** 31n, 2n ** 32n + 2n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      refused(
        fileOf("{}", 0, length),
        /a header of \d+.* bytes is announced, 2 follow.*\[io\.header-bounds\]/,
      );
    }
    refused(fileOf(" {}"), /does not begin with \{.*\[io\.header-bounds\]/);
    refused(fileOf(""), /does not begin with \{/);
    expect(openSafetensors(fileOf("{}     "), "f").keys).toEqual([]);
    refused(fileOf("{}\u0000"), /\[io\.json\]/);
    const long = counting(fileOf(`{}${" ".repeat(25_000_000)}`));
    expect(() => openSafetensors(long, "f")).toThrow(
      /a header of 25000002 bytes; at most 25000000.*\[io\.header-bounds\]/,
    );
    expect(long.ranges).toEqual([[0, 8]]); // refused before it is read
  });

  test("[io.json] is one object in UTF-8, shallow, with no key twice", () => {
    refused(fileOf("{"), /the header is not JSON.*\[io\.json\]/);
    refused(fileOf('{"x":NaN}'), /not JSON/);
    refused(fileOf("{} {}"), /not JSON/);
    refused(fileOf(`{"x":[[[${"1"}]]]}`), /nested more than 3 levels.*\[io\.json\]/);
    const text = fileOf('{"x":1}');
    text[10] = 0xff;
    refused(text, /not valid UTF-8.*\[io\.json\]/);
    const x = JSON.stringify(entry);
    refused(fileOf(`{"x":${x},"x":${x}}`, 8), /has a key twice.*\[io\.json\]/);
    refused(fileOf(`{"x":${x},"\\u0078":${x}}`, 8), /has a key twice/);
    refused(
      fileOf('{"x":{"dtype":"F64","dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
      /has a key twice/,
    );
  });

  test("[io.json] has names like any other where JavaScript has its own", () => {
    const names = ["__proto__", "constructor", "toString", "hasOwnProperty", "length"];
    const members = names.map((name) => `"${name}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`);
    const file = openSafetensors(fileOf(`{${members.join(",")}}`), "f");
    expect(new Set(file.keys)).toEqual(new Set(names));
    for (const name of names) expect(file.info(name)).toEqual({ dtype: "F32", shape: [0] });
    expect(openSafetensors(fileOf("{}"), "f").has("constructor")).toBe(false);
    refused(fileOf('{"x":{"__proto__":{"dtype":"F32"}}}'), /no dtype/);
  });

  test("[io.json] of 25 MB, however it is made, is refused within seconds", () => {
    const million = 1_000_000;
    const texts = [`{"x":${"[".repeat(24 * million)}`, `{"x":[${"[],".repeat(8 * million)}[]]}`];
    texts.push(
      `{"x":"${"\\\\".repeat(12 * million)}"}`,
      `{"${"x".repeat(24 * million)}":${JSON.stringify(entry)}}`,
    );
    texts.push(`{"x":{"dtype":"U8","data_offsets":[0,1],"shape":[${"1,".repeat(12 * million)}1]}}`);
    for (const text of texts) {
      const start = performance.now();
      expect(readAll(fileOf(text, 1))).toBe(false);
      expect(performance.now() - start).toBeLessThan(10_000);
    }
  });

  test("[io.metadata] has strings for metadata", () => {
    refused(fileOf({ __metadata__: { format: 1 } }), /metadata "format" is not a string.*\[io\.metadata\]/);
    for (const bad of ["pt", null, ["pt"], 1]) refused(fileOf({ __metadata__: bad }), /\[io\.metadata\]/);
    expect([...openSafetensors(fileOf({ __metadata__: { format: "pt" } }), "f").metadata]).toEqual([
      ["format", "pt"],
    ]);
  });

  test("[io.entries] describes a tensor by an object", () => {
    for (const bad of [1, null, "F32", [], true])
      refused(fileOf({ x: bad }), /"x" is not described by.*\[io\.entries\]/);
    expect(openSafetensors(one({ note: "ignored" }), "f").keys).toEqual(["x"]);
  });

  test("[io.dtypes] names a dtype that is known here", () => {
    refused(
      one({ dtype: "F8_E4M3" }),
      /tensor "x" has dtype "F8_E4M3"; convert it to one of BOOL U8 .*\[io\.dtypes\]/,
    );
    for (const bad of [undefined, null, 32, "f32", "toString", ["F32"]])
      refused(one({ dtype: bad }), /\[io\.dtypes\]/);
  });

  test("[io.shapes] has a shape that the file can hold", () => {
    for (const bad of [undefined, 2, "2", [-2], [0.5], ["2"], [null], [2 ** 53], { 0: 2 }]) {
      refused(
        one({ shape: bad }),
        /"x" has (a shape that is not a list of lengths|shape).*\[io\.(shapes|offsets)\]/,
      );
    }
    for (const huge of [[2 ** 52, 2], [2 ** 30, 2 ** 30], [2 ** 52, 2 ** 52, 0], new Array(33).fill(1)]) {
      refused(one({ shape: huge }), /has shape \[.*\], which no file can hold {2}\[io\.shapes\]/);
    }
    expect(openSafetensors(one({ shape: [1, 2, 1] }), "f").info("x").shape).toEqual([1, 2, 1]);
  });

  test("[io.offsets] has offsets that lie in the file and fit the shape", () => {
    for (const bad of [undefined, 0, [0], [0, 8, 8], ["0", "8"], [-8, 0], [0, 8.5], [null, 8]]) {
      refused(one({ data_offsets: bad }), /"x" has no data_offsets \[begin, end\] {2}\[io\.offsets\]/);
    }
    refused(
      one({ data_offsets: [8, 0] }),
      /"x" lies at bytes 8 to 0 of the data, which has 8.*\[io\.offsets\]/,
    );
    refused(
      one({ data_offsets: [1, 9] }),
      /"x" lies at bytes 1 to 9 of the data, which has 8.*\[io\.offsets\]/,
    );
    refused(one({ shape: [1] }), /"x" has 8 bytes; F32 \[1\] needs 4 {2}\[io\.offsets\]/);
    refused(one({ shape: [0] }), /"x" has 8 bytes; F32 \[0\] needs 0/);
  });

  test("[io.cover] has tensors that cover the data, each byte once", () => {
    const at = (...ranges: [number, number][]) =>
      fileOf(
        Object.fromEntries(
          ranges.map(([a, b], i) => [`t${i}`, { dtype: "U8", shape: [b - a], data_offsets: [a, b] }]),
        ),
        8,
      );
    expect(openSafetensors(at([4, 8], [0, 4], [4, 4]), "f").keys).toEqual(["t1", "t2", "t0"]);
    refused(at([0, 5], [4, 8]), /"t1" overlaps the tensor before it.*\[io\.cover\]/);
    refused(at([0, 8], [0, 8]), /"t1" overlaps/);
    refused(at([0, 3], [4, 8]), /"t1" leaves unused bytes before it.*\[io\.cover\]/);
    refused(at([0, 7]), /1 bytes after the last tensor belong to none.*\[io\.cover\]/);
    refused(at(), /8 bytes after the last tensor/);
    refused(at([0, 8], [1, 1]), /"t1" overlaps/);
  });

  test("[io.wording] is quoted without what a terminal would obey, and not at length", () => {
    const name = `\u001b[2J${"x".repeat(1000)}`;
    const message = (() => {
      try {
        openSafetensors(fileOf({ [name]: 1 }), "f");
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    })();
    expect(message).toContain('tensor "\\u001b[2Jxxx');
    expect(message.length).toBeLessThan(250);
  });
});
