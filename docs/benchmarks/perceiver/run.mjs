// Compares the tasks of Perceiver IO at full size with JOBR0/PerceiverIO_Pytorch on PyTorch in float32, both on two threads:
//   node run.mjs --from CHECKOUT [--only TASK,…] [--rounds N] [--out FOLDER]
// The weights and inputs of both are the same, and their results are compared. Each task has a process of its own in both, and the two run
// in turn: once without being counted, then N rounds (default 3), of which the medians count. CHECKOUT is the repository at 64947cf. PYTHON
// names an interpreter with torch, numpy and einops; by default it is the one that makes the golden cases, if that exists. Needs `npm run build`.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mebibytes } from "../../../dist/bench/tables.js";
import { median } from "../../../dist/bench/timing.js";
import { markdownTable } from "../../../dist/terminal/markdown.js";
import {
  checkoutNeeded,
  examineCheckout,
  readSources,
  sourceNamed,
} from "../../../golden/export/sources.mjs";
import { start } from "../peers/process.mjs";
import { CHUNKS, TASKS } from "./tasks.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const HELP = `npm run bench:perceiver -- --from CHECKOUT [options]

  --from FOLDER   a checkout of JOBR0/PerceiverIO_Pytorch at 64947cf
  --only LIST     some of ${Object.keys(TASKS).join(",")}
  --rounds N      runs that count, after one that does not (default: 3)
  --out FOLDER    where README.md is written (default: this script's folder)

PYTHON names an interpreter with torch, numpy and einops.

Example
  PYTHON=python3 npm run bench:perceiver -- --from ../source --only language
`;

/** The options; a wrong one ends the process with the help. */
function options() {
  try {
    return parseArgs({
      options: {
        from: { type: "string" },
        only: { type: "string", default: Object.keys(TASKS).join() },
        rounds: { type: "string", default: "3" },
        out: { type: "string", default: here },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(3);
  }
}
const values = options();
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
/** Bounds of the time and of the peak memory relative to PyTorch, and how much faster a whole video is. */
const TIME = 2;
const MEMORY = 1.2;
const FASTER = 8;
/** The chunks that the source runs of a whole video. */
const MEASURED = 8;
/** The largest difference of a result, relative to the root mean square of the output. */
const TOLERANCE = 1e-3;

const progress = (text) => process.stderr.write(`${text}\n`);
const source = sourceNamed("perceiver_io", readSources());
if (values.from === undefined) throw new Error(`${checkoutNeeded(source)}: --from FOLDER`);
const remark = examineCheckout(source, values.from);
if (remark) progress(remark);
const python =
  process.env.PYTHON ??
  [join(here, "../../../golden/export/flamingo_pytorch/.venv/bin/python")].find((path) => existsSync(path)) ??
  "python3";

/** Throws unless two outputs are equal up to rounding. */
function compare(task, ours, theirs) {
  for (const [name, { rms, numbers }] of Object.entries(theirs)) {
    const differences = numbers.map((x, i) => Math.abs(x - (ours[name]?.numbers[i] ?? NaN)));
    const largest = Math.max(...differences) / rms;
    if (!(largest <= TOLERANCE))
      throw new Error(`${task}: ${name} differs by ${largest} of its root mean square`);
    progress(`${task}: ${name} differs by at most ${largest.toExponential(1)} of its root mean square`);
  }
}

async function answer(process, task, side) {
  const result = await process.request("run");
  if (result.error) throw new Error(`${task}, ${side}: ${result.error}`);
  progress(`${task}, ${side}: ${result.seconds.toFixed(1)} s, processor ${result.cpuSeconds.toFixed(1)} s`);
  return result;
}

/** Medians of the rounds of both sides. */
async function measure(task, folder) {
  const weights = join(folder, `${task}.safetensors`);
  const script = join(here, "flamboyance.mjs");
  execFileSync(process.execPath, [script, task, weights, "--draw"]);
  const sides = {
    ours: start(process.execPath, [script, task, weights], "inherit"),
    source: start(python, [join(here, "source.py"), resolve(values.from), task, weights], "inherit"),
  };
  const runs = { ours: [], source: [] };
  const rounds = Number(values.rounds);
  for (let round = 0; round <= rounds; round++)
    for (const side of ["ours", "source"]) {
      const result = await answer(sides[side], task, side);
      if (round > 0) runs[side].push(result);
      else if (side === "ours") runs.first = result;
      else compare(task, runs.first.outputs, result.outputs);
    }
  await Promise.all(Object.values(sides).map(({ stop }) => stop()));
  rmSync(weights);
  const summary = (side) => ({
    seconds: median(runs[side].map(({ seconds }) => seconds)),
    cpuSeconds: median(runs[side].map(({ cpuSeconds }) => cpuSeconds)),
    peakBytes: Math.max(...runs[side].map(({ peakBytes }) => peakBytes)),
  });
  return { task, ours: summary("ours"), source: summary("source") };
}

const seconds = (x) => `${x.toFixed(x < 10 ? 2 : 1)} s`;
const ratio = (x) => `${x.toFixed(2)} ×`;
const judged = (x, isMet) => `${ratio(x)}${isMet ? "" : ", **missed**"}`;

function taskRow({ task, ours, source }) {
  const [time, memory] = [ours.seconds / source.seconds, ours.peakBytes / source.peakBytes];
  return [
    TASKS[task].title,
    ...[seconds(ours.seconds), seconds(source.seconds), judged(time, time <= TIME)],
    ...[seconds(ours.cpuSeconds), seconds(source.cpuSeconds)],
    ...[mebibytes(ours.peakBytes), mebibytes(source.peakBytes), judged(memory, memory <= MEMORY)],
  ];
}

function videoText({ ours, source }) {
  const factor = CHUNKS / MEASURED;
  const faster = (factor * source.cpuSeconds) / ours.cpuSeconds;
  const isMet = faster >= FASTER;
  return `A whole video of 16 frames in ${CHUNKS} chunks, encoded once: ${seconds(ours.seconds)} (processor ${seconds(ours.cpuSeconds)}). \
The source encodes it for each chunk: ${seconds(source.seconds)} for ${MEASURED} chunks (processor ${seconds(source.cpuSeconds)}), so \
${seconds(factor * source.seconds)} for all. It takes **${faster.toFixed(1)} × less processor time**; required: at least ${FASTER} ×${isMet ? "" : " (**missed**)"}.`;
}

const head = ["", "time", "PyTorch", "ratio", "processor", "PyTorch", "peak memory", "PyTorch", "ratio"];
function page(results, torch) {
  const tasks = results.filter(({ task }) => task !== "autoencode");
  const video = results.filter(({ task }) => task === "autoencode").map(videoText);
  return `# Perceiver IO beside PyTorch

This page is written by \`node run.mjs\` in this folder; do not edit it.

The tasks at full size on \`simd\` with two threads, and the same weights and inputs in
[JOBR0/PerceiverIO_Pytorch](https://github.com/JOBR0/PerceiverIO_Pytorch) at 64947cf on PyTorch in float32 with two threads. The two run in
turn; times are medians of ${values.rounds} runs after one that is not counted, and results are compared.

\`\`\`sh
npm ci && npm run build
PYTHON=… npm run bench:perceiver -- --from CHECKOUT
\`\`\`

${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores; Node ${process.version}; PyTorch ${torch}. Required: at most ${TIME} × the time and ${MEMORY} × the peak memory.

${markdownTable(head, tasks.map(taskRow), { numbers: true }).join("\n")}

${video.join("\n")}
`;
}

const torch = execFileSync(python, ["-c", "import torch; print(torch.__version__)"], {
  encoding: "utf8",
}).trim();
const folder = mkdtempSync(join(tmpdir(), "flamboyance-bench-"));
try {
  const results = [];
  for (const task of values.only.split(",")) results.push(await measure(task, folder));
  const text = page(results, torch);
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, "README.md"), text);
  console.log(text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
