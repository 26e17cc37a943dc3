// A process that runs slices in a worker thread (worker.ts) and ends it when an input takes too long or too much memory. It is a process
// of its own because the engine aborts the whole process when its memory ends.
//   node supervisor.mjs BUNDLED-WORKER FOLDER, with messages to and from its parent
import { Worker } from "node:worker_threads";

/** Limits of one input: seconds, megabytes of JavaScript objects, and megabytes of the process beside ten times the input. */
const LIMITS = { seconds: 5, heap: 400, process: 700 };

/** Fields of the state that the worker shares: see STATE in worker.ts. */
const [INDEX, LENGTH] = [0, 4];

const [script, folder] = process.argv.slice(2);
const state = new Float64Array(new SharedArrayBuffer(8 * LENGTH));
const megabytes = () => process.memoryUsage.rss() / 2 ** 20;

const worker = new Worker(script, {
  workerData: { state, folder },
  resourceLimits: { maxOldGenerationSizeMb: LIMITS.heap },
  stdout: true, // commands print reports, which nobody reads here
  stderr: true,
});
worker.stdout.resume();
worker.stderr.resume();

let base = 0;

/** How the input that is being read exceeds the limits; null if it does not. */
function excess() {
  const [, since, bytes, reading] = state;
  if (!reading) return null;
  if (Date.now() - since > 1000 * LIMITS.seconds)
    return `still being read after ${LIMITS.seconds} s (${bytes} bytes)`;
  const more = Math.round(megabytes() - base - (10 * bytes) / 2 ** 20);
  return more > LIMITS.process ? `${more} MB more than ten times its ${bytes} bytes` : null;
}

/** Reports that the worker is lost, and ends this process. */
function lost(reason) {
  const result = { accepted: 0, refused: 0, failure: `input ${state[INDEX]}: ${reason}`, lost: state[INDEX] };
  process.send(result, () => process.exit(1));
}

let timer;
worker.on("error", (error) => {
  clearInterval(timer);
  lost(error.code === "ERR_WORKER_OUT_OF_MEMORY" ? `more than ${LIMITS.heap} MB of objects` : error.stack);
});
worker.on("message", (message) => {
  clearInterval(timer);
  process.send(message);
});
worker.once("message", () => {
  base = megabytes();
});
process.on("message", (slice) => {
  timer = setInterval(() => {
    const reason = excess();
    if (reason === null) return;
    clearInterval(timer);
    lost(reason);
  }, 20);
  worker.postMessage(slice);
});
process.on("disconnect", () => process.exit(1)); // the parent has ended
