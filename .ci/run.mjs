// What .ci/run does: every runner of this repository in turn, and the sum of what they counted.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "flamboyance-run-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1)); // and tidy up
const total = { passed: 0, failed: 0 };

/** Runs a command for at most so many minutes, showing what it says; the end of what it said, and its status. */
function say(minutes, command, args, show) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL"); // with everything that it started
      } catch {} // it is gone already
    };
    const timer = setTimeout(end, minutes * 60_000);
    process.on("exit", end);
    let said = "";
    child.stdout.on("data", (text) => {
      said += text;
      if (show) process.stdout.write(text);
    });
    child.on("error", () => resolve({ status: 127, said }));
    child.on("close", (status) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve({ status: status ?? 1, said });
    });
  });
}

/** A runner: `count` reads { passed, failed } from what it said. One that crashes, or counts nothing, has failed once. */
async function step(name, minutes, words, count, show = true) {
  console.log(`\n==> ${name}: ${words.join(" ")}`);
  const since = Date.now();
  const [command, ...args] = words;
  const { status, said } = await say(minutes, command, args, show);
  const counted = attempt(() => count(said, status)) ?? { passed: 0, failed: 0 };
  const crashed = counted.failed === 0 && (status !== 0 || counted.passed === 0);
  const { passed, failed } = crashed ? { ...counted, failed: 1 } : counted;
  total.passed += passed;
  total.failed += failed;
  const seconds = Math.round((Date.now() - since) / 1000);
  console.log(`<== ${name}: ${passed} passed, ${failed} failed (exit ${status}, ${seconds} s)`);
}

function attempt(f) {
  try {
    return f();
  } catch (error) {
    console.log(`what it said cannot be read: ${error}`);
    return undefined;
  }
}

const one = (_, status) => ({ passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1 });

const report = join(folder, "tests.json");
function tests() {
  const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, "utf8"));
  const unread = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return { passed: numPassedTests, failed: numFailedTests + unread.length };
}

function lastLine(said) {
  const [, passed, failed] = [...said.matchAll(/^(\d+) passed, (\d+) failed$/gm)].at(-1);
  return { passed: Number(passed), failed: Number(failed) };
}

function cases(said) {
  const { summary, kernels, cases: all } = JSON.parse(said);
  for (const one of all.filter(({ status }) => status !== "passed")) console.log(JSON.stringify(one));
  console.log(JSON.stringify({ ...summary, kernels }));
  return { passed: summary.passed, failed: summary.failed + summary.errored + summary.skipped };
}

/** The README's resampler and gated block, at full size. */
function fullSize() {
  const root = "golden/cases/flamingo-pytorch";
  const read = (name) => JSON.parse(readFileSync(join(root, name, "case.json"), "utf8"));
  const of = (name) =>
    /^(perceiver-resampler|gated-cross-attention-block)--/.test(name) && read(name).full === true;
  return readdirSync(root)
    .filter(of)
    .map((name) => join(root, name));
}

const check = ["node", "dist/cli/main.js", "check", "--json"];
const reporters = ["--", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
await step("tests", 20, ["npm", "test", ...reporters], tests);
await step("types", 5, ["npm", "run", "--silent", "check:types"], one);
await step("lint", 5, ["npm", "run", "--silent", "lint"], one);
await step("build", 5, ["npm", "run", "--silent", "build"], one);
await step("goldens made again", 40, ["npm", "run", "--silent", "golden:verify"], lastLine);
const two = fullSize();
await step("full size", 10, two.length === 2 ? [...check, "--full", ...two] : ["false"], cases, false);
for (const mode of ["webasm", "cpu"])
  await step(`gpu.js, ${mode}`, 15, [...check, "--backend", "gpu", "--mode", mode], cases, false);
await step("simd", 10, [...check, "--backend", "simd", "--precision", "float32"], cases, false);

// Browser tests need Chromium: Debian's, installed where it is absent and may be.
if (!existsSync("/usr/bin/chromium") && process.getuid?.() === 0)
  for (const words of ["update -qq", "install -y -qq chromium"])
    await say(15, "apt-get", words.split(" "), false);
await step("browser", 15, ["npm", "run", "--silent", "test:browser", ...reporters], tests);
for (const mode of ["webgl2", "webgpu"]) {
  const page = ["node", "spec/support/browser/check-page.mjs", "--mode", mode, "--some"];
  await step(`gpu.js in the browser, ${mode}`, 10, page, cases, false);
}

console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
