// flamboyance bench

import { exampleApart, exampleHere } from "../../bench/example-process.ts";
import { EXAMPLES, type ExampleName, quickExamples } from "../../bench/examples.ts";
import { peakGflops } from "../../bench/peak-flops.ts";
import { rates } from "../../bench/rates.ts";
import { scaling } from "../../bench/scaling.ts";
import { firstHere, start } from "../../bench/start.ts";
import { type Measured, tables } from "../../bench/tables.ts";
import type { Target } from "../../bench/target.ts";
import { BACKENDS, type BackendName, cores, type Field, targets } from "../../bench/targets.ts";
import { LoadError } from "../../tensor/errors.ts";
import { styleFor } from "../../terminal/colour.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { wholeNumber } from "../backends.ts";
import { BENCH } from "../help/bench.ts";

const OPTIONS = {
  backend: { type: "string" },
  mode: { type: "string", default: "webasm,cpu" },
  threads: { type: "string" },
  only: { type: "string", default: "matmul,attention,examples,scaling,start" },
  example: { type: "string" },
  first: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const PARTS = ["peak", "matmul", "attention", "examples", "scaling", "start"] as const;
const MODES = ["webasm", "cpu", "webgl2", "webgpu", "headlessgl"] as const;

const list = <const T extends string>(option: string, text: string, allowed: readonly T[]): T[] =>
  text.split(",").map((word) => oneOf(option, word.trim(), allowed));

/** Who takes part: everybody in products and attention, the fast ones in what takes long, unless somebody is named. */
function fieldOf(values: { backend?: string | undefined; mode: string; threads?: string | undefined }) {
  const named = values.backend === undefined ? null : list("backend", values.backend, BACKENDS);
  const threads = values.threads
    ? values.threads.split(",").map((n) => wholeNumber("threads", n, 1))
    : [...new Set([1, cores()])];
  const field = (backends: readonly BackendName[]): Field => ({
    backends,
    modes: list("mode", values.mode, MODES),
    threads,
  });
  const long = targets({ ...field(named ?? ["simd"]) });
  const most = Math.max(...threads);
  return {
    named: named !== null,
    short: targets(field(named ?? BACKENDS)),
    long: long.filter((c) => c.backend !== "simd" || c.threads === most),
  };
}

const say = (what: string): void => void process.stderr.write(`${what}\n`);

/** Tries each; one that nobody named may be missing. */
export async function each<T>(all: readonly Target[], named: boolean, measure: (c: Target) => Promise<T[]>) {
  const found: T[] = [];
  for (const contestant of all) {
    try {
      found.push(...(await measure(contestant)));
    } catch (error) {
      if (named || !(error instanceof LoadError)) throw error;
      say(`${contestant.backend} is left out: ${error.message.split("\n")[0]}`);
    }
  }
  return found;
}

export async function bench(args: readonly string[]): Promise<number> {
  const { values } = readArguments(args, OPTIONS);
  if (values.help) {
    process.stdout.write(BENCH);
    return 0;
  }
  const { quick } = values;
  const parts = list("only", values.only, PARTS);
  const { named, short, long } = fieldOf(values);
  const [only] = long;
  if (values.first && only) {
    process.stdout.write(`${JSON.stringify(await firstHere(only))}\n`);
    return 0;
  }
  const patience = quick ? { runs: 2, seconds: 0 } : { runs: 5, seconds: 1 };
  const how = { quick, patience };
  const one = values.example === undefined ? null : oneOf("example", values.example, EXAMPLES);
  const has = (part: (typeof PARTS)[number]) => one === null && parts.includes(part);
  const found: Measured = {
    peakGflops: peakGflops(quick ? 100_000 : 2_000_000),
    matmul: has("matmul") ? await each(short, named, (c) => rates("matmul", c, how, say)) : [],
    attention: has("attention") ? await each(short, named, (c) => rates("attention", c, how, say)) : [],
    examples: [],
    scaling: has("scaling") ? await each(long, named, (c) => scaling(c, how, say)) : [],
    start: has("start") ? await each(long, named, async (c) => [await start(c, patience)]) : [],
  };
  if (one)
    for (const contestant of long) found.examples.push(await exampleHere(one, contestant, patience, quick));
  const wanted: readonly ExampleName[] = has("examples")
    ? EXAMPLES.filter((name) => !quick || name in quickExamples)
    : [];
  for (const name of wanted) {
    const times = await each(long, named, async (c) => [await exampleApart(name, c, quick)]);
    for (const { backend, seconds } of times) say(`${name} ${backend}: ${seconds.toFixed(3)} s`);
    found.examples.push(...times);
  }
  process.stdout.write(values.json ? `${JSON.stringify(found)}\n` : tables(found, styleFor(process.stdout)));
  return 0;
}
