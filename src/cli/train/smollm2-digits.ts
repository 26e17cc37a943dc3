// flamboyance train smollm2-digits
import { join, resolve } from "node:path";
import { readDigits } from "../../demos/digits/data.ts";
import { drawPictures } from "../../demos/digits/draw.ts";
import { gatesPicture } from "../../demos/gates.ts";
import { captionsOf, pairsFrom, textOf } from "../../demos/smollm2-digits/evidence.ts";
import { saveSmolDigits } from "../../demos/smollm2-digits/folder.ts";
import { gatesOf, smolDigits } from "../../demos/smollm2-digits/model.ts";
import { type SmolReport, smolDocument, smolMarkdown, smolText } from "../../demos/smollm2-digits/report.ts";
import { languageDigest, smolEvidence, trainSmolDigits } from "../../demos/smollm2-digits/run.ts";
import { canResume, PLAN, type Plan, type SmolRun } from "../../demos/smollm2-digits/training.ts";
import type { Backend } from "../../kernels/backend.ts";
import { progressOn } from "../../terminal/progress.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile } from "../golden-files.ts";
import { TRAIN_SMOLLM2 } from "../help/train.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { beginRun, withRemedy, writeReport } from "./shared.ts";

const OPTIONS = {
  model: { type: "string" },
  seed: { type: "string", default: "1" },
  steps: { type: "string", default: String(PLAN.flamingo.steps) },
  "vision-steps": { type: "string", default: String(PLAN.vision.steps) },
  texts: { type: "string", default: String(PLAN.texts) },
  "first-layer": { type: "string", default: "20" },
  backend: { type: "string", default: "auto" },
  out: { type: "string", default: "flamboyance-smollm2-digits" },
  resume: { type: "boolean", default: false },
  "held-out": { type: "string", default: "299" },
  report: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof OPTIONS>>["values"];

const STEPS_PER_LINE = 25;

type Print = (line: string) => void;

/** Trains with a progress bar on stderr and a line every 25 steps. */
async function trainWithProgress(run: SmolRun, print: Print) {
  const progress = progressOn(process.stderr);
  const steps = trainSmolDigits(run);
  let mean: number | null = null;
  for (;;) {
    const next = await steps.next();
    if (next.done) {
      progress.clear();
      return next.value;
    }
    const { phase, step, of, loss } = next.value;
    if (step === 1) mean = null;
    if (loss !== null) mean = mean === null ? loss : 0.9 * mean + 0.1 * loss;
    const shown = mean === null ? "" : `loss ${mean.toFixed(3)}`;
    progress.step(step, of, phase === "texts" ? "texts read by the lower layers" : `${phase}  ${shown}`);
    if (phase === "texts" || (step % STEPS_PER_LINE !== 0 && step !== of)) continue;
    progress.clear();
    const gates = gatesOf(run.model).map(({ attn }) => Math.abs(attn).toFixed(2));
    print(
      `${phase.padEnd(9)} ${String(step).padStart(4)}/${of}   ${shown}${phase === "flamingo" ? `   attention gates ${gates.join(" ")}` : ""}`,
    );
  }
}

/** Measures, with a line for each result. */
async function evidenceWithProgress(run: SmolRun, print: Print) {
  const rows = smolEvidence(run);
  for (;;) {
    const next = await rows.next();
    if (next.done) return next.value;
    const row = next.value;
    const share = "question" in row ? row.second : row.all;
    const what =
      "question" in row
        ? `question "${row.question}", the second picture`
        : `captions, ${row.condition.kind === "convention" ? row.condition.convention : row.condition.kind}`;
    print(`measured  ${(100 * share).toFixed(1).padStart(5)} %   ${what}`);
  }
}

/** The run that the options describe. All of them are checked before anything is written. */
async function runOf(values: Values, folder: string, backend: Backend): Promise<SmolRun> {
  const seed = wholeOption("seed", values.seed);
  const steps = wholeOption("steps", values.steps, 2, 1_000_000);
  const visionSteps = wholeOption("vision-steps", values["vision-steps"], 2, 1_000_000);
  const texts = wholeOption("texts", values.texts, 1, 100_000);
  const firstLayer = wholeOption("first-layer", values["first-layer"], 0, 10_000);
  if (values.report === "") throw new UsageError("--report is empty; name a file");
  if (values.out === "") throw new UsageError("--out is empty; name a folder");
  const { train, heldOut } = readDigits(digitsFile());
  const count = wholeOption("held-out", values["held-out"], 6, heldOut.length);
  const plan: Plan = {
    texts,
    vision: { ...PLAN.vision, steps: visionSteps },
    flamingo: { ...PLAN.flamingo, steps },
  };
  const model = await smolDigits(folder, firstLayer, seed);
  return {
    model,
    digits: { train, heldOut: heldOut.slice(0, count) },
    plan,
    seed,
    backend,
    language: languageDigest(model),
    checkpoints: join(values.out, "checkpoint-"),
    resume: values.resume,
  };
}

const RESULTS = ["open-flamingo.json", "checkpoint.safetensors", "report.md", "gates.svg"] as const;

async function show(run: SmolRun, report: SmolReport, out: string): Promise<void> {
  const width = widthOn(process.stdout);
  const pairs = pairsFrom(run.digits.heldOut).slice(0, 3);
  const captions = await captionsOf(run.model, pairs, run.backend);
  for (const [i, pair] of pairs.entries()) {
    const texts = (captions[i] ?? []).map((ids) => textOf(run.model, ids));
    writeOut(`\n${drawPictures(pair, texts, { width })}\n`);
  }
  const text = smolText(report, paintOn(process.stdout), width);
  writeOut(`\n${text}\n\nThe folder of the model, report.md and gates.svg are in ${out}\n`);
}

async function runSmol(values: Values, folder: string, backend: Backend): Promise<void> {
  const { out, json } = values;
  const [since, usage] = [performance.now(), process.cpuUsage()];
  const run = await runOf(values, folder, backend);
  beginRun(values, canResume(run), RESULTS); // [smollm2Digits.resume]
  const print = (line: string): void => void (json || writeOut(`${line}\n`));
  const trained = await withRemedy(trainWithProgress(run, print));
  await saveSmolDigits(out, run.model, resolve(folder), run.digits.heldOut);
  const evidence = await evidenceWithProgress(run, print);
  const { user, system } = process.cpuUsage(usage);
  const seconds = (performance.now() - since) / 1e3;
  const { seed } = run;
  const times = { seconds, processorSeconds: (user + system) / 1e6 };
  const finished: SmolReport = { seed, backend: backend.name, ...times, ...trained, ...evidence };
  const gates = { name: "gates.svg", svg: gatesPicture(finished.history, finished.firstLayer) };
  writeReport(values, smolMarkdown(finished), gates); // [smollm2Digits.report]
  if (json) writeJson(smolDocument(finished));
  else await show(run, finished, out);
}

export async function trainSmolTask(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(TRAIN_SMOLLM2);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`train smollm2-digits takes options only, not "${positionals.join(" ")}"`);
  if (values.model === undefined || values.model === "")
    throw new UsageError(
      "train smollm2-digits needs --model FOLDER, the folder of SmolLM2; npm run fetch:smollm2 makes it",
    );
  const backend = await openBackend(values.backend);
  try {
    await runSmol(values, values.model, backend);
    return 0;
  } finally {
    await backend.close();
  }
}
