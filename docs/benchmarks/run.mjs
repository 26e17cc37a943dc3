// Runs everybody on the same work, in turns, and writes the page of results:
//   node run.mjs [--quick] [--only PART,…] [--example NAME,…] [--out DIR]
// Parts: matmul, attention, examples, scaling, start.
// PYTHON names an interpreter that has torch (and flamingo-pytorch and vit-pytorch for the examples); the one that makes the
// golden cases is taken if it is there. Needs `npm run build` in the repository and `npm ci --ignore-scripts` here.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { contestants } from "./contestants.mjs";
import { page } from "./page.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const PARTS = ["matmul", "attention", "examples", "scaling", "start"];
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: PARTS.join() },
    example: { type: "string", default: "" },
    out: { type: "string", default: here },
  },
});
const { quick, out } = values;
const parts = values.example ? ["examples"] : values.only.split(",");
const cores = availableParallelism();
const ROUNDS = quick ? 1 : 3;
const SQUARES = quick ? [32, 64] : [64, 128, 256, 512, 768, 1024];
const SHAPES = [
  ...SQUARES.map((n) => [n, n, n]),
  ...(quick
    ? []
    : [
        [1021, 509, 257],
        [512, 1024, 4096],
        [1, 1024, 4096],
      ]),
];
const ATTENTIONS = quick
  ? [[2, 24, 24, 16]]
  : [
      [8, 256, 256, 64],
      [8, 512, 512, 64],
      [8, 1024, 1024, 64],
    ];
const README = [
  "perceiver-resampler",
  "gated-cross-attention-block",
  "flamingo-palm-text",
  "flamingo-palm-dialogue",
];
const EXAMPLES = values.example ? values.example.split(",") : quick ? README.slice(0, 1) : README;
/** Beyond this a slow one is not asked: it would take minutes. */
const SLOW = 512 ** 3;

const say = (text) => process.stderr.write(`${text}\n`);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];

/** A process that answers one line with one line. One that dies answers everything with an error. */
function start(command, args) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "ignore"] });
  const waiting = [];
  let gone = null;
  const over = (reason) => {
    gone ??= reason;
    for (const resolve of waiting.splice(0)) resolve({ error: gone });
  };
  child.on("error", (error) => over(String(error.message)));
  child.on("close", (status) => over(`it ended with status ${status}`));
  child.stdin.on("error", () => {});
  const ended = new Promise((resolve) => child.on("close", resolve).on("error", resolve));
  createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(JSON.parse(line)));
  const next = () =>
    new Promise((resolve) => (gone === null ? waiting.push(resolve) : resolve({ error: gone })));
  const ask = (question) => {
    child.stdin.write(`${JSON.stringify(question)}\n`);
    return next();
  };
  const stop = () => {
    child.stdin.end();
    return ended;
  };
  return { ask, next, stop };
}

const python =
  process.env.PYTHON ??
  [join(here, "../../golden/export/.venv/bin/python")].find((path) => existsSync(path)) ??
  "python3";
const pytorch = (threads) => start(python, [join(here, "peers/pytorch.py"), `${threads}`]);

async function torchVersion() {
  const torch = pytorch(1);
  const { version = null } = await torch.next();
  await torch.stop();
  return version;
}

/** Everybody that takes part in products: { name, threads, ask }. Between questions they sleep. */
function field(torch) {
  const ours = Object.entries(contestants).flatMap(([name, { all, pool, slow }]) =>
    (all && cores > 1 ? [1, cores] : [pool ? cores : 1]).map((threads) => {
      const { ask, stop } = start(process.execPath, [join(here, "contestant.mjs"), name, `${threads}`]);
      return { name, threads, slow, ask, stop };
    }),
  );
  if (torch === null) return ours;
  const theirs = [...new Set([1, cores])].map((threads) => {
    const { ask, next, stop } = pytorch(threads);
    const ready = next();
    const askThem = async (question) => {
      await ready;
      return ask(question);
    };
    return { name: "PyTorch", threads, ask: askThem, stop };
  });
  return [...ours, ...theirs];
}

/** Everybody in turn, several times, so that a busy minute strikes all alike; the median of the rounds. */
async function products(all) {
  const found = [];
  for (const shape of SHAPES) {
    const [m, k, n] = shape;
    const times = all.map(() => []);
    for (let round = 0; round < ROUNDS; round++)
      for (const [i, { name, threads, slow, ask }] of all.entries()) {
        if (slow && m * k * n > SLOW) continue;
        const { seconds, error } = await ask({ shape, quick });
        if (error === undefined) times[i].push(seconds);
        else if (round === 0) say(`${name}, ${threads}: ${error}`);
      }
    for (const [i, { name, threads }] of all.entries()) {
      if (times[i].length === 0) continue;
      const gflops = (2 * m * k * n) / median(times[i]) / 1e9;
      found.push({ name, threads, shape, gflops });
      say(`${shape.join("×")} ${name}, ${threads}: ${gflops.toFixed(1)} GFLOP/s`);
    }
  }
  return found;
}

async function torchOn(questions, operations) {
  const found = [];
  for (const threads of new Set([1, cores])) {
    const torch = pytorch(threads);
    await torch.next();
    for (const question of questions) {
      const { seconds, peakBytes, error } = await torch.ask({ ...question, quick });
      if (error !== undefined) say(`PyTorch, ${threads}: ${error}`);
      else found.push({ name: "PyTorch", threads, ...question, ...operations(question, seconds), peakBytes });
    }
    await torch.stop();
  }
  return found;
}

/** The memory of an example is that of a process which ran nothing else. */
async function torchExample(example) {
  const torch = pytorch(cores);
  await torch.next();
  const { seconds, peakBytes, error } = await torch.ask({ example, quick });
  await torch.stop(); // what follows has the machine for itself
  if (error === undefined) return [{ name: example, backend: "PyTorch", threads: cores, seconds, peakBytes }];
  say(`${example}, PyTorch: ${error}`);
  return [];
}

/** What `flamboyance bench` tells, run with these words. */
function bench(...words) {
  const main = join(here, "../../dist/cli/main.js");
  const all = [main, "bench", "--json", ...words, ...(quick ? ["--quick"] : [])];
  const { status, stdout } = spawnSync(process.execPath, all, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`flamboyance bench ended with status ${status}`);
  return JSON.parse(stdout);
}

const torch = await torchVersion();
if (torch === null) say(`${python} has no torch: PyTorch is left out`);
const result = {
  node: process.version,
  v8: process.versions.v8,
  cpu: cpus()[0]?.model ?? "unknown",
  cores,
  memory: totalmem(),
  torch,
  quick,
  mode: bench("--first", "--backend", "simd").mode,
  peakGflops: bench("--only", "peak").peakGflops,
  matmul: [],
  attention: [],
  examples: [],
  scaling: [],
  start: [],
};
if (parts.includes("matmul")) {
  const all = field(torch);
  result.matmul = await products(all);
  await Promise.all(all.map(({ stop }) => stop()));
}
if (parts.includes("attention")) {
  const ours = bench("--only", "attention", "--backend", "simd").attention.map(
    ({ backend, threads, shape, gflops }) => ({
      name: `flamboyance ${backend}`,
      threads,
      shape,
      gflops,
    }),
  );
  const rate = ({ attention: [h, l, s, d] }, seconds) => ({ gflops: (4 * h * l * s * d) / seconds / 1e9 });
  const theirs =
    torch === null
      ? []
      : await torchOn(
          ATTENTIONS.map((attention) => ({ attention })),
          rate,
        );
  result.attention = [
    ...ours,
    ...theirs.map(({ attention, peakBytes: _, ...rest }) => ({ ...rest, shape: attention })),
  ];
}
if (parts.includes("examples")) {
  for (const name of EXAMPLES) {
    result.examples.push(...bench("--example", name).examples);
    if (torch !== null) result.examples.push(...(await torchExample(name)));
  }
}
if (parts.includes("scaling")) result.scaling = bench("--only", "scaling").scaling;
if (parts.includes("start")) result.start = bench("--only", "start").start;

mkdirSync(join(out, "results"), { recursive: true });
const major = process.versions.node.split(".")[0];
writeFileSync(join(out, `results/node-${major}.json`), `${JSON.stringify(result, null, 1)}\n`);
const files = readdirSync(join(out, "results"))
  .filter((file) => file.endsWith(".json"))
  .sort();
const all = files.map((file) => JSON.parse(readFileSync(join(out, "results", file), "utf8")));
for (const [file, text] of Object.entries(page(all))) writeFileSync(join(out, file), text);
say(`written: ${join(out, "README.md")}`);
process.exit(0);
