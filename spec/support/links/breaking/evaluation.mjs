// Runs the tests of a rule on broken copies of the repository.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { repository } from "../../architecture/tree.mjs";

const NOT_COPIED = new Set(["node_modules", ".git", ".venv", "dist", "coverage", "__pycache__"]);
/** A mutation may loop for ever, so the tests have a limit: a multiple of their unbroken time, plus time to start. */
const TIMEOUT = { factor: 4, start: 30_000 };

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1)); // runs the handlers that clean up

/** Temporary copies of the repository, one for each job, each with the packages of this one. */
export function copies(root, count) {
  const folder = mkdtempSync(join(tmpdir(), "flamboyance-links-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  return Array.from({ length: count }, (_, job) => {
    const copy = join(folder, String(job));
    mkdirSync(copy);
    cpSync(root, copy, { recursive: true, filter: (path) => !NOT_COPIED.has(basename(path)) });
    symlinkSync(join(repository, "node_modules"), join(copy, "node_modules"), "junction");
    return copy;
  });
}

/** Temporary files that a mutation leaves behind are removed with the copies. */
const within = (copy) => ({ ...process.env, TMPDIR: dirname(copy), TEMP: dirname(copy), TMP: dirname(copy) });

/** Runs a command; after the time limit, it and the processes that it started are killed. */
function runWithin(limit, cwd, ...words) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, words, {
      cwd,
      env: within(cwd),
      stdio: "ignore",
      detached: process.platform !== "win32",
    });
    const end = () => {
      try {
        process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL");
      } catch {
        // it has ended already
      }
    };
    const timer = setTimeout(end, limit);
    process.on("exit", end);
    child.on("close", (status) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve(status === 0);
    });
  });
}

const vitest = (...words) => [
  "node_modules/vitest/vitest.mjs",
  "run",
  "--config",
  "spec/support/vitest.config.ts",
  ...words,
];

/** Some tests run the built command line. */
const build = (cwd) => spawnSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "src"], { cwd });

/** Results of the tests of each rule on unbroken code: id -> { files, passed, ms, built }. */
export function baseline(copy, specs) {
  build(copy);
  const out = join(copy, "baseline.json");
  spawnSync(process.execPath, vitest("--reporter=json", `--outputFile=${out}`, ...specs.keys()), {
    cwd: copy,
    env: within(copy),
  });
  const { testResults } = JSON.parse(readFileSync(out, "utf8"));
  const rules = new Map();
  for (const { name, assertionResults } of testResults) {
    const file = [...specs.keys()].find((path) => name.endsWith(path)) ?? name;
    for (const { title, status, duration } of assertionResults) {
      const ids = (/^(\[[^\]]+\] )+/.exec(title)?.[0] ?? "").match(/[^[\] ]+/g) ?? [];
      for (const id of ids) {
        const rule = rules.get(id) ?? { files: new Set(), passed: true, ms: 0, built: false };
        rule.files.add(file);
        rule.passed &&= status === "passed";
        rule.ms += duration ?? 0;
        rule.built ||= /\bdist\//.test(specs.get(file) ?? "");
        rules.set(id, rule);
      }
    }
  }
  return rules;
}

/** Whether the tests of the rule fail when the file is replaced by a mutation. The file is restored. */
export async function fails(copy, { path, id }, { text }, { files, ms, built }) {
  const file = join(copy, path);
  const original = readFileSync(file, "utf8");
  writeFileSync(file, text);
  try {
    if (built) build(copy);
    const pattern = `\\[${id.replaceAll(".", "\\.")}\\] `;
    const words = vitest("--reporter=dot", "--bail=1", "--maxWorkers=1", "-t", pattern, ...files);
    return !(await runWithin(TIMEOUT.start + TIMEOUT.factor * ms, copy, ...words));
  } finally {
    writeFileSync(file, original);
  }
}
