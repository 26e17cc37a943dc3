// flamboyance evaluate
import { dirname } from "node:path";
import type { ReadSample } from "../../evaluation/data/samples.ts";
import {
  type Example,
  type ExampleRecord,
  examplesOf,
  KIND_OF_TASK,
} from "../../evaluation/runs/examples.ts";
import { type Metric, metricsOf } from "../../evaluation/runs/metrics.ts";
import { drawnShots } from "../../evaluation/runs/shots.ts";
import { resolved } from "../../io/paths.ts";
import type { Backend } from "../../kernels/backend.ts";
import { counted } from "../../masks/sentences.ts";
import { LoadError, messageOf, RuleError } from "../../tensor/errors.ts";
import { columnsFrom, tables } from "../../terminal/table.ts";
import { readArguments } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { LeftOut, type Opened, openReading } from "../data/reading.ts";
import { paintOn, widthOn, writeError, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { type Stopping, stoppedBySignals, untilStopped } from "../write/stopping.ts";
import { recordOf } from "./answering.ts";
import { digestOf, digestOfModel } from "./digests.ts";
import { EVALUATE } from "./help.ts";
import { type EvaluatedModel, evaluatedModel, evaluatedTower, kindAt } from "./models.ts";
import { namesIn } from "./names.ts";
import { type KeptScores, Records } from "./records.ts";
import { EVALUATE_OPTIONS, type EvaluateRequest, evaluateRequest } from "./request.ts";
import { SimilarShots } from "./similar.ts";

/** The examples of a file, with the paths of their images from here. Throws a LoadError if there is none. */
function examplesIn({ task }: EvaluateRequest, file: string, reading: Opened): Example[] {
  const samples: Iterable<ReadSample> = reading.samples(file, [KIND_OF_TASK[task]]);
  const found = examplesOf(task, samples);
  reading.progress.clear();
  if (found.length === 0)
    throw new LoadError(`${file} has no example for ${task}, which is a ${KIND_OF_TASK[task]} a line`);
  const here = (path: string): string => resolved(dirname(file), path);
  return found.map(({ matrix, ...one }) => ({
    ...one,
    image: one.image === null ? null : here(one.image),
    ...(matrix ? { matrix: matrix.map(here), texts: one.texts.map(here) } : {}),
  }));
}

/** The file of a run; without --out records are kept in memory. */
interface Kept {
  readonly found: readonly ExampleRecord[];
  /** The scores that the file has at its end, or null. */
  readonly scores: KeptScores | null;
  readonly add: (record: ExampleRecord) => void;
  readonly finish: (scores: object) => void;
  readonly close: () => void;
}

function keptIn({ out, ...request }: EvaluateRequest, examples: readonly Example[]): Kept {
  if (out === undefined) return { found: [], scores: null, add: () => {}, finish: () => {}, close: () => {} };
  const { model, task, data, demos, shots, seed, limit = null, generation, method, backend } = request;
  const { only, tower } = method;
  const digests = {
    ...digestOfModel(model),
    dataDigest: digestOf(data),
    demosDigest: digestOf(demos),
    ...(only === null ? {} : { onlyDigest: digestOf(only) }),
    ...(tower === null ? {} : { towerDigest: digestOfModel(tower).modelDigest ?? null }),
  };
  const settings = { model, task, data, demos, ...digests, shots, seed, limit, ...method, backend };
  const { maxTokens, beams = 1 } = generation;
  const records = new Records(out, { ...settings, maxTokens, beams }, { task, examples });
  return {
    found: records.found,
    scores: records.scores,
    add: (record) => records.add(record),
    finish: (scores) => {
      if (records.scores === null) records.finish(scores);
    },
    close: () => records.close(),
  };
}

interface Run {
  readonly request: EvaluateRequest;
  readonly examples: readonly Example[];
  /** Examples among which demonstrations are drawn. */
  readonly pool: readonly Example[];
  /** Whether these are the examples themselves. */
  readonly isOwnPool: boolean;
  /** Examples that could not be used. */
  readonly leftOut: LeftOut;
  readonly only: readonly string[];
  readonly similar: SimilarShots | null;
  readonly model: EvaluatedModel;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

/** The record of one example. One that cannot be used has the reason in it. */
async function evaluated(run: Run, at: number): Promise<ExampleRecord> {
  const { request, examples, pool, isOwnPool, leftOut, only, similar, model, backend, signal } = run;
  const { task, data, shots, seed, generation, method } = request;
  const example = examples[at] as Example;
  const own = isOwnPool ? at : null;
  let begun = { example: at, line: example.line, demonstrations: [] as readonly number[] };
  try {
    const drawn = similar
      ? await similar.shots(example, shots, own)
      : drawnShots(pool.length, { shots, seed, example: at, own });
    const shown = drawn.flatMap((i) => pool[i] ?? []);
    begun = { ...begun, demonstrations: shown.map(({ line }) => line) };
    const answering = { task, model, generation, method, only, seed, backend, signal };
    return { ...begun, ...(await recordOf(answering, shown, example)) };
  } catch (error) {
    if (signal.aborted || !(error instanceof LoadError || error instanceof RuleError)) throw error;
    const problem = `${data}, line ${example.line}: ${messageOf(error)}`;
    leftOut.add(data, { line: example.line, problem });
    return { ...begun, leftOut: problem };
  }
}

/** The scores of a run, and how many examples have none. */
interface Scores {
  readonly examples: number;
  readonly leftOut: number;
  /** Demonstrations whose images --rices cannot compare. */
  readonly demonstrationsLeftOut: number;
  readonly metrics: readonly Metric[];
}

function scoresOf(
  { task, method }: EvaluateRequest,
  examples: readonly Example[],
  records: readonly ExampleRecord[],
): Omit<Scores, "demonstrationsLeftOut"> {
  const used = records.filter(({ leftOut }) => leftOut === undefined);
  const asked = used.map(({ example }) => examples[example] as Example);
  const metrics = used.length === 0 ? [] : metricsOf(task, asked, used, method.positive);
  return { examples: used.length, leftOut: records.length - used.length, metrics };
}

function report(
  { task, shots }: EvaluateRequest,
  { examples, leftOut, demonstrationsLeftOut, metrics }: Scores,
  lines: LeftOut,
): string {
  const heads = ["", "score", "95 % interval"].map(
    (head, i) => ({ head: [head], align: i > 0 ? "right" : "left" }) as const,
  );
  const rows = metrics.map(({ name, mean, low, high }) => [
    name,
    mean.toFixed(4),
    `${low.toFixed(4)} to ${high.toFixed(4)}`,
  ]);
  const paint = paintOn(process.stdout);
  const title = `${task}, ${counted(shots, "demonstration")}, ${counted(examples, "example")}`;
  const left = [
    ...(leftOut > 0 ? [`${counted(leftOut, "example")} left out`] : []),
    ...(demonstrationsLeftOut > 0
      ? [
          `${counted(demonstrationsLeftOut, "demonstration")} left out, which ${demonstrationsLeftOut === 1 ? "has" : "have"} no image that can be read`,
        ]
      : []),
    ...(lines.count > 0 ? [`${counted(lines.count, "line")} of the files left out${lines.unshown}`] : []),
  ];
  const table = tables(columnsFrom(heads, rows), paint, widthOn(process.stdout));
  return [paint(title, "strong"), ...table, ...left].join("\n");
}

/** Throws a UsageError for a method that a kind of model does not have. */
function checkModel({ model, task, method }: EvaluateRequest): void {
  const kind = kindAt(model);
  if (kind === null) return; // it is not there, which is said where it is needed
  const isKosmos = kind === "kosmos" || kind === "flamingo-palm";
  const { textOnly, rices, tower, chain } = method;
  if (textOnly && kind !== "open-flamingo")
    throw new UsageError("--text-only is open-flamingo's; demonstrations of this model have their images");
  if ((chain || task === "iq" || task === "describe") && !isKosmos)
    throw new UsageError(
      `${chain ? "--chain" : task} has prompts of KOSMOS-1; name the folder of a Kosmos or a FlamingoPaLM`,
    );
  if (rices && tower === null && kind === "text")
    throw new UsageError("--rices compares images, and a language model has no tower; name one with --tower");
}

/** Answers the examples behind those that have records already. Returns the number of demonstrations that --rices cannot compare. */
async function answerRest(
  run: Omit<Run, "model" | "only" | "similar">,
  { progress }: Opened,
  records: ExampleRecord[],
  kept: Kept,
): Promise<number> {
  const { request, examples, pool, backend } = run;
  const unread = new LeftOut(request.stop, progress);
  const { method, demos } = request;
  const only = method.only === null ? [] : namesIn(method.only);
  const model = await evaluatedModel(request.model);
  const other = method.tower === null ? null : evaluatedTower(method.tower);
  try {
    const tower = other ?? model.tower;
    const similar = method.rices && tower ? new SimilarShots(tower, backend) : null;
    const step = (at: number): void => progress.step(at, pool.length, "demonstrations");
    await similar?.read(pool, { file: demos, leftOut: unread, step });
    for (let at = records.length; at < examples.length; at++) {
      progress.step(at, examples.length, "examples");
      const record = await evaluated({ ...run, only, similar, model }, at);
      kept.add(record);
      records.push(record);
    }
    return unread.count;
  } finally {
    progress.clear();
    other?.close();
    model.close();
  }
}

async function run(request: EvaluateRequest, backend: Backend, { signal }: Stopping): Promise<number> {
  checkModel(request);
  const reading = openReading(request.stop);
  const all = examplesIn(request, request.data, reading);
  const { data, demos } = request;
  const pool = demos === data ? all : examplesIn(request, demos, reading);
  const isOwnPool = demos === data || digestOf(demos) === digestOf(data); // [shots.others]
  const lines = reading.leftOut;
  drawnShots(pool.length, { ...request, example: 0, own: isOwnPool ? 0 : null });
  const examples = all.slice(0, request.limit);
  const kept = keptIn(request, examples);
  const leftOut = new LeftOut(request.stop, reading.progress);
  try {
    const records = [...kept.found];
    const begun = { request, examples, pool, isOwnPool, leftOut, backend, signal };
    const isAnswered = records.length === examples.length && !request.method.rices;
    const demonstrationsLeftOut =
      kept.scores?.demonstrationsLeftOut ??
      (isAnswered ? 0 : await answerRest(begun, reading, records, kept));
    const scores = { ...scoresOf(request, examples, records), demonstrationsLeftOut };
    kept.finish(scores);
    const { model: folder, task, shots, seed } = request;
    if (request.json)
      writeJson({ model: folder, task, data, shots, seed, ...scores, linesLeftOut: lines.count });
    else writeOut(`${report(request, scores, lines)}\n`);
    if (scores.examples === 0) writeError("flamboyance: no example could be used\n");
    return scores.examples === 0 ? 2 : 0;
  } finally {
    kept.close();
  }
}

export async function evaluate(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, EVALUATE_OPTIONS);
  if (values.help) {
    writeOut(EVALUATE);
    return 0;
  }
  const request = evaluateRequest(values, positionals);
  const stopping = stoppedBySignals();
  const backend = await openBackend(request.backend, request.threads);
  try {
    return await untilStopped(stopping, () => run(request, backend, stopping));
  } finally {
    await backend.close();
  }
}
