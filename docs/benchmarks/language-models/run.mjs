// Compares the backends on a language model from a folder, in one process, and writes README.md:
//   node run.mjs [--model FOLDER] [--tokens N] [--steps N] [--rounds N] [--quick] [--out FOLDER]
//   node run.mjs --page             writes README.md from results.json
// A round measures every backend, the peak of the processor and the rate of the memory, one after another; the next round begins with
// another backend. The first round, in which weights are read and packed, is not counted. Needs `npm run build`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, homedir } from "node:os";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bytesReadBy, memoryBandwidth } from "../../../dist/bench/decoders/decode.js";
import { PretrainedDecoder, workOf } from "../../../dist/bench/decoders/pretrained.js";
import { peakGflops } from "../../../dist/bench/peak-flops.js";
import { gpu } from "../../../dist/entries/gpu.js";
import { simd } from "../../../dist/entries/simd.js";
import { reference } from "../../../dist/index.js";
import { page } from "./page.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const MODEL = join(homedir(), ".cache/flamboyance/SmolLM2-135M-Instruct");
const HELP = `npm run bench:language-models -- [options]

  --model FOLDER  a language model, with config.json and model.safetensors
                  (default: the one that npm run fetch:smollm2 makes)
  --tokens N      tokens that are read at once (default: 128)
  --steps N       tokens that are decoded after them (default: 8)
  --rounds N      rounds that count (default: 5)
  --quick         short loops for the limits, to test that everything works
  --out FOLDER    where README.md and results.json are written (default: this
                  script's folder)
  --page          measure nothing; write README.md from results.json

Example
  npm run bench:language-models -- --rounds 9
`;

/** The options; a wrong one ends the process with the help. */
function options() {
  const text = (value) => ({ type: "string", default: value });
  const flag = { type: "boolean", default: false };
  try {
    const { values } = parseArgs({
      options: {
        ...{ model: text(MODEL), tokens: text("128"), steps: text("8"), rounds: text("5") },
        ...{ quick: flag, out: text(here), page: flag, help: flag },
      },
    });
    const counts = Object.fromEntries(
      ["tokens", "steps", "rounds"].map((name) => {
        if (!/^[1-9]\d{0,5}$/.test(values[name]))
          throw new Error(`--${name} is a whole number from 1 up, not "${values[name]}"`);
        return [name, Number(values[name])];
      }),
    );
    if (!values.page && !values.help && !existsSync(join(values.model, "config.json")))
      throw new Error(`${values.model} has no config.json; npm run fetch:smollm2 makes the default folder`);
    return { ...values, ...counts };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    process.exit(3);
  }
}

const values = options();
const progress = (text) => process.stderr.write(`${text}\n`);
const cores = availableParallelism();

/** Backends with the threads that they use. The last one is the one that the others are compared with. */
async function openBackends() {
  const backends = [
    { name: "reference", threads: 1, backend: reference("float32") },
    { name: "gpu.js webasm", threads: cores, backend: await gpu({ mode: "webasm" }) },
  ];
  for (const threads of [...new Set([1, cores])])
    backends.push({ name: "simd", threads, backend: await simd({ threads }) });
  return backends;
}

/** The limits of the machine at this moment: operations per second of one thread, bytes per second by threads. */
async function limits(threadCounts) {
  const peak = 1e9 * (await peakGflops(values.quick ? 100_000 : 2_000_000));
  const bandwidth = {};
  for (const threads of threadCounts)
    bandwidth[threads] = await memoryBandwidth(values.quick ? 2 ** 22 : 2 ** 28, threads);
  return { peak, bandwidth };
}

/** The most probable token after a prompt, of which there is one. */
async function checkTokens(opened) {
  const tokens = [];
  for (const { decoder } of opened) tokens.push(await decoder.firstToken());
  if (new Set(tokens).size > 1)
    throw new Error(`the backends continue a prompt with different tokens: ${tokens.join(", ")}`);
}

async function measure() {
  const opened = [];
  for (const one of await openBackends())
    opened.push({ ...one, decoder: await PretrainedDecoder.open(values.model, one.backend) });
  await checkTokens(opened);
  const { tokens, steps } = values;
  const { writer, model } = opened[0].decoder.loaded;
  const { operations } = workOf(writer, tokens);
  const { cached } = workOf(writer, tokens + steps);
  const rounds = [];
  for (let round = 0; round <= values.rounds; round++) {
    const order = opened.map((_, i) => opened[(i + round) % opened.length]);
    const times = new Map();
    for (const one of order) {
      const measured = await one.decoder.round({ tokens, steps: round === 0 ? 1 : steps });
      times.set(one, measured);
      const perSecond = (1 / measured.tokenSeconds).toFixed(1);
      progress(
        `round ${round}, ${one.name}, ${one.threads}: ${measured.prefillSeconds.toFixed(2)} s, then ${perSecond} tokens/s`,
      );
    }
    const machine = await limits([...new Set(opened.map(({ threads }) => threads))]);
    if (round > 0) rounds.push({ machine, times: opened.map((one) => times.get(one)) });
  }
  for (const { backend } of opened) await backend.close();
  return {
    ...{ node: process.version, cpu: cpus()[0]?.model ?? "unknown", cores, quick: values.quick },
    ...{ model: basename(resolve(values.model)), tokens, steps, operations },
    bytes: bytesReadBy(model) + 4 * cached,
    backends: opened.map(({ name, threads }) => ({ name, threads })),
    rounds,
  };
}

if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const file = join(values.out, "results.json");
mkdirSync(values.out, { recursive: true });
if (!values.page) writeFileSync(file, `${JSON.stringify(await measure(), null, 1)}\n`);
const results = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
const { text, unstable } = page(results);
writeFileSync(join(values.out, "README.md"), text);
progress(`wrote ${join(values.out, "README.md")}`);
if (unstable > 0)
  progress(`${unstable} ratios vary by more than 10 % between the rounds: measure on an idle machine`);
process.exit(0);
