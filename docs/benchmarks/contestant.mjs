// One contestant in a process of its own: a line {"shape":[m,k,n],"quick":…} in, a line {"seconds"} or {"error"} out.
//   node contestant.mjs NAME THREADS
import { createInterface } from "node:readline";
import { contestants } from "./contestants.mjs";

const [name, threads] = process.argv.slice(2);
const log = console.log;
console.log = console.error; // what a library has to say is no answer

/** The same numbers as every other contestant's, in ±1. */
export function numbers(length, seed) {
  let state = seed | 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** Some elements, held to the sum itself within what float32 may lose. */
function check(a, b, c, [m, k, n]) {
  const at = (i) => (typeof c.at === "function" ? c.at(i) : c[i]);
  if (c.length !== m * n) throw new Error(`${c.length} elements instead of ${m * n}`);
  for (let sample = 0; sample < 32; sample++) {
    const [i, j] = sample === 0 ? [m - 1, n - 1] : [(sample * 7919) % m, (sample * 6271) % n];
    let [sum, size] = [0, 0];
    for (let p = 0; p < k; p++) {
      sum += a[i * k + p] * b[p * n + j];
      size += Math.abs(a[i * k + p] * b[p * n + j]);
    }
    if (!(Math.abs(at(i * n + j) - sum) <= k * 2 ** -24 * size))
      throw new Error(`C[${i}, ${j}] is ${at(i * n + j)}, not ${sum}`);
  }
}

export const median = (values) => [...values].sort((x, y) => x - y)[values.length >> 1];

async function measure(prepare, shape, quick) {
  const [m, k, n] = shape;
  const [a, b] = [numbers(m * k, 1), numbers(k * n, 2)];
  const multiply = await prepare(a, b, shape);
  check(a, b, await multiply(), shape);
  await multiply();
  const times = [];
  const begun = performance.now();
  while (
    times.length < (quick ? 1 : 3) ||
    (!quick && times.length < 100 && performance.now() - begun < 400)
  ) {
    const since = performance.now();
    await multiply();
    times.push((performance.now() - since) / 1000);
  }
  return median(times);
}

const opened = contestants[name].open(Number(threads)).catch((error) => error);
for await (const line of createInterface({ input: process.stdin })) {
  const { shape, quick } = JSON.parse(line);
  try {
    const prepare = await opened;
    if (prepare instanceof Error) throw prepare;
    log(JSON.stringify({ seconds: await measure(prepare, shape, quick) }));
  } catch (error) {
    log(JSON.stringify({ error: String(error?.message ?? error) }));
  }
}
process.exit(0);
