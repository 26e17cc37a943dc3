import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as node from "../../src/host/node.ts";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { folders } from "../support/fixtures/temporary.ts";
import { fileOf } from "../support/properties/files.ts";

const { accessSync, openSync, closeSync, readSync, writeSync } = fs;
const temporary = folders();
let folder = "";
beforeEach(() => {
  folder = temporary();
});
afterEach(() => replaceFunctions({ accessSync, openSync, closeSync, readSync, writeSync }));

/** Replaces functions of node:fs until the end of the test. */
function replaceFunctions(functions: Partial<typeof fs>): void {
  Object.assign(fs, functions);
  syncBuiltinESMExports();
}
const bytes = (string: string) => new TextEncoder().encode(string);

test("[io.file-errors] errors of the system become messages with a reason and a remedy", () => {
  fs.mkdirSync(`${folder}/d`, { recursive: true });
  fs.writeFileSync(`${folder}/f`, "f");
  expect(() => node.openFile(`${folder}/d`)).toThrow(
    /cannot open .*d: it is not a file; name a file {2}\[io\.file-errors\]/,
  );
  expect(() => node.openFile(`${folder}/f/g`)).toThrow(/a part of the path is a file; check the path/);
  expect(() => node.writeFile(`${folder}/d`, bytes("x"))).toThrow(
    /cannot write .*d: it is a folder; name a file/,
  );
  expect(() => node.openFile("a\0b")).toThrow(LoadError);
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  replaceFunctions({
    writeSync: () => {
      throw full;
    },
  });
  expect(() => node.writeFile(`${folder}/f`, bytes("new"))).toThrow(
    /f: the disk is full; .*\[io\.file-errors\]/,
  );
  expect(fs.readdirSync(folder).sort()).toEqual(["d", "f"]);
  expect(fs.readFileSync(`${folder}/f`, "utf8")).toBe("f");
});

test("[io.file-errors] a folder that cannot be created is named with a reason", () => {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(`${folder}/f`, "f");
  const long = `${folder}/${"x".repeat(300)}`;
  expect(() => node.createFolder(`${folder}/f`)).toThrow(
    /^cannot create .*f: there is a file of this name; choose/,
  );
  expect(() => node.createFolder(`${folder}/f/g`)).toThrow(
    /^cannot create .*g: a part of the path is a file; check/,
  );
  expect(() => node.createFolder(long)).toThrow(
    /: its name is too long; choose a shorter one {2}\[io\.file-errors\]$/,
  );
  if (process.platform === "linux")
    expect(() => node.createFolder("/proc/flamboyance/x")).toThrow(/^cannot create \/proc\/flamboyance\/x: /); // Node's own recursion never ends there
  const refused = Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
  replaceFunctions({
    accessSync: () => {
      throw refused;
    },
  });
  expect(() => node.createFolder(folder)).toThrow(
    /^cannot write to .*: the disk is read-only; write elsewhere/,
  );
});

/** The name of the temporary file of a write. */
function temporaryName(path: string): string {
  let name = "";
  node.writeFile(
    path,
    (function* () {
      name = fs.readdirSync(folder).find((entry) => entry.endsWith(".tmp")) ?? "";
      yield bytes("x");
    })(),
  );
  return name;
}

test("[io.leftovers] temporary files of writers that were killed are removed; those of others remain", () => {
  const [machine, pid] =
    /^\.flamboyance-(\w{8})-(\d+)-\w{12}\.tmp$/.exec(temporaryName(`${folder}/f`))?.slice(1) ?? [];
  expect(pid).toBe(String(process.pid));
  const ended = spawnSync(process.execPath, ["-e", ""]).pid;
  const elsewhere = machine === "0".repeat(8) ? "1".repeat(8) : "0".repeat(8);
  const random = "0123456789ab";
  const old = Date.now() / 1000 - 11 * 60;
  const files: [name: string, time: number | null, remains: boolean][] = [
    [`.flamboyance-${machine}-${process.pid}-${random}.tmp`, null, false], // a container whose first process was killed
    [`.flamboyance-${machine}-${ended}-${random}.tmp`, null, false],
    [`.flamboyance-${machine}-${process.ppid}-${random}.tmp`, null, true],
    [`.flamboyance-${machine}-${process.ppid}-9${random.slice(1)}.tmp`, old, false],
    [`.flamboyance-${elsewhere}-${ended}-${random}.tmp`, null, true],
    [`.flamboyance-${elsewhere}-${ended}-9${random.slice(1)}.tmp`, old, false],
    [`.flamboyance-${machine}-${ended}.tmp`, old, true],
    [`notes.flamboyance-${machine}-${ended}-${random}.tmp`, old, true],
  ];
  const other = `${folder}/other`;
  fs.mkdirSync(other);
  for (const [name, time] of files) {
    fs.writeFileSync(`${other}/${name}`, "");
    if (time !== null) fs.utimesSync(`${other}/${name}`, time, time);
  }
  node.writeFile(`${other}/f`, bytes("f"));
  const left = new Set(fs.readdirSync(other));
  expect(files.map(([name, time]) => [name, time, left.has(name)])).toEqual(files);
});

test("[io.leftovers] a temporary name that exists is drawn again", () => {
  const names: string[] = [];
  replaceFunctions({
    openSync: (...args: Parameters<typeof fs.openSync>) => {
      names.push(String(args[0]));
      if (names.length === 1) fs.writeFileSync(args[0], "of another process");
      return openSync(...args);
    },
  });
  node.writeFile(`${folder}/f`, bytes("f"));
  expect(names).toHaveLength(2);
  expect(fs.readFileSync(`${folder}/f`, "utf8")).toBe("f");
  expect(fs.readFileSync(names[0] ?? "", "utf8")).toBe("of another process");
});

test("[io.atomic-write] a link stays a link, permissions are kept, and only files are replaced", () => {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(`${folder}/target`, "old");
  fs.chmodSync(`${folder}/target`, 0o660);
  fs.symlinkSync("target", `${folder}/link`);
  node.writeFile(`${folder}/link`, bytes("new"));
  expect(fs.lstatSync(`${folder}/link`).isSymbolicLink()).toBe(true);
  expect(fs.readFileSync(`${folder}/target`, "utf8")).toBe("new");
  expect(fs.statSync(`${folder}/target`).mode & 0o777).toBe(0o660);
  spawnSync("mkfifo", [`${folder}/pipe`]);
  expect(() => node.writeFile(`${folder}/pipe`, bytes("x"))).toThrow(/pipe: it is not a file; name a file/);
  expect(fs.statSync(`${folder}/pipe`).isFIFO()).toBe(true);
});

test("[io.few-descriptors] of a hundred sources in use at most 32 have an open descriptor", () => {
  let open = 0;
  let most = 0;
  replaceFunctions({
    openSync: (...args: Parameters<typeof fs.openSync>) => {
      most = Math.max(most, ++open);
      return openSync(...args);
    },
    closeSync: (descriptor: number) => {
      open--;
      closeSync(descriptor);
    },
  });
  const paths = Array.from({ length: 100 }, (_, i) => `${folder}/${i}`);
  for (const path of paths) node.writeFile(path, bytes(path));
  const sources = paths.map(node.openFile);
  expect(open).toBe(0); // the first read opens the descriptor
  for (const [i, source] of [...sources.entries(), ...sources.entries()]) {
    expect(new TextDecoder().decode(source.read(0, source.size))).toBe(paths[i]);
  }
  expect(most).toBeLessThanOrEqual(32);
  for (const source of sources) source.close();
  expect(open).toBe(0);
});

test("[io.unchanged] reading a file that has changed since it was opened is an error", () => {
  const path = `${folder}/f`;
  for (const change of [() => node.writeFile(path, bytes("other")), () => fs.truncateSync(path, 2)]) {
    node.writeFile(path, bytes("first"));
    fs.utimesSync(path, 1, 1);
    const source = node.openFile(path);
    change();
    expect(() => source.read(0, 5)).toThrow(
      /cannot read .*f: .*rewritten.*open it again {2}\[io\.unchanged\]/,
    );
  }
  node.writeFile(path, bytes("first"));
  fs.utimesSync(path, 1, 1);
  const source = node.openFile(path);
  source.read(0, 1);
  fs.writeFileSync(path, "FIRST"); // the same inode and size, while it is open
  expect(() => source.read(0, 5)).toThrow(/\[io\.unchanged\]/);
  node.writeFile(path, bytes("first"));
  const short = node.openFile(path);
  replaceFunctions({ readSync: () => 0 });
  expect(() => short.read(0, 5)).toThrow(/truncated.*\[io\.unchanged\]/);
});

test("[io.lazy] a file larger than any buffer is opened without reading it, and its last tensor is read alone", () => {
  const size = 6e9;
  const header = { big: { dtype: "U8", shape: [size], data_offsets: [0, size] } };
  const last = { dtype: "F32", shape: [2], data_offsets: [size, size + 8] };
  const start = fileOf({ ...header, last });
  node.writeFile(`${folder}/big`, start);
  fs.truncateSync(`${folder}/big`, start.length + size); // a sparse file, which takes no space on the disk
  fs.appendFileSync(`${folder}/big`, new Uint8Array(Float32Array.of(0.5, -7).buffer));
  const ranges: number[] = [];
  replaceFunctions({
    readSync: ((...args: [number, Uint8Array, number, number, number]) => {
      ranges.push(args[3]);
      return readSync(...args);
    }) as typeof fs.readSync,
  });
  const file = loadSafetensors(`${folder}/big`);
  const lazy = file.tensor("last");
  expect(ranges).toEqual([8, start.length - 8]);
  expect(Array.from(lazy.data.data)).toEqual([0.5, -7]);
  expect(ranges.slice(2)).toEqual([8]);
  file.close();
});

test("[io.unchanged] a pipe that takes the place of an opened file is refused without waiting for a writer", () => {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(`${folder}/f`, "content");
  const source = node.openFile(`${folder}/f`);
  fs.rmSync(`${folder}/f`);
  expect(spawnSync("mkfifo", [`${folder}/f`]).status).toBe(0);
  expect(() => source.read(0, 1)).toThrow(/it has been rewritten since it was opened/);
});

test("[io.file-errors] a folder is emptied, and a link in its place or inside is not followed", () => {
  fs.mkdirSync(`${folder}/own/a/b`, { recursive: true });
  fs.writeFileSync(`${folder}/own/a/b/f`, "own");
  fs.mkdirSync(`${folder}/other`);
  fs.writeFileSync(`${folder}/other/f`, "other");
  fs.symlinkSync(`${folder}/other`, `${folder}/own/link`);
  node.emptyFolder(`${folder}/own`);
  expect(fs.readdirSync(`${folder}/own`)).toEqual([]);
  fs.symlinkSync(`${folder}/other`, `${folder}/link`);
  node.emptyFolder(`${folder}/link`);
  expect(fs.readdirSync(`${folder}/link`)).toEqual([]);
  expect(fs.readdirSync(`${folder}/other`)).toEqual(["f"]);
  expect(() => node.emptyFolder(`${folder}/other/f/g`)).toThrow(/a part of the path is a file/);
});
