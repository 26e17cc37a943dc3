// flamboyance train digits
import { join } from "node:path";
import { captionTexts } from "../../demos/digits/captioning.ts";
import { readDigits } from "../../demos/digits/data.ts";
import { drawPictures } from "../../demos/digits/draw.ts";
import { classifierAccuracy, sequencesFrom } from "../../demos/digits/evidence.ts";
import { digitsModel, saveDigitsModel } from "../../demos/digits/model.ts";
import {
  canResume,
  checkFolder,
  type DigitsRun,
  gatesOf,
  PHASES,
  type PhaseStep,
  type Plan,
  plans,
} from "../../demos/digits/phases.ts";
import { type DigitsReport, digitsDocument, digitsMarkdown, digitsText } from "../../demos/digits/report.ts";
import { allEvidence, trainDigits } from "../../demos/digits/run.ts";
import { gatesPicture } from "../../demos/gates.ts";
import type { Backend } from "../../kernels/backend.ts";
import { progressOn } from "../../terminal/progress.ts";
import { positiveOption, readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile } from "../golden-files.ts";
import { TRAIN } from "../help/train.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { beginRun, withRemedy, writeReport } from "./shared.ts";

const OPTIONS = {
  quick: { type: "boolean", default: false },
  seed: { type: "string", default: "1" },
  backend: { type: "string", default: "auto" },
  out: { type: "string", default: "flamboyance-digits" },
  resume: { type: "boolean", default: false },
  scale: { type: "string", default: "1" },
  "held-out": { type: "string", default: "299" },
  report: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

/** A plan with a multiple of its steps. */
function scaledPlan(plan: Plan, by: number): Plan {
  const phases = PHASES.map((name) => [
    name,
    { ...plan[name], steps: Math.max(1, Math.round(by * plan[name].steps)) },
  ]);
  return { ...plan, ...Object.fromEntries(phases) };
}

const STEPS_PER_LINE = 50;
const gateLine = (run: DigitsRun): string =>
  gatesOf(run.model)
    .map(({ attn, ff }) => `${Math.abs(attn).toFixed(2)}/${Math.abs(ff).toFixed(2)}`)
    .join("  ");

/** Trains with a progress bar on stderr and a line every fifty steps. */
async function trainWithProgress(run: DigitsRun, print: (line: string) => void) {
  const progress = progressOn(process.stderr);
  const steps = trainDigits(run);
  let [mean, phase]: [number, string] = [0, ""];
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      progress.clear();
      return next.value;
    }
    const { step, of, loss }: PhaseStep = next.value;
    mean = next.value.phase === phase ? 0.9 * mean + 0.1 * loss : loss;
    phase = next.value.phase;
    progress.step(step, of, `${phase}  loss ${mean.toFixed(3)}`);
    if (step % STEPS_PER_LINE !== 0 && step !== of) continue;
    progress.clear();
    const gates = phase === "flamingo" ? `   gates ${gateLine(run)}` : "";
    print(`${phase.padEnd(9)} ${String(step).padStart(4)}/${of}   loss ${mean.toFixed(3)}${gates}`);
    if (phase === "vision" && step === of) {
      const accuracy = await classifierAccuracy(run.model, run.digits.heldOut, run.backend);
      print(
        `${"".padEnd(9)} the encoder classifies ${(100 * accuracy).toFixed(1)} % of the held-out digits correctly`,
      );
    }
  }
}

const RESULTS = ["model.safetensors", "report.md", "gates.svg"] as const;

async function show(run: DigitsRun, report: DigitsReport, out: string): Promise<void> {
  const width = widthOn(process.stdout);
  const shown = [
    ...sequencesFrom(run.digits.heldOut, 3).slice(0, 2),
    ...sequencesFrom(run.digits.heldOut, 2).slice(0, 1),
  ];
  for (const sequence of shown) {
    const captions = await captionTexts(run.model, sequence, run.backend);
    writeOut(`\n${drawPictures(sequence, captions, { width })}\n`);
  }
  const text = digitsText(report, paintOn(process.stdout), width);
  writeOut(`\n${text}\n\nWeights, report.md and gates.svg are in ${out}\n`);
}

/** The run that the options describe. All of them are checked before anything is written. */
function runOf(values: Values, backend: Backend): DigitsRun {
  const plan = scaledPlan(plans[values.quick ? "quick" : "full"], positiveOption("scale", values.scale));
  const seed = wholeOption("seed", values.seed);
  if (values.report === "") throw new UsageError("--report is empty; name a file");
  const { train, heldOut } = readDigits(digitsFile());
  return {
    model: digitsModel(plan.depth, seed),
    digits: {
      train,
      heldOut: heldOut.slice(0, wholeOption("held-out", values["held-out"], 6, heldOut.length)),
    },
    plan,
    seed,
    backend,
    checkpoints: join(values.out, "checkpoint-"),
    resume: values.resume,
  };
}

async function runDigits(values: Values, backend: Backend): Promise<void> {
  const { out, quick, json } = values;
  const run = runOf(values, backend);
  beginRun(values, canResume(run), RESULTS); // [digits.fresh]
  const since = performance.now();
  const print = (line: string): void => void (json || writeOut(`${line}\n`));
  const result = await withRemedy(trainWithProgress(run, print));
  const results = await allEvidence(run, { conventions: !quick });
  const seconds = (performance.now() - since) / 1000;
  const plan = quick ? "quick" : "full";
  const finished: DigitsReport = {
    seed: run.seed,
    plan,
    seconds,
    backend: backend.name,
    ...results,
    ...result,
  };
  checkFolder(run, PHASES); // [digits.fresh]
  saveDigitsModel(join(out, "model.safetensors"), run.model);
  writeReport(values, digitsMarkdown(finished), { name: "gates.svg", svg: gatesPicture(finished.history) });
  if (json) writeJson(digitsDocument(finished));
  else await show(run, finished, out);
}

export async function trainDigitsTask(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(TRAIN);
    return 0;
  }
  if (positionals.length !== 1 || positionals[0] !== "digits")
    throw new UsageError(
      `train takes one task, "digits", or in front of its options "kosmos-digits", "perceiver-digits", "perceiver-flow" or "smollm2-digits", not "${positionals.join(" ")}"`,
    );
  const backend = await openBackend(values.backend);
  try {
    await runDigits(values, backend);
    return 0;
  } finally {
    await backend.close();
  }
}
