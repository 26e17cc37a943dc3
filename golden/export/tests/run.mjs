// npm run golden:test: the exporter's own tests, those in Python with the environment of flamingo_pytorch, and the adapters of golden/adapters
// with those of their packages; environments that are absent are made. The last line counts them.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { interpreter } from "../environments.mjs";
import { environmentOf, ROOT, readSources, sourceNamed } from "../sources.mjs";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;

function output(command, ...words) {
  const { stdout, stderr, status } = spawnSync(command, words, { cwd: ROOT, encoding: "utf8" });
  process.stdout.write(`${stdout}${stderr}`);
  return { text: `${stdout}${stderr}`, status };
}

const number = (text, pattern) => Number(pattern.exec(text)?.[1] ?? 0);

function typescript() {
  const files = readdirSync(here).filter((name) => name.endsWith(".test.mjs"));
  const { text, status } = output(
    process.execPath,
    "--test",
    "--test-reporter=tap",
    ...files.map((name) => join(here, name)),
  );
  return { passed: number(text, /^# pass (\d+)$/m), failed: number(text, /^# fail (\d+)$/m), status };
}

function python() {
  const sources = readSources();
  const environment = environmentOf(sourceNamed("flamingo_pytorch", sources), sources);
  const words = ["-m", "unittest", "discover", "-s", "golden/export/tests/python", "-p", "*.py", "-t", "."];
  const { text, status } = output(interpreter(environment, { reuse: true }), ...words);
  const failed = number(text, /failures=(\d+)/) + number(text, /errors=(\d+)/);
  return { passed: number(text, /^Ran (\d+) tests?/m) - failed, failed, status };
}

const total = { passed: 0, failed: 0 };
for (const { passed, failed, status } of [typescript(), python()]) {
  total.passed += passed;
  total.failed += (status !== 0 || passed === 0) && failed === 0 ? 1 : failed;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;
