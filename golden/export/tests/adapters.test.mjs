// The adapters that come with the package, run by `flamboyance probe` on the packages that they are for: flamingo-pytorch 0.1.2 and
// open-flamingo 2.0.1. The environment is that of the exporter of each package, made if it is absent.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { interpreter } from "../environments.mjs";
import { environmentOf, ROOT, readSources, sourceNamed } from "../sources.mjs";

const adapters = join(ROOT, "golden/adapters");
const MAIN = join(ROOT, "dist/cli/main.js");

function probe(source, options, adapter, ...words) {
  const sources = readSources();
  const python = interpreter(environmentOf(sourceNamed(source, sources), sources), { reuse: true });
  const command = [MAIN, "probe", "--json", ...options, "--", python, join(adapters, adapter), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: ROOT, encoding: "utf8" });
  assert.notEqual(stdout, "", stderr);
  return { status, result: JSON.parse(stdout) };
}

test("every adapter is run here", () => {
  assert.ok(existsSync(MAIN), "npm run build first");
  const names = readdirSync(adapters).filter((name) => !name.startsWith("__"));
  assert.deepEqual(names.sort(), ["probe.py", "probe_open_flamingo.py"]);
});

test("probe.py finds the conventions of flamingo-pytorch, with and without --all-previous", () => {
  const immediate = probe("flamingo_pytorch", [], "probe.py");
  assert.deepEqual([immediate.status, immediate.result.convention], [0, "flamingo-pytorch@0.1.2 immediate"]);
  const name = "flamingo-pytorch@0.1.2 all-previous";
  const previous = probe("flamingo_pytorch", [], "probe.py", "--all-previous");
  assert.deepEqual([previous.status, previous.result.convention], [1, name]); // also those of a known mistake
  const expected = probe("flamingo_pytorch", ["--expect", name], "probe.py", "--all-previous");
  assert.equal(expected.status, 0);
});

test("probe_open_flamingo.py finds the convention of open-flamingo, cached steps included", () => {
  const { status, result } = probe("open_flamingo", ["--media-dim", "24"], "probe_open_flamingo.py");
  assert.deepEqual([status, result.convention], [0, "open-flamingo@2.0.1"]);
  assert.deepEqual(result.cached.steps, ["count"]);
});
