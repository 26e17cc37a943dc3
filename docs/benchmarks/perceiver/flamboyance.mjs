// Runs a task on simd with two threads in a process of its own:
//   node flamboyance.mjs TASK WEIGHTS [--draw]
// --draw writes random weights to the file WEIGHTS and ends. Otherwise, for each line "run" on stdin, a line {"seconds", "cpuSeconds",
// "peakBytes", "outputs"}, with some numbers of each output, or {"error"}. A run is what a caller waits for when the model is loaded: the
// inputs are copied in and the results out.
import { createInterface } from "node:readline";
import { reconstruct } from "../../../dist/demos/perceiver/tasks.js";
import { loadPerceiver, loadSafetensors, saveSafetensors } from "../../../dist/entries/io.js";
import { simd } from "../../../dist/entries/simd.js";
import {
  generator,
  initialize,
  rearrange,
  record,
  replay,
  slice,
  stateDict,
  tensor,
} from "../../../dist/index.js";
import { CHUNKS, TASKS } from "./tasks.mjs";

const [name, weights, draw] = process.argv.slice(2);
const { model: build, inputs: make, call } = TASKS[name];
const model = build();

if (draw) {
  initialize(model, 1);
  const state = stateDict(model);
  const last = state.get("perceiver._decoder.final_layer.weight"); // zeros in the flow model, which would hide all others
  const { normal } = generator(2);
  if (name === "flow")
    last.assign(
      tensor(
        "...",
        last.shape,
        Float32Array.from({ length: last.size }, () => 0.1 * normal()),
      ).data,
    );
  saveSafetensors(weights, state);
  process.exit(0);
}

loadPerceiver(model, loadSafetensors(weights), "perceiver-io");
const backend = await simd({ threads: 2 });
const inputs = make();

/** The first of all chunks of a video, as the source returns it. */
function firstChunk({ image, audio, label }) {
  const [, frames, , height, width] = image.shape;
  const pixels = (frames * height * width) / CHUNKS;
  const first = rearrange("b t c h w -> b (t h w) c", image);
  return { image: slice(first, 1, 0, pixels), audio: slice(audio, 1, 0, audio.shape[1] / CHUNKS), label };
}

async function prepared() {
  if (name === "autoencode")
    return async () =>
      firstChunk(
        await reconstruct(model, inputs.images, inputs.audio, CHUNKS, { backend, onStep: () => {} }),
      );
  const program = record(() => call(model, inputs), { model, inputs, symbolic: true });
  return async () => (await replay(program, backend, { bind: inputs })).outputs;
}

/** The root mean square and 64 numbers of an output, in row-major order. */
function sample(output) {
  const values = output.flat();
  const rms = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  const numbers = Array.from({ length: 64 }, (_, i) => values[Math.floor((i * values.length) / 64)]);
  return { rms, numbers };
}

const run = await prepared();
for await (const _ of createInterface({ input: process.stdin })) {
  try {
    const [before, since] = [process.cpuUsage(), performance.now()];
    const outputs = await run();
    const seconds = (performance.now() - since) / 1000;
    const { user, system } = process.cpuUsage(before);
    const samples = Object.fromEntries(
      Object.entries(outputs).map(([output, tensor]) => [output, sample(tensor)]),
    );
    const peakBytes = 1024 * process.resourceUsage().maxRSS;
    console.log(JSON.stringify({ seconds, cpuSeconds: (user + system) / 1e6, peakBytes, outputs: samples }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error?.stack ?? error) }));
  }
}
process.exit(0);
