// flamboyance train perceiver-digits and flamboyance train perceiver-flow
import { join } from "node:path";
import { writeFile } from "#host";
import { type Digits, readDigits } from "../../demos/digits/data.ts";
import { perceiverFlow } from "../../demos/digits/flow/model.ts";
import { flowDocument, flowPicture, flowText } from "../../demos/digits/flow/report.ts";
import { heldOutScenes } from "../../demos/digits/flow/scenes.ts";
import { estimateFlow, trainFlow } from "../../demos/digits/flow/training.ts";
import { perceiverDigits, savePerceiver } from "../../demos/digits/perceiver/model.ts";
import { perceiverDocument, perceiverText } from "../../demos/digits/perceiver/report.ts";
import { canResume, type PerceiverRun, removeCheckpoint } from "../../demos/digits/perceiver/run.ts";
import { readPictures, trainPerceiver } from "../../demos/digits/perceiver/training.ts";
import { encodePng } from "../../io/images/png/write.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { PerceiverIO } from "../../models/perceiver-io/perceiver-io.ts";
import type { Paint } from "../../terminal/colour.ts";
import { progressOn } from "../../terminal/progress.ts";
import type { TrainingStep } from "../../training/training.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { digitsFile } from "../golden-files.ts";
import { TRAIN_PERCEIVER, TRAIN_PERCEIVER_FLOW } from "../help/train.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { beginRun, withRemedy } from "./shared.ts";

/** Facts of the run, which every report has. */
interface Facts {
  readonly seed: number;
  readonly steps: number;
  readonly seconds: number;
  readonly processorSeconds: number;
  readonly backend: string;
}

/** Results, ready to be written and shown. */
interface Shown {
  readonly document: object;
  readonly text: (paint?: Paint, width?: number) => string;
  /** Files beside the weights and the report. */
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** A model, its training, and its evaluation on held-out digits. */
interface Task {
  readonly help: string;
  readonly steps: number;
  readonly model: (seed: number) => PerceiverIO;
  readonly train: (run: PerceiverRun) => AsyncGenerator<TrainingStep>;
  readonly measure: (
    run: PerceiverRun,
    heldOut: Digits["heldOut"],
  ) => Promise<(facts: Facts) => Promise<Shown>>;
}

const TASKS = {
  "perceiver-digits": {
    help: TRAIN_PERCEIVER,
    steps: 2400,
    model: perceiverDigits,
    train: trainPerceiver,
    async measure({ model, backend }, heldOut) {
      const reading = await readPictures(model, heldOut, backend);
      return async (facts) => {
        const report = { ...facts, ...reading, heldOut };
        return {
          document: perceiverDocument(report),
          text: (paint, width) => perceiverText(report, paint, width),
          files: new Map(),
        };
      };
    },
  },
  "perceiver-flow": {
    help: TRAIN_PERCEIVER_FLOW,
    steps: 1000,
    model: perceiverFlow,
    train: trainFlow,
    async measure({ model, backend }, heldOut) {
      const scenes = heldOutScenes(heldOut);
      const estimates = await estimateFlow(model, scenes, backend);
      return async (facts) => {
        const report = { ...facts, scenes, estimates };
        return {
          document: flowDocument(report),
          text: (paint, width) => flowText(report, paint, width),
          files: new Map([["flow.png", await encodePng(flowPicture(report))]]),
        };
      };
    },
  },
} as const satisfies Readonly<Record<string, Task>>;

type TaskName = keyof typeof TASKS;
export const isPerceiverTask = (name: string): name is TaskName => Object.hasOwn(TASKS, name);

const STEPS_PER_LINE = 100;

/** Trains with a progress bar on stderr and a line every hundred steps. */
async function trainWithProgress(
  task: Task,
  run: PerceiverRun,
  print: (line: string) => void,
): Promise<void> {
  const progress = progressOn(process.stderr);
  for await (const { step, loss } of task.train(run)) {
    progress.step(step, run.steps, `loss ${loss.toFixed(3)}`);
    if (step % STEPS_PER_LINE !== 0 && step !== run.steps) continue;
    progress.clear();
    print(`${String(step).padStart(5)}/${run.steps}   loss ${loss.toFixed(3)}`);
  }
}

/** Trains and measures. All options have been checked. */
async function resultOf(task: Task, run: PerceiverRun, print: (line: string) => void): Promise<Shown> {
  const { heldOut } = readDigits(digitsFile());
  const [since, usage] = [performance.now(), process.cpuUsage()];
  await withRemedy(trainWithProgress(task, run, print));
  const shown = await task.measure(run, heldOut);
  const { user, system } = process.cpuUsage(usage);
  return shown({
    seed: run.seed,
    steps: run.steps,
    seconds: (performance.now() - since) / 1e3,
    processorSeconds: (user + system) / 1e6,
    backend: run.backend.name,
  });
}

const optionsOf = (name: TaskName) =>
  ({
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: String(TASKS[name].steps) },
    backend: { type: "string", default: "auto" },
    out: { type: "string", default: `flamboyance-${name}` },
    resume: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  }) as const;

const namesOf = (names: readonly string[]): string =>
  [names.slice(0, -1).join(", "), names.at(-1)].filter(Boolean).join(" and ");

type Values = ReturnType<typeof readArguments<ReturnType<typeof optionsOf>>>["values"];

const RESULTS = ["model.safetensors", "report.txt", "flow.png"] as const;

/** The run that the options describe. All of them are checked before anything is written. */
function runOf(task: Task, values: Values, backend: Backend): PerceiverRun {
  const seed = wholeOption("seed", values.seed);
  const steps = wholeOption("steps", values.steps, 1, 1_000_000);
  if (values.out === "") throw new UsageError("--out is empty; name a folder");
  const { train } = readDigits(digitsFile());
  const checkpoints = join(values.out, "checkpoint-");
  return { model: task.model(seed), train, steps, seed, backend, checkpoints, resume: values.resume };
}

async function runPerceiver(name: TaskName, values: Values, backend: Backend): Promise<void> {
  const task = TASKS[name];
  const { out, json } = values;
  const run = runOf(task, values, backend);
  beginRun(values, canResume(run), RESULTS); // [digits.perceiver-resume]
  if (!run.resume) removeCheckpoint(run);
  const shown = await resultOf(task, run, (line) => void (json || writeOut(`${line}\n`)));
  savePerceiver(join(out, "model.safetensors"), run.model, `flamboyance-${name}/1`);
  const text = new TextEncoder().encode(`${shown.text()}\n`);
  const files = new Map([...shown.files, ["report.txt", text] as const]);
  for (const [file, bytes] of files) writeFile(join(out, file), bytes);
  if (json) writeJson(shown.document);
  else
    writeOut(
      `\n${shown.text(paintOn(process.stdout), widthOn(process.stdout))}\n\n${namesOf(["Weights", ...files.keys()])} are in ${out}\n`,
    );
}

export async function trainPerceiverTask(name: TaskName, args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, optionsOf(name));
  if (values.help) {
    writeOut(TASKS[name].help);
    return 0;
  }
  if (positionals.length > 0)
    throw new UsageError(`train ${name} takes options only, not "${positionals.join(" ")}"`);
  const backend = await openBackend(values.backend);
  try {
    await runPerceiver(name, values, backend);
    return 0;
  } finally {
    await backend.close();
  }
}
