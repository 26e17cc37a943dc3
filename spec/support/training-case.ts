// Training cases of golden/cases/training: what torch made of five steps.
import { readFileSync } from "node:fs";
import { subjectOf } from "../../src/conformance/subjects.ts";
import { loadSafetensors } from "../../src/io/safetensors.ts";
import { FlamingoPaLM } from "../../src/models/flamingo-palm.ts";
import { loadStateDict, stateDict } from "../../src/nn/state-dict.ts";
import { flat, Int, Tensor, view } from "../../src/tensor/tensor.ts";
import { adamw } from "../../src/training/adamw.ts";
import { decayGroups, type TrainableSetName, trainable } from "../../src/training/freezing.ts";
import { crossEntropy } from "../../src/training/losses.ts";
import type { Optimizer } from "../../src/training/optimizer.ts";
import { type ScheduleOptions, schedule } from "../../src/training/schedules.ts";
import { sgd } from "../../src/training/sgd.ts";
import { type TrainOptions, train } from "../../src/training/training.ts";

const ROOT = "golden/cases/training";

interface Manifest {
  readonly config: Readonly<Record<string, unknown>>;
  readonly set: TrainableSetName;
  readonly steps: number;
  readonly parts: readonly number[];
  readonly clipAt?: number;
  readonly optimizer: { readonly kind: "adamw" | "sgd"; readonly learningRate: number };
  readonly undecayed?: boolean;
  readonly schedule: ScheduleOptions;
  readonly trained: readonly string[];
}

const manifestOf = <T>(id: string): T => JSON.parse(readFileSync(`${ROOT}/${id}/training.json`, "utf8"));
export const schedules = manifestOf<{ schedules: ScheduleOptions[] }>("schedules").schedules;
export const expectedFactors = (i: number): number[] => [
  ...flat(loadSafetensors(`${ROOT}/schedules/expected.safetensors`).tensor(`factors.${i}`).data),
];

/** Ids of one part of one step, out of [steps parts b l]. */
function part(all: Int, step: number, at: number): Int<"b l"> {
  const [, parts = 1, b = 0, l = 0] = all.shape;
  const from = (step * parts + at) * b * l;
  return new Int<"b l">([b, l], all.flat().slice(from, from + b * l));
}

function images(all: Tensor, step: number, at: number): Tensor<"b m c h w"> {
  const [, parts = 1, ...shape] = all.shape;
  const size = shape.reduce((a, b) => a * b, 1);
  const from = (step * parts + at) * size;
  return new Tensor(shape, view(flat(all.data).slice(from, from + size), shape));
}

export interface TrainingCase {
  readonly manifest: Manifest;
  readonly model: FlamingoPaLM;
  readonly names: readonly string[];
  readonly optimizer: Optimizer;
  readonly text: Int;
  readonly targets: Int;
  readonly options: TrainOptions<FlamingoPaLM>;
  /** Largest difference from torch, relative to the tensor's largest number, after a step (1, 2, …). */
  readonly worst: (step: number, loss: { loss: number; norm: number; factor: number }) => number;
}

/** A case, ready to train, with `changes` to its options. */
export function trainingCase(id: string, changes: object = {}): TrainingCase {
  const manifest = { ...manifestOf<Manifest>(id), ...changes };
  const given = loadSafetensors(`${ROOT}/${id}/inputs.safetensors`);
  const expected = loadSafetensors(`${ROOT}/${id}/expected.safetensors`);
  const { model } = subjectOf({
    source: { class: "FlamingoPaLM" },
    config: manifest.config,
    profile: "flamboyance",
    flags: [],
    positional: [],
  });
  if (!(model instanceof FlamingoPaLM)) throw new Error("a training case is about FlamingoPaLM");
  const weights = given.keys.filter((key) => key.startsWith("weights."));
  loadStateDict(model, new Map(weights.map((key) => [key.slice("weights.".length), given.tensor(key)])));
  const names = trainable(model, manifest.set);
  const groups = manifest.undecayed ? decayGroups(model, names) : [{ names }];
  const { kind, ...rates } = manifest.optimizer;
  const optimizer = kind === "adamw" ? adamw({ groups, ...rates }) : sgd({ groups, ...rates });
  const [text, targets] = [given.int("inputs.text"), given.int("inputs.targets")];
  const pictures = given.has("inputs.images") ? given.tensor("inputs.images") : null;
  const loss = (step: number, at: number) => {
    const media = pictures ? { images: images(pictures, step, at) } : {};
    return crossEntropy(model.forward(part(text, step, at), media), part(targets, step, at)).mean;
  };
  const { steps, parts, clipAt } = manifest;
  const at = (name: string, step: number): Float64Array => {
    const t = expected.tensor(name);
    const size = t.size / manifest.steps;
    return Float64Array.from(flat(t.data).slice((step - 1) * size, step * size));
  };
  const difference = (name: string, actual: ArrayLike<number>, step: number): number => {
    const wanted = at(name, step);
    if (wanted.length !== actual.length) return Number.POSITIVE_INFINITY;
    const largest = Math.max(1e-300, ...wanted.map(Math.abs));
    return Math.max(...wanted.map((x, i) => Math.abs(x - (actual[i] ?? Number.NaN)) / largest));
  };
  const worst: TrainingCase["worst"] = (step, { loss: value, norm, factor }) => {
    const now: [string, ArrayLike<number>][] = [
      ["loss", [value]],
      ["norm", [norm]],
      ["rate", [factor * manifest.optimizer.learningRate]],
      ...[...stateDict(model)]
        .filter(([name]) => manifest.trained.includes(name))
        .map(([name, t]): [string, ArrayLike<number>] => [`weights.${name}`, flat(t.data)]),
      ...[...optimizer.state()]
        .filter(([name]) => !name.startsWith("step."))
        .map(([name, t]): [string, ArrayLike<number>] => [name, flat(t.data)]),
    ];
    const missing = expected.keys.filter((key) => !now.some(([name]) => name === key));
    if (missing.length > 0) throw new Error(`nothing to compare with ${missing.join(", ")}`);
    return Math.max(...now.map(([name, actual]) => difference(name, actual, step)));
  };
  const clipping = clipAt === undefined ? {} : { clipAt };
  const options = {
    model,
    optimizer,
    loss,
    steps,
    parts,
    ...clipping,
    schedule: schedule(manifest.schedule),
  };
  return { manifest, model, names, optimizer, text, targets, options, worst };
}

/** The worst difference from torch over all steps. */
export async function worstOf(c: TrainingCase, options: object = {}): Promise<number> {
  let worst = 0;
  for await (const step of train({ ...c.options, ...options }))
    worst = Math.max(worst, c.worst(step.step, step));
  return worst;
}
