// Measures one target in a process of its own:
//   node target-process.mjs NAME THREADS
// For each line {"shape":[m,k,n]}, {"attention":[h,l,s,d]} or {"gated":true}, with "quick", on stdin it prints a line {"seconds"} or
// {"error"}; after the gated block, with "peakBytes". For {"languageModel":FOLDER,"tokens","steps"} it prints the times of a round, as
// `Round` in src/bench/decoders/pretrained.ts, with "peakBytes".
import { createInterface } from "node:readline";
import { checkProduct, operand } from "../../dist/bench/rates.js";
import { secondsOf } from "../../dist/bench/timing.js";
import { targets } from "./targets.mjs";
import { attentionTask, gatedTask } from "./work.mjs";

const [name, threads] = process.argv.slice(2);
const print = console.log;
console.log = console.error; // libraries that log must not write between the results

const target = targets[name];
const opened = new Map();
/** The product, attention or the gated block of the target, opened once. */
function prepared(part) {
  if (!opened.has(part)) opened.set(part, target[part](Number(threads)));
  return opened.get(part);
}

async function product(shape) {
  const [m, k, n] = shape;
  const [a, b] = [operand(m * k, 1), operand(k * n, 2)];
  const multiply = await (await prepared("open"))(a, b, shape);
  checkProduct(a, b, await multiply(), shape, name);
  return multiply;
}

const taskOf = async ({ shape, attention, gated }) => {
  if (gated) return gatedTask(await prepared("gated"), name);
  return attention ? attentionTask(await prepared("attention"), attention, name) : product(shape);
};

const peakBytes = () => 1024 * process.resourceUsage().maxRSS;

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  try {
    if (question.languageModel !== undefined) {
      const { tokens, steps, languageModel: folder } = question;
      const round = await (await prepared("languageModel"))(folder, { tokens, steps });
      print(JSON.stringify({ ...round, peakBytes: peakBytes() }));
      continue;
    }
    const timing = question.quick ? { runs: 1, seconds: 0 } : { runs: 3, seconds: 0.4 };
    const seconds = await secondsOf(await taskOf(question), timing);
    print(JSON.stringify(question.gated ? { seconds, peakBytes: peakBytes() } : { seconds }));
  } catch (error) {
    print(JSON.stringify({ error: String(error?.message ?? error) }));
  }
}
process.exit(0);
