// node golden/export/kosmos_full/ours.mjs FOLDER PRECISION TIMES: forward passes and ten cached tokens of the model that make.mjs made, on simd
// with two threads; prints times, memory and numbers of the logits.
import { join } from "node:path";
import { build, IDS, NAMES } from "./make.mjs";

const { Int, loadStateDict, run } = await import("../../../dist/index.js");
const { loadSafetensors } = await import("../../../dist/entries/io.js");
const { stream } = await import("../../../dist/entries/generation.js");
const { simd } = await import("../../../dist/entries/simd.js");

const [folder, precision, times] = process.argv.slice(2);
const TOKENS = 10;
const SAMPLES = 4096;

async function timed(task) {
  const [before, since] = [process.cpuUsage(), performance.now()];
  const result = await task();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - since) / 1000, cpu: (user + system) / 1e6 };
}

const model = build();
const opened = await timed(async () => loadStateDict(model, loadSafetensors(join(folder, NAMES[precision]))));
const images = loadSafetensors(join(folder, NAMES.image)).tensor("pixels");
const backend = await simd({ threads: 2 });

/** The ids with a place for each vector of the image. */
const { image } = model.options.tokens;
const [bos, , ...rest] = IDS;
const places = [bos, ...Array(model.options.slots + 1).fill(image), ...rest];
const ids = new Int([1, places.length], Int32Array.from(places));

const forward = () =>
  run(backend, () => model.forward({ ids, images }).logits, { model, inputs: { images } });
const first = await timed(forward);
const passes = [];
for (let i = 0; i < Number(times); i++) passes.push(await timed(forward));

async function cached() {
  const found = [];
  const settings = { stop: [], maxTokens: TOKENS, backend, never: [image] };
  let prefix = 0;
  const since = performance.now();
  for await (const [token] of stream(model.withMedia({ images }), [places], settings)) {
    if (found.length === 0) prefix = (performance.now() - since) / 1000;
    found.push(token.id);
  }
  return { ids: found, prefix };
}
const text = await timed(cached);

/** Numbers of the logits, their root mean square, and the most probable id after each position. */
function summary(logits) {
  const values = logits.flat();
  const [, positions, width] = logits.shape;
  const best = Array.from({ length: positions }, (_, i) => {
    const row = values.subarray(i * width, (i + 1) * width);
    return row.indexOf(row.reduce((most, x) => Math.max(most, x), -Infinity));
  });
  const numbers = Array.from(
    { length: SAMPLES },
    (_, i) => values[Math.floor((i * values.length) / SAMPLES)],
  );
  return { rms: Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length), best, numbers };
}

const time = ({ seconds, cpu }) => ({ seconds, cpu });
console.log(
  JSON.stringify({
    opened: time(opened),
    first: time(first),
    passes: passes.map(time),
    text: { ...time(text), ...text.result, each: (text.seconds - text.result.prefix) / (TOKENS - 1) },
    logits: summary(first.result),
    peak: process.resourceUsage().maxRSS / 2 ** 20,
  }),
);
await backend.close();
