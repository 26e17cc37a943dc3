// flamboyance train kosmos-digits
import { join } from "node:path";
import { readDigits } from "../../demos/digits/data.ts";
import { reachChart } from "../../demos/kosmos-digits/chart.ts";
import { saveFlamingoDigits, saveKosmosDigits } from "../../demos/kosmos-digits/folder.ts";
import {
  type KosmosDigitsReport,
  kosmosDigitsDocument,
  kosmosDigitsMarkdown,
  kosmosDigitsText,
} from "../../demos/kosmos-digits/report.ts";
import {
  canResume,
  type KosmosDigitsRun,
  MOST_SEEDS,
  removeCheckpoints,
  type SeedResult,
  type TrainedSeed,
  trainSeed,
} from "../../demos/kosmos-digits/run.ts";
import { PLAN } from "../../demos/kosmos-digits/training.ts";
import { digitsTokenizer } from "../../demos/kosmos-digits/vocabulary.ts";
import type { Backend } from "../../kernels/backend.ts";
import { progressOn } from "../../terminal/progress.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile } from "../golden-files.ts";
import { TRAIN_KOSMOS } from "../help/train.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { beginRun, withRemedy, writeReport } from "./shared.ts";

const OPTIONS = {
  seed: { type: "string", multiple: true },
  steps: { type: "string", default: String(PLAN.documents.steps) },
  "vision-steps": { type: "string", default: String(PLAN.vision.steps) },
  compare: { type: "boolean", default: false },
  "held-out": { type: "string", default: "299" },
  backend: { type: "string", default: "auto" },
  out: { type: "string", default: "flamboyance-kosmos-digits" },
  resume: { type: "boolean", default: false },
  report: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

const STEPS_PER_LINE = 100;

/** Trains and measures with one seed, with a progress bar on stderr and a line every hundred steps. */
async function trainWithProgress(run: KosmosDigitsRun, seed: number, print: (line: string) => void) {
  const progress = progressOn(process.stderr);
  const steps = trainSeed(run, seed);
  let [mean, phase]: [number, string] = [0, ""];
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      progress.clear();
      return next.value;
    }
    const { step, of, loss } = next.value;
    mean = next.value.phase === phase ? 0.9 * mean + 0.1 * loss : loss;
    phase = next.value.phase;
    progress.step(step, of, `seed ${seed}  ${phase}  loss ${mean.toFixed(3)}`);
    if (step % STEPS_PER_LINE !== 0 && step !== of) continue;
    progress.clear();
    print(`seed ${seed}  ${phase.padEnd(12)} ${String(step).padStart(5)}/${of}   loss ${mean.toFixed(3)}`);
  }
}

/** The run that the options describe. All of them are checked before anything is written. */
async function runOf(values: Values, backend: Backend): Promise<KosmosDigitsRun> {
  const seeds = (values.seed ?? ["1"]).map((seed) => wholeOption("seed", seed));
  if (seeds.length > MOST_SEEDS || new Set(seeds).size !== seeds.length)
    throw new UsageError(`--seed is given at most ${MOST_SEEDS} times, each time with another number`);
  const steps = wholeOption("steps", values.steps, 2, 1_000_000);
  const visionSteps = wholeOption("vision-steps", values["vision-steps"], 2, 1_000_000);
  if (values.report === "") throw new UsageError("--report is empty; name a file");
  if (values.out === "") throw new UsageError("--out is empty; name a folder");
  const { train, heldOut } = readDigits(digitsFile());
  const count = wholeOption("held-out", values["held-out"], 10, heldOut.length);
  const plan = {
    vision: { ...PLAN.vision, steps: visionSteps },
    documents: { ...PLAN.documents, steps },
  };
  const digits = { train, heldOut: heldOut.slice(0, count) };
  const clock = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const { compare, resume } = values;
  const checkpoints = join(values.out, "checkpoint-");
  return {
    seeds,
    digits,
    tokenizer: await digitsTokenizer(),
    plan,
    backend,
    compare,
    clock,
    checkpoints,
    resume,
  };
}

const RESULTS = [
  ...["kosmos.json", "model.safetensors", "report.md", "reach.svg"],
  ...["flamingo/flamingo-palm.json", "flamingo/model.safetensors"],
] as const;

async function runKosmos(values: Values, backend: Backend): Promise<void> {
  const { json, out } = values;
  const run = await runOf(values, backend);
  beginRun(values, canResume(run), RESULTS); // [kosmosDigits.resume]
  if (!run.resume) removeCheckpoints(run);
  const [since, processorSince] = [performance.now(), run.clock()];
  const print = (line: string): void => void (json || writeOut(`${line}\n`));
  const results: SeedResult[] = [];
  let first: TrainedSeed | null = null;
  for (const seed of run.seeds) {
    const trained = await withRemedy(trainWithProgress(run, seed, print));
    results.push(trained.result);
    first ??= trained;
  }
  const seconds = (performance.now() - since) / 1e3;
  const times = { seconds, processorSeconds: run.clock() - processorSince };
  const report: KosmosDigitsReport = { backend: backend.name, plan: run.plan, ...times, results };
  if (first) await saveKosmosDigits(out, first.kosmos, run.digits.heldOut); // [kosmosDigits.folder]
  if (first?.flamingo) saveFlamingoDigits(`${out}/flamingo`, first.flamingo, first.classifier); // [kosmosDigits.flamingo-folder]
  const chart = { name: "reach.svg", svg: reachChart(results[0]?.readers ?? []) };
  writeReport(values, kosmosDigitsMarkdown(report), chart);
  if (json) writeJson(kosmosDigitsDocument(report));
  else
    writeOut(
      `\n${kosmosDigitsText(report, paintOn(process.stdout), widthOn(process.stdout))}\n\nThe folder of the Kosmos, report.md and reach.svg are in ${out}\n`,
    );
}

export async function trainKosmosTask(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(TRAIN_KOSMOS);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`train kosmos-digits takes options only, not "${positionals.join(" ")}"`);
  const backend = await openBackend(values.backend);
  try {
    await runKosmos(values, backend);
    return 0;
  } finally {
    await backend.close();
  }
}
