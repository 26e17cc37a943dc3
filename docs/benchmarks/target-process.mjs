// Measures one target in a process of its own:
//   node target-process.mjs NAME THREADS
// For each line {"shape":[m,k,n],"quick":…} on stdin it prints a line {"seconds"} or {"error"}.
import { createInterface } from "node:readline";
import { checkProduct, operand } from "../../dist/bench/rates.js";
import { secondsOf } from "../../dist/bench/timing.js";
import { targets } from "./targets.mjs";

const [name, threads] = process.argv.slice(2);
const print = console.log;
console.log = console.error; // libraries that log must not write between the results

async function measure(prepare, shape, quick) {
  const [m, k, n] = shape;
  const [a, b] = [operand(m * k, 1), operand(k * n, 2)];
  const multiply = await prepare(a, b, shape);
  checkProduct(a, b, await multiply(), shape, name);
  return secondsOf(multiply, quick ? { runs: 1, seconds: 0 } : { runs: 3, seconds: 0.4 });
}

const opened = targets[name].open(Number(threads)).catch((error) => error);
for await (const line of createInterface({ input: process.stdin })) {
  const { shape, quick } = JSON.parse(line);
  try {
    const prepare = await opened;
    if (prepare instanceof Error) throw prepare;
    print(JSON.stringify({ seconds: await measure(prepare, shape, quick) }));
  } catch (error) {
    print(JSON.stringify({ error: String(error?.message ?? error) }));
  }
}
process.exit(0);
