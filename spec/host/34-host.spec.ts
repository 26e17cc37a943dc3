import fs from "node:fs";
import { beforeEach, expect, test } from "vitest";
import * as browser from "../../src/host/browser.ts";
import { fromBytes, type Host } from "../../src/host/host.ts";
import * as node from "../../src/host/node.ts";
import { loadSafetensors } from "../../src/io/safetensors/read.ts";
import { saveSafetensors } from "../../src/io/safetensors/write.ts";
import { LoadError, RuleError } from "../../src/tensor/errors.ts";
import { tensor } from "../../src/tensor/tensor.ts";
import { folders } from "../support/fixtures/temporary.ts";

const temporary = folders();
let folder = "";
beforeEach(() => {
  folder = temporary();
});

const hosts: [string, Host][] = [
  ["node", node],
  ["browser", browser],
];
const text = (host: Host, path: string) => {
  const source = host.openFile(path);
  return new TextDecoder().decode(source.read(0, source.size));
};
const bytes = (string: string) => new TextEncoder().encode(string);

test("[io.same-host] node and browser export the same names", () => {
  const { mount, unmount, ...rest } = browser;
  expect(Object.keys(rest).sort()).toEqual(Object.keys(node).sort());
});

for (const [name, host] of hosts) {
  test(`[io.same-host] ${name}: files are written, found, listed and read`, () => {
    for (const path of ["b/2", "b/10", "a", "b/c/d"]) host.writeFile(`${folder}/x/${path}`, bytes(path));
    host.writeFile(`${folder}/x/a`, [bytes("ag"), bytes(""), bytes("ain")]);
    host.writeFile(`${folder}/xy`, new Uint8Array(0));
    const files = ["a", "b/10", "b/2", "b/c/d"].map((path) => `${folder}/x/${path}`);
    for (const path of [`${folder}/x`, `${folder}/x/`]) expect(host.listFiles(path)).toEqual(files);
    expect(files.map((path) => text(host, path))).toEqual(["again", "b/10", "b/2", "b/c/d"]);
    const kinds = ["x", "x/a", "x/b/", "xy", "x/nothing", "nothing"].map((path) =>
      host.kindOf(`${folder}/${path}`),
    );
    expect(kinds).toEqual(["folder", "file", "folder", "file", "nothing", "nothing"]);
    expect(host.openFile(`${folder}/x/a`).size).toBe(5);
    for (const path of ["xy", "xy", "x/b/2"]) host.removeFile(`${folder}/${path}`);
    expect(host.kindOf(`${folder}/xy`)).toBe("nothing");
    expect(host.listFiles(`${folder}/x/b`)).toEqual([`${folder}/x/b/10`, `${folder}/x/b/c/d`]);
    expect(host.now()).toBeLessThanOrEqual(host.now());
    host.emptyFolder(`${folder}/x`);
    for (const path of ["x/a", "x/b/10"]) expect(host.kindOf(`${folder}/${path}`)).toBe("nothing");
    host.writeFile(`${folder}/x/a`, bytes("new"));
    expect(host.listFiles(`${folder}/x`)).toEqual([`${folder}/x/a`]);
  });

  test(`[io.range] ${name}: ranges within a source are returned as copies, any number of times; others are errors`, () => {
    const written = bytes("flamingo");
    host.writeFile(`${folder}/f`, written);
    written[0] = 0;
    for (const source of [host.openFile(`${folder}/f`), host.fromBytes(bytes("flamingo").buffer)]) {
      expect(new TextDecoder().decode(source.read(1, 5))).toBe("lami");
      source.read(0, 8).fill(0);
      source.close();
      expect(new TextDecoder().decode(source.read(0, 8))).toBe("flamingo");
      expect(source.read(8, 8).length).toBe(0);
      for (const [from, to] of [
        [-1, 2],
        [0, 9],
        [5, 4],
        [0.5, 2],
        [Number.NaN, 2],
        [0, Infinity],
      ] as const) {
        expect(() => source.read(from, to)).toThrow(/8.*\[io\.range\]/);
      }
      source.close();
    }
  });

  test(`[io.file-errors] ${name}: the error for a missing file has its path and a remedy`, () => {
    const missing = `${folder}/missing`;
    for (const act of [() => host.openFile(missing), () => host.listFiles(missing)]) {
      expect(act).toThrow(LoadError);
      expect(act).toThrow(/^cannot (open|list) .*missing: .*(check|mount).* {2}\[io\.file-errors\]$/);
    }
  });

  test(`[io.atomic-write] ${name}: a file is replaced completely or not at all`, () => {
    const path = `${folder}/f`;
    host.writeFile(path, bytes("old"));
    const read: string[] = [];
    host.writeFile(
      path,
      (function* () {
        yield bytes("n");
        read.push(text(host, path));
        yield bytes("ew");
      })(),
    );
    expect([...read, text(host, path)]).toEqual(["old", "new"]);
    const failing = function* () {
      yield bytes("half");
      throw new RuleError("stop", "x");
    };
    expect(() => host.writeFile(path, failing())).toThrow(new RuleError("stop", "x"));
    expect([text(host, path), host.listFiles(folder)]).toEqual(["new", [path]]);
  });
}

test("[io.same-host] node: circular links do not keep a folder from being listed, and links that lead nowhere are listed", () => {
  fs.mkdirSync(`${folder}/a`, { recursive: true });
  fs.writeFileSync(`${folder}/a/f`, "f");
  fs.symlinkSync(folder, `${folder}/a/up`);
  fs.symlinkSync(`${folder}/a/f`, `${folder}/a/g`);
  fs.symlinkSync(`${folder}/a/h`, `${folder}/a/h`);
  fs.symlinkSync(`${folder}/a/nothing`, `${folder}/a/i`);
  expect(node.listFiles(folder)).toEqual(["f", "g", "h", "i"].map((name) => `${folder}/a/${name}`));
});

test("[io.same-host] node: links to folders are followed, each folder is listed once, and the whole disk is not", () => {
  for (const path of ["in/side", "out/side/deep"]) fs.mkdirSync(`${folder}/${path}`, { recursive: true });
  for (const path of ["in/side/f", "out/side/deep/g"]) fs.writeFileSync(`${folder}/${path}`, "");
  fs.symlinkSync(`${folder}/out`, `${folder}/in/link`);
  fs.symlinkSync(`${folder}/out/side`, `${folder}/in/other`);
  fs.symlinkSync(`${folder}/in/side`, `${folder}/in/again`);
  expect(node.listFiles(`${folder}/in`)).toEqual([`${folder}/in/link/side/deep/g`, `${folder}/in/side/f`]);
  fs.mkdirSync(`${folder}/root`);
  fs.symlinkSync("/", `${folder}/root/all`);
  expect(node.listFiles(`${folder}/root`)).toEqual([`${folder}/root/all`]);
});

test("[io.atomic-write] saveSafetensors creates folders and writes a file that loadSafetensors reads", () => {
  const path = `${folder}/deep/er/x.safetensors`;
  saveSafetensors(path, new Map([["x", tensor("n", [1, 2])]]), { floats: "BF16" });
  const file = loadSafetensors(path);
  expect(file.info("x")).toEqual({ dtype: "BF16", shape: [2] });
  expect(Array.from(file.tensor("x").data.data)).toEqual([1, 2]);
  expect(fs.readdirSync(`${folder}/deep/er`)).toEqual(["x.safetensors"]);
  file.close();
});

test("[io.same-host] browser: blobs and buffers are mounted under normalised paths, and unmounted", async () => {
  const buffer = bytes("buffer").buffer as ArrayBuffer;
  await browser.mount([
    ["./m//a", new Blob(["blob"])],
    ["m/b", buffer],
    ["m/c/d", bytes("array")],
  ]);
  expect(browser.listFiles("m")).toEqual(["m/a", "m/b", "m/c/d"]);
  expect(browser.listFiles("m").map((path) => text(browser, path))).toEqual(["blob", "buffer", "array"]);
  browser.unmount("m");
  expect(browser.kindOf("m")).toBe("nothing");
  expect(fromBytes(buffer).size).toBe(6);
});
