// flamboyance train perceiver-digits
import { join } from "node:path";
import { writeFile } from "#host";
import { readDigits } from "../../demos/digits/data.ts";
import { perceiverDigits, savePerceiverDigits } from "../../demos/digits/perceiver/model.ts";
import {
  type PerceiverReport,
  perceiverDocument,
  perceiverText,
} from "../../demos/digits/perceiver/report.ts";
import { type PerceiverRun, readPictures, trainPerceiver } from "../../demos/digits/perceiver/training.ts";
import { progressOn } from "../../terminal/progress.ts";
import { folderOption, readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile } from "../golden-files.ts";
import { TRAIN_PERCEIVER } from "../help/train.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  seed: { type: "string", default: "1" },
  steps: { type: "string", default: "2400" },
  backend: { type: "string", default: "auto" },
  out: { type: "string", default: "flamboyance-perceiver-digits" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

const STEPS_PER_LINE = 100;

/** Trains with a progress bar on stderr and a line every hundred steps. */
async function trainWithProgress(run: PerceiverRun, print: (line: string) => void): Promise<void> {
  const progress = progressOn(process.stderr);
  for await (const { step, loss } of trainPerceiver(run)) {
    progress.step(step, run.steps, `loss ${loss.toFixed(3)}`);
    if (step % STEPS_PER_LINE !== 0 && step !== run.steps) continue;
    progress.clear();
    print(`${String(step).padStart(5)}/${run.steps}   loss ${loss.toFixed(3)}`);
  }
}

/** Trains and measures. All options have been checked. */
async function resultOf(run: PerceiverRun, print: (line: string) => void): Promise<PerceiverReport> {
  const { heldOut } = readDigits(digitsFile());
  const [since, usage] = [performance.now(), process.cpuUsage()];
  await trainWithProgress(run, print);
  const reading = await readPictures(run.model, heldOut, run.backend);
  const { user, system } = process.cpuUsage(usage);
  return {
    ...reading,
    seed: run.seed,
    steps: run.steps,
    seconds: (performance.now() - since) / 1e3,
    processorSeconds: (user + system) / 1e6,
    backend: run.backend.name,
    heldOut,
  };
}

export async function trainPerceiverDigits(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(TRAIN_PERCEIVER);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`train perceiver-digits takes options only, not "${positionals.join(" ")}"`);
  const seed = wholeOption("seed", values.seed);
  const steps = wholeOption("steps", values.steps, 1, 1_000_000);
  const backend = await openBackend(values.backend);
  try {
    const out = folderOption("out", values.out);
    const run = { model: perceiverDigits(seed), train: readDigits(digitsFile()).train, steps, seed, backend };
    const report = await resultOf(run, (line) => void (values.json || writeOut(`${line}\n`)));
    savePerceiverDigits(join(out, "model.safetensors"), run.model);
    writeFile(join(out, "report.txt"), new TextEncoder().encode(`${perceiverText(report)}\n`));
    if (values.json) writeJson(perceiverDocument(report));
    else {
      const text = perceiverText(report, paintOn(process.stdout), widthOn(process.stdout));
      writeOut(`\n${text}\n\nWeights and report.txt are in ${out}\n`);
    }
    return 0;
  } finally {
    await backend.close();
  }
}
