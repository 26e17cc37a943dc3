// flamboyance bench

import { cores } from "#host";
import { decode } from "../../bench/decoders/decode.ts";
import {
  type MemorySize,
  type MemoryUse,
  memoryApart,
  memoryHere,
  WEIGHTS,
} from "../../bench/decoders/memory.ts";
import {
  firstTokenHere,
  type PretrainedSpeed,
  pretrainedApart,
  pretrainedHere,
} from "../../bench/decoders/pretrained.ts";
import { type ExampleTime, exampleApart, exampleHere } from "../../bench/example-process.ts";
import { EXAMPLES, type ExampleName, quickExamples } from "../../bench/examples.ts";
import { peakGflops } from "../../bench/peak-flops.ts";
import { type BenchOptions, rates } from "../../bench/rates.ts";
import { scaling } from "../../bench/scaling.ts";
import { firstHere, start } from "../../bench/start.ts";
import { type Results, resultTables } from "../../bench/tables.ts";
import type { Target } from "../../bench/target.ts";
import { BACKENDS, type BackendName, type Selection, targets } from "../../bench/targets.ts";
import { LoadError } from "../../tensor/errors.ts";
import { listOption, oneOf, readArguments, wholeOption } from "../arguments.ts";
import { BENCH } from "../help/bench.ts";
import { paintOn, widthOn, writeError, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  backend: { type: "string" },
  mode: { type: "string", default: "webasm,cpu" },
  threads: { type: "string" },
  only: { type: "string", default: "matmul,attention,examples,scaling,start" },
  example: { type: "string" },
  weights: { type: "string" },
  model: { type: "string" },
  layers: { type: "string", default: "24" },
  width: { type: "string", default: "2048" },
  tokens: { type: "string", default: "114" },
  first: { type: "boolean", default: false },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const PARTS = [
  "peak",
  "matmul",
  "attention",
  "examples",
  "scaling",
  "start",
  "memory",
  "decode",
  "language-model",
] as const;
type Part = (typeof PARTS)[number];
const MODES = ["webasm", "cpu", "webgl2", "webgpu", "headlessgl"] as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

interface Selected {
  /** Whether --backend named the targets. */
  readonly named: boolean;
  /** Targets of products and attention: every backend by default. */
  readonly kernels: readonly Target[];
  /** Targets of the other parts, which take longer: simd by default, on the most threads. */
  readonly models: readonly Target[];
}

function select(values: Values): Selected {
  const named =
    values.backend === undefined
      ? null
      : listOption(values.backend, (word) => oneOf("backend", word, BACKENDS));
  const threads = values.threads
    ? listOption(values.threads, (n) => wholeOption("threads", n, 1))
    : [...new Set([1, cores()])];
  const modes = listOption(values.mode, (word) => oneOf("mode", word, MODES));
  const selection = (backends: readonly BackendName[]): Selection => ({ backends, modes, threads });
  const most = Math.max(...threads);
  return {
    named: named !== null,
    kernels: targets(selection(named ?? BACKENDS)),
    models: targets(selection(named ?? ["simd"])).filter((t) => t.backend !== "simd" || t.threads === most),
  };
}

const progress = (line: string): void => writeError(`${line}\n`);

/** Measures each target. One that cannot be opened is left out, unless the command line named it. */
export async function each<T>(
  all: readonly Target[],
  named: boolean,
  measure: (target: Target) => Promise<T[]>,
): Promise<T[]> {
  const results: T[] = [];
  for (const target of all) {
    try {
      results.push(...(await measure(target)));
    } catch (error) {
      if (named || !(error instanceof LoadError)) throw error;
      progress(`${target.backend} is left out: ${error.message.split("\n")[0]}`);
    }
  }
  return results;
}

/** Decoders with weights of each dtype, each in a process of its own. */
async function memoryOf(target: Target, size: MemorySize, quick: boolean): Promise<MemoryUse[]> {
  const uses: MemoryUse[] = [];
  for (const weights of WEIGHTS.slice(0, 2)) {
    const use = await memoryApart(weights, size, target, quick);
    progress(`${use.parameters} ${weights} parameters: ${(use.peakBytes / 2 ** 30).toFixed(2)} GiB`);
    uses.push(use);
  }
  return uses;
}

async function languageModelOf(
  target: Target,
  model: string | null,
  options: BenchOptions,
): Promise<PretrainedSpeed[]> {
  if (model === null)
    throw new UsageError("--only language-model measures a model folder; name it with --model FOLDER");
  return [await pretrainedApart(model, target, options)];
}

async function measureAll(
  parts: readonly Part[],
  { named, kernels, models }: Selected,
  size: MemorySize,
  model: string | null,
  options: BenchOptions,
): Promise<Results> {
  const { quick, timing } = options;
  const on = <T>(part: Part, all: readonly Target[], measure: (target: Target) => Promise<T[]>) =>
    parts.includes(part) ? each(all, named, measure) : [];
  const names: readonly ExampleName[] = EXAMPLES.filter((name) => !quick || name in quickExamples);
  const runExamples = async (target: Target): Promise<ExampleTime[]> => {
    const times: ExampleTime[] = [];
    for (const name of names) {
      const time = await exampleApart(name, target, quick);
      progress(`${name} ${time.backend}: ${time.seconds.toFixed(3)} s`);
      times.push(time);
    }
    return times;
  };
  return {
    peakGflops: await peakGflops(quick ? 100_000 : 2_000_000),
    matmul: await on("matmul", kernels, (target) => rates("matmul", target, options)),
    attention: await on("attention", kernels, (target) => rates("attention", target, options)),
    examples: await on("examples", models, runExamples),
    scaling: await on("scaling", models, (target) => scaling(target, options)),
    start: await on("start", models, async (target) => [await start(target, timing)]),
    memory: await on("memory", models, (target) => memoryOf(target, size, quick)),
    decode: await on("decode", models, (target) => decode(target, options)),
    languageModel: await on("language-model", models, (target) => languageModelOf(target, model, options)),
  };
}

export async function bench(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(BENCH);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(
      `bench takes options only, such as --only matmul, and was given "${positionals[0]}"`,
    );
  const { quick } = values;
  const parts = listOption(values.only, (word) => oneOf("only", word, PARTS));
  const example = values.example === undefined ? null : oneOf("example", values.example, EXAMPLES);
  const selected = select(values);
  const model = values.model ?? null;
  const timing = quick ? { runs: 2, seconds: 0 } : { runs: 5, seconds: 1 };
  if (values.first) {
    const [target] = selected.models;
    if (target) writeJson(await (model === null ? firstHere(target) : firstTokenHere(model, target)));
    return 0;
  }
  const [layers, width, tokens] = (["layers", "width", "tokens"] as const).map((name) =>
    wholeOption(name, values[name], 1),
  ) as [number, number, number];
  const size = { layers, width, tokens };
  const weights = values.weights === undefined ? null : oneOf("weights", values.weights, WEIGHTS);
  const modelHere = model !== null && !parts.includes("language-model");
  const here = example !== null || weights !== null || modelHere;
  const results = await measureAll(here ? [] : parts, selected, size, model, { quick, timing, progress });
  if (weights !== null)
    for (const target of selected.models)
      results.memory.push(await memoryHere(weights, size, target, timing));
  if (modelHere)
    for (const target of selected.models)
      results.languageModel.push(await pretrainedHere(model, target, { quick, progress }));
  if (example !== null)
    for (const target of selected.models)
      results.examples.push(await exampleHere(example, target, timing, quick));
  if (values.json) writeJson(results);
  else writeOut(resultTables(results, paintOn(process.stdout), widthOn(process.stdout)));
  return 0;
}
