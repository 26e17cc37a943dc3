import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { loadSafetensors, openSafetensors } from "../../src/io/safetensors/read.ts";
import { quoted } from "../../src/io/wording.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { OFFICIAL } from "../support/fixtures/official-file.ts";
import { folders } from "../support/fixtures/temporary.ts";
import { seededFiles } from "../support/fuzz/safetensors-files.ts";
import { brokenFiles, counting, fileOf, files } from "../support/properties/files.ts";

const fresh = folders();

/** Opens a file and reads all its tensors; true if that was possible. */
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

test("[io.hostile] reading a broken file returns tensors or throws a LoadError, and reads every byte at most once", () => {
  const outcomes = { read: 0, refused: 0 };
  const law = fc.property(brokenFiles, (bytes) => {
    outcomes[readAll(bytes) ? "read" : "refused"] += 1;
  });
  fc.assert(law, { numRuns: 4000 });
  expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(100); // the damage is neither always fatal nor always harmless
});

test("[io.hostile] a file that is cut at any byte is an error", () => {
  for (let n = 0; n < OFFICIAL.length; n++) expect(readAll(OFFICIAL.subarray(0, n))).toBe(false);
  expect(readAll(OFFICIAL)).toBe(true);
  fc.assert(fc.property(files, (bytes) => readAll(bytes)));
});

test("[io.hostile] files with typical changes are opened or refused", () => {
  const opened = seededFiles(11, 3000).filter(readAll).length;
  expect(opened).toBeGreaterThan(300);
  expect(opened).toBeLessThan(2700);
});

test("[io.hostile] pipes, devices, folders and huge files that are no safetensors files are refused at once", () => {
  const [folder, pipe, sparse, device] = [fresh(), fresh(), fresh(), "/dev/zero"];
  mkdirSync(folder);
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  writeFileSync(sparse, "");
  truncateSync(sparse, 3e9);
  for (const path of [pipe, folder, device, sparse]) {
    const started = performance.now();
    expect(() => loadSafetensors(path)).toThrow(LoadError);
    expect(performance.now() - started).toBeLessThan(500);
  }
  writeFileSync(sparse, new Uint8Array(8));
  truncateSync(sparse, 200e6);
  const handle = openSync(sparse, "r+");
  writeSync(handle, Uint8Array.from(fileOf("{", 0, 100_000_000n)), 0, 9, 0);
  closeSync(handle);
  expect(() => loadSafetensors(sparse)).toThrow("100000000 bytes, more than the limit of 25000000");
});

test("[io.hostile] 400,000 tensors in one header are listed within seconds", () => {
  const members = Array.from(
    { length: 400_000 },
    (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`,
  );
  const [file, started] = [fileOf(`{${members.join(",")}}`), performance.now()];
  expect(openSafetensors(file, "f").keys).toHaveLength(400_000);
  expect(performance.now() - started).toBeLessThan(5000);
});

test("[io.hostile] a header of 25 MB of any content takes neither minutes nor gigabytes", () => {
  const times = (text: string) => text.repeat(Math.floor(24e6 / text.length));
  const lists = [`{"x":${times("[")}`, `{"x":[${times("[],")}[]]}`, `{"x":{"shape":[${times("1")}]}}`];
  lists.push(`{"x":{"dtype":"U8","data_offsets":[0,1],"shape":[${times("1,")}1]}}`);
  const objects = [`{${times('"x":{},')}"y":1}`, `{"x":{${times('"shape":[],')}}}`];
  const strings = [`{"x":"${times("\\\\")}"}`, `{"${times("x")}":${1}}`, `{"x":{"dtype":"${times("F")}"}}`];
  const memory = () => process.resourceUsage().maxRSS / 1000;
  for (const file of [...lists, ...objects, ...strings].map((text) => fileOf(text, 1))) {
    const [start, before] = [performance.now(), memory()];
    expect(readAll(file)).toBe(false);
    expect(performance.now() - start).toBeLessThan(3000);
    expect(memory() - before).toBeLessThan(200); // megabytes: the bytes, the text, and strings cut from it
  }
});

test("[io.wording] errors quote files without control sequences, and shortened", () => {
  const name = `\u001b[2J${"x".repeat(1000)}`;
  for (const header of [{ [name]: 1 }, { x: { dtype: name } }, { __metadata__: { [name]: 1 } }]) {
    const open = () => openSafetensors(fileOf(header), "f");
    expect(open).toThrow('"\\u001b[2Jxxx');
    expect(open).toThrow(/^.{0,300}$/);
  }
});

test("[io.wording] names of files, too, have no control sequences in errors, 8-bit ones and directions of writing included", () => {
  const hidden = "\u001b[2J\u009b31m\u202ex\u2028";
  expect(quoted(hidden)).toBe('"\\u001b[2J\\u009b31m\\u202ex\\u2028"');
  expect(new LoadError(`${hidden}: two\n\tlines`).message).toBe(
    "\\u{1b}[2J\\u{9b}31m\\u{202e}x\\u{2028}: two\n\tlines",
  );
  expect(() => openSafetensors(Uint8Array.of(1), hidden)).toThrow("\\u{1b}[2J\\u{9b}31m\\u{202e}x\\u{2028}");
});
