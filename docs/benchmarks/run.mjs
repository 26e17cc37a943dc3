// Measures all packages on the same work and writes the page of results:
//   node run.mjs [--quick] [--only PART,…] [--example NAME,…] [--model FOLDER] [--out DIR]
// Parts: matmul, attention, examples, decode, scaling, start; language-model, which needs --model; or page, which measures nothing and
// writes the page from results/*.json.
// PYTHON names an interpreter with torch (for the examples with flamingo-pytorch and vit-pytorch, for the language model with
// transformers); by default it is the one that makes the golden cases, if that exists. Needs `npm run build` in the repository and
// `npm ci --ignore-scripts` here. Parts that are not measured keep the results of an earlier run of the same machine.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { QUICK_TEXT, TEXT } from "../../dist/bench/decoders/pretrained.js";
import { EXAMPLES, quickExamples } from "../../dist/bench/examples.js";
import { kernels } from "../../dist/bench/rates.js";
import { FULL, QUICK } from "../../dist/bench/shapes.js";
import { inRounds, median } from "../../dist/bench/timing.js";
import { page } from "./page.mjs";
import { start } from "./peers/process.mjs";
import { targets } from "./targets.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const PARTS = ["matmul", "attention", "examples", "decode", "scaling", "start"];
/** The members of the results by part. */
const KEYS = {
  ...Object.fromEntries(PARTS.map((part) => [part, part])),
  "language-model": "languageModel",
};
const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: PARTS.join() },
    example: { type: "string", default: "" },
    model: { type: "string", default: "" },
    out: { type: "string", default: here },
  },
});
const { quick, out } = values;
if (values.only.split(",").includes("language-model") && values.model === "")
  throw new Error("--only language-model measures a model folder; name it with --model FOLDER");
const parts = values.example ? ["examples"] : values.only.split(",");
const cores = availableParallelism();
const shapes = quick ? QUICK : FULL;
const ROUNDS = quick ? 1 : 3;
/** Operations of the largest product that a slow target computes; larger ones would take minutes. */
const MOST_OF_SLOW = 2 * 512 ** 3;

const progress = (text) => process.stderr.write(`${text}\n`);

const python =
  process.env.PYTHON ??
  [join(here, "../../golden/export/flamingo_pytorch/.venv/bin/python")].find((path) => existsSync(path)) ??
  "python3";
const pytorch = (threads) => start(python, [join(here, "peers/pytorch.py"), `${threads}`]);

async function torchVersion() {
  const torch = pytorch(1);
  const { version = null } = await torch.next();
  await torch.stop();
  return version;
}

const oneAndAll = [...new Set([1, cores])];
const threadsOf = { one: [1], both: oneAndAll, cores: [cores] };

/** A process for each target and number of threads; between requests it is idle. */
function openTargets(torch) {
  const script = join(here, "target-process.mjs");
  const packages = Object.entries(targets).flatMap(([backend, { threads: choice, slow }]) =>
    threadsOf[choice].map((threads) => {
      const { request, stop } = start(process.execPath, [script, backend, `${threads}`]);
      return { backend, threads, slow, request, stop };
    }),
  );
  if (torch === null) return packages;
  const torches = oneAndAll.map((threads) => {
    const { request, next, stop } = pytorch(threads);
    const ready = next();
    const afterStart = async (question) => {
      await ready;
      return request(question);
    };
    return { backend: "PyTorch", threads, request: afterStart, stop };
  });
  return [...packages, ...torches];
}

async function products(opened) {
  const rates = [];
  for (const shape of shapes.matmul) {
    const operations = kernels.matmul.operations(shape);
    const measured = opened.filter(({ slow }) => !slow || operations <= MOST_OF_SLOW);
    const reported = new Set();
    const tasks = measured.map(({ backend, threads, request }) => async () => {
      const { seconds, error } = await request({ shape, quick });
      const message = `${backend}, ${threads}: ${error}`;
      if (error !== undefined && !reported.has(message)) progress(message);
      reported.add(message);
      return error === undefined ? seconds : null;
    });
    const medians = await inRounds(ROUNDS, tasks);
    for (const [i, { backend, threads }] of measured.entries()) {
      if (Number.isNaN(medians[i])) continue;
      const gflops = operations / medians[i] / 1e9;
      rates.push({ backend, mode: null, threads, shape, gflops });
      progress(`${shape.join("×")} ${backend}, ${threads}: ${gflops.toFixed(1)} GFLOP/s`);
    }
  }
  return rates;
}

async function torchAttention() {
  const rates = [];
  for (const threads of oneAndAll) {
    const torch = pytorch(threads);
    await torch.next();
    for (const shape of shapes.attention) {
      const { seconds, error } = await torch.request({ attention: shape, quick });
      const gflops = kernels.attention.operations(shape) / seconds / 1e9;
      if (error !== undefined) progress(`PyTorch, ${threads}: ${error}`);
      else rates.push({ backend: "PyTorch", mode: null, threads, shape, gflops });
    }
    await torch.stop();
  }
  return rates;
}

/** The targets that can do a part beside the product, on one thread or on all. */
const targetsWith = (part) =>
  Object.entries(targets)
    .filter(([, target]) => part in target)
    .flatMap(([backend, { threads: choice }]) => threadsOf[choice].map((threads) => ({ backend, threads })));

/** The answers of a process to some questions, with errors reported. */
async function answers({ backend, threads }, questions) {
  const { request, stop } = start(process.execPath, [
    join(here, "target-process.mjs"),
    backend,
    `${threads}`,
  ]);
  const found = [];
  for (const question of questions) {
    const { error, ...answer } = await request({ ...question, quick });
    if (error !== undefined) progress(`${backend}, ${threads}: ${error}`);
    found.push(error === undefined ? answer : null);
  }
  await stop();
  return found;
}

async function otherAttention() {
  const rates = [];
  for (const target of targetsWith("attention")) {
    const found = await answers(
      target,
      shapes.attention.map((attention) => ({ attention })),
    );
    for (const [i, shape] of shapes.attention.entries()) {
      if (found[i] === null) continue;
      const gflops = kernels.attention.operations(shape) / found[i].seconds / 1e9;
      rates.push({ ...target, mode: null, shape, gflops });
    }
  }
  return rates;
}

/** The example that targets beside PyTorch are measured on. */
const GATED = "gated-cross-attention-block";

async function otherExamples(name) {
  if (name !== GATED) return [];
  const found = [];
  for (const target of targetsWith("gated"))
    for (const answer of await answers(target, [{ gated: true }]))
      if (answer !== null) found.push({ name, ...target, ...answer });
  return found;
}

/** The sizes and threads that flamboyance was measured on, each in a process of its own. */
async function torchDecoding(speeds) {
  const found = [];
  for (const { layers, width, cached, threads } of speeds) {
    const torch = pytorch(threads);
    await torch.next();
    const { seconds, error } = await torch.request({ decode: { layers, width, cached }, quick });
    await torch.stop();
    const size = { layers, width, cached };
    if (error !== undefined) progress(`decode, PyTorch, ${threads}: ${error}`);
    else found.push({ backend: "PyTorch", mode: null, threads, ...size, tokensPerSecond: 1 / seconds });
  }
  return found;
}

const medianOf = (rounds, key) => median(rounds.map((round) => round[key]));

/** flamboyance and PyTorch read the same text and decode after it in turn. The first round of each is not counted. */
async function languageModels(folder, torch) {
  const [ours] = bench("--only", "language-model", "--model", folder, "--backend", "simd").languageModel;
  const { threads } = ours;
  const { rounds: count, ...text } = quick ? QUICK_TEXT : TEXT;
  const script = join(here, "target-process.mjs");
  const opened = [
    { backend: "simd", ...start(process.execPath, [script, "flamboyance simd", `${threads}`]) },
    ...(torch === null ? [] : [{ backend: "PyTorch", ...pytorch(threads) }]),
  ];
  if (torch !== null) await opened[1].next(); // its version
  const rounds = opened.map(() => []);
  for (let round = 0; round <= count; round++)
    for (const [i, { backend, request }] of opened.entries()) {
      const { error, ...times } = await request({ languageModel: folder, ...text });
      if (error !== undefined) progress(`language model, ${backend}: ${error}`);
      else if (round > 0) rounds[i].push(times);
    }
  await Promise.all(opened.map(({ stop }) => stop()));
  return opened.flatMap(({ backend }, i) => {
    if (rounds[i].length === 0) return [];
    const keys = ["prefillSeconds", "prefillProcessorSeconds", "tokenSeconds", "tokenProcessorSeconds"];
    const times = Object.fromEntries(keys.map((key) => [key, medianOf(rounds[i], key)]));
    const limits = backend === "simd" ? ours : {};
    const { peakBytes } = rounds[i].at(-1);
    return [
      {
        ...limits,
        backend,
        mode: null,
        threads,
        ...text,
        ...times,
        peakBytes,
        tokensPerSecond: 1 / times.tokenSeconds,
      },
    ];
  });
}

/** A process for each example, so that the memory measured is that of the example. */
async function torchExample(example) {
  const torch = pytorch(cores);
  await torch.next();
  const { seconds, peakBytes, error } = await torch.request({ example, quick });
  await torch.stop();
  if (error === undefined) return [{ name: example, backend: "PyTorch", threads: cores, seconds, peakBytes }];
  progress(`${example}, PyTorch: ${error}`);
  return [];
}

/** The document of `flamboyance bench --json`. */
function bench(...options) {
  const main = join(here, "../../dist/cli/main.js");
  const args = [main, "bench", "--json", ...options, ...(quick ? ["--quick"] : [])];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`flamboyance bench ended with status ${status}`);
  return JSON.parse(stdout);
}

async function measure() {
  const torch = await torchVersion();
  if (torch === null) progress(`${python} has no torch: PyTorch is left out`);
  const results = {
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
    decode: [],
    scaling: [],
    start: [],
    languageModel: [],
  };
  if (parts.includes("matmul")) {
    const opened = openTargets(torch);
    results.matmul = await products(opened);
    await Promise.all(opened.map(({ stop }) => stop()));
  }
  if (parts.includes("attention")) {
    const ours = bench("--only", "attention", "--backend", "simd").attention.map((rate) => ({
      ...rate,
      backend: `flamboyance ${rate.backend}`,
      mode: null,
    }));
    results.attention = [
      ...ours,
      ...(await otherAttention()),
      ...(torch === null ? [] : await torchAttention()),
    ];
  }
  if (parts.includes("examples")) {
    const names = quick ? EXAMPLES.filter((name) => name in quickExamples) : EXAMPLES;
    for (const name of values.example ? values.example.split(",") : names) {
      results.examples.push(...bench("--example", name).examples, ...(await otherExamples(name)));
      if (torch !== null) results.examples.push(...(await torchExample(name)));
    }
  }
  if (parts.includes("decode")) {
    results.decode = bench("--only", "decode", "--backend", "simd").decode;
    if (torch !== null) results.decode.push(...(await torchDecoding(results.decode)));
  }
  if (parts.includes("language-model"))
    results.languageModel = await languageModels(resolve(values.model), torch);
  if (parts.includes("scaling")) results.scaling = bench("--only", "scaling").scaling;
  if (parts.includes("start")) results.start = bench("--only", "start").start;
  return results;
}

const resultsFolder = join(out, "results");
mkdirSync(resultsFolder, { recursive: true });
if (!parts.includes("page")) {
  const file = `node-${process.versions.node.split(".")[0]}.json`;
  const path = join(resultsFolder, file);
  const before = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  const results = await measure();
  const isSame = ["cpu", "cores", "torch", "quick"].every((key) => before[key] === results[key]);
  for (const [part, key] of Object.entries(KEYS))
    if (isSame && !parts.includes(part)) results[key] = before[key] ?? results[key];
  writeFileSync(path, `${JSON.stringify(results, null, 1)}\n`);
}
const all = readdirSync(resultsFolder)
  .filter((file) => file.endsWith(".json"))
  .sort()
  .map((file) => JSON.parse(readFileSync(join(resultsFolder, file), "utf8")));
for (const [file, text] of Object.entries(page(all))) writeFileSync(join(out, file), text);
progress(`wrote ${join(out, "README.md")}`);
process.exit(0);
