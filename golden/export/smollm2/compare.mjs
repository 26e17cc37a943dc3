// npm run compare:smollm2 [-- …]: SmolLM2-135M-Instruct here and in transformers, on the same weights.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { interpreter } from "../environments.mjs";
import { ROOT, UsageError } from "../sources.mjs";
import { defaultPlace, examineFolder } from "./folder/place.mjs";

const HELP = `usage: npm run compare:smollm2 -- [options]

Compares ids, logits, greedy continuations, beams and the probabilities that processors leave. transformers runs first, in float64 and
float32; that takes some minutes and 4 GB of memory. Needs the folder of npm run fetch:smollm2, and npm run build.

  --folder FOLDER  the model folder; default: ${defaultPlace()}
  --committed      compares with the committed table of transformers' results (reference.json) instead: needs no Python, and leaves out
                   the processors and the comparison in float64
  --results DIR    keeps what transformers computes in this folder, and uses what an earlier run kept there
  --write          commits what transformers computes: writes reference.json

Exit status: 0 all agree, 1 something differs, 2 it cannot be compared, 3 a mistake in the command.`;

const OPTIONS = {
  folder: { type: "string" },
  committed: { type: "boolean" },
  results: { type: "string" },
  write: { type: "boolean" },
  help: { type: "boolean" },
};
const BEAM_TOKENS = 24;
/** The files that transformers' results consist of. */
const RESULTS = ["reference.json", "logits.safetensors", "speed.json"];
const TABLE = join(import.meta.dirname, "reference.json");

const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const prompts = read(join(import.meta.dirname, "prompts.json"));

/** Runs transformers; `out` receives its results. */
function transformers(folder, out) {
  mkdirSync(out, { recursive: true });
  const python = interpreter(join(ROOT, "golden/export/open_flamingo"), { reuse: true });
  const words = ["-m", "golden.export.smollm2.reference", folder, out];
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1", HF_HUB_OFFLINE: "1" };
  const { status } = spawnSync(python, words, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0) throw new Error(`transformers cannot be run: exit status ${status}`);
}

const total = { passed: 0, failed: 0 };

/** Prints checks as they come and counts them; returns them. */
async function report(checks) {
  const all = [];
  for await (const check of checks) {
    const { name, problem, remark, skipped } = check;
    all.push(check);
    if (problem !== null) total.failed++;
    else if (!skipped) total.passed++;
    console.log(
      `${problem === null ? "ok" : "FAILED"} ${[name, problem, remark].filter(Boolean).join(": ")}`,
    );
  }
  return all;
}

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Tokens a second from the moments of the tokens of several texts. */
const tokensPerSecond = (speeds) =>
  median(speeds.map((times) => (1000 * (times.length - 1)) / (times.at(-1) - times[0])));

async function compare(folder, out) {
  const checks = await import("./compare/checks.mjs");
  const { greedy, open } = await import("./compare/ours.mjs");
  const table = read(out ? join(out, "reference.json") : TABLE);
  const model = await open(folder);
  const values = out && checks.valuesIn(out);
  const first = await greedy(model, table.prompts.capital.ids, 1);
  const speeds = [];
  await report(checks.ids(model, prompts, table));
  const exact = values && ((name) => values(`${name}.float64`));
  const ratios = await report(checks.logits(model, table, exact));
  await report(checks.greedy(model, table, speeds));
  await report(checks.beams(model, table, BEAM_TOKENS));
  if (values) {
    await report(checks.processors(table, values));
    await report(checks.float64(model, table, values));
    await report(checks.committed(table, read(TABLE)));
  }
  const worst = ratios.reduce((a, b) => (a.ratio > b.ratio ? a : b));
  console.log(`largest error of logits: ${worst.ratio.toFixed(2)} × torch's float32, in ${worst.name}`);
  const { maxRSS } = process.resourceUsage();
  const threads = `${model.backend.threads} threads`;
  console.log(`first token ${(first.times[0] / 1000).toFixed(1)} s after the start of the process`);
  console.log(
    `${tokensPerSecond(speeds).toFixed(1)} tokens a second with a cache, median of the texts, ${threads}`,
  );
  console.log(`peak memory ${Math.round(maxRSS / 1024)} MB, with the results of the comparison`);
  if (out) console.log(`torch float32, two threads: ${JSON.stringify(read(join(out, "speed.json")))}`);
  await model.backend.close();
  model.close();
}

async function main() {
  const { values } = parseArgs({ options: OPTIONS });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.committed && values.write)
    throw new UsageError("--write needs transformers; leave out --committed");
  const folder = resolve(values.folder ?? defaultPlace());
  const { kind, problem } = await examineFolder(folder);
  if (kind !== "complete")
    throw new Error(
      `${folder} ${problem ? `is another folder: ${problem}` : "is not there"}; npm run fetch:smollm2 makes it`,
    );
  const kept = values.results && resolve(values.results);
  const out = values.committed ? null : (kept ?? mkdtempSync(join(tmpdir(), "flamboyance-smollm2-")));
  try {
    if (out && !RESULTS.every((name) => existsSync(join(out, name)))) transformers(folder, out);
    if (values.write) copyFileSync(join(out, "reference.json"), TABLE);
    await compare(folder, out);
  } finally {
    if (out && !kept) rmSync(out, { recursive: true, force: true });
  }
  console.log(`${total.passed} passed, ${total.failed} failed`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(error.message);
  const isUsage = error instanceof UsageError || error.code?.startsWith("ERR_PARSE_ARGS");
  process.exitCode = isUsage ? 3 : 2;
}
