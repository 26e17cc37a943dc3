// Runs this implementation on one golden case and compares.

import type { GoldenCase } from "../../io/golden/cases.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { type Backend, differentiable } from "../../kernels/backend.ts";
import { type KernelReport, type ReplayOptions, replay } from "../../kernels/replay.ts";
import { loadStateDict } from "../../nn/state-dict.ts";
import { gradientOf, gradients } from "../../tensor/autodiff/gradients.ts";
import { RuleError } from "../../tensor/errors.ts";
import { mul, sumAll } from "../../tensor/ops/functions.ts";
import type { Precision } from "../../tensor/precision.ts";
import type { Program } from "../../tensor/program/program.ts";
import { record } from "../../tensor/program/record.ts";
import { Int, Tensor } from "../../tensor/tensor.ts";
import type { Input } from "../sources/arguments.ts";
import { type SystemUnderTest, systemUnderTest } from "../sources/flamingo-pytorch.ts";
import { judge, judgeRaised } from "./judge.ts";
import type { Verdict } from "./verdict.ts";

/** The call that a case makes. */
export interface CaseCall {
  readonly subject: SystemUnderTest;
  /** By the names of the forward pass's arguments. */
  readonly inputs: Readonly<Record<string, Input>>;
  /** Records it symbolically; `around` may wire the model's modules differently meanwhile. */
  readonly record: (around?: (forward: () => Tensor) => Tensor) => Program;
}

/** A case as a program: outputs and, where the case has them, gradients under their golden names. */
export interface CaseProgram {
  readonly program: Program;
  readonly subject: SystemUnderTest;
  readonly inputs: Readonly<Record<string, Input>>;
}

const COTANGENT = "cotangent";

/** "grads.inputs.x" -> the leaf "inputs.x"; "grads.weights.to_q.weight" -> "to_q.weight" */
export const leafOf = (grad: string): string => grad.replace(/^weights\./, "");

/** Builds the model and loads the weights. Throws what the model throws. */
export function callOf(golden: GoldenCase): CaseCall {
  const { manifest } = golden;
  const subject = systemUnderTest(manifest);
  loadStateDict(subject.model, golden.weights);
  const { [COTANGENT]: cotangent, ...given } = Object.fromEntries(golden.inputs);
  const inputs = argumentsOf(given, manifest.call);
  const floats = Object.entries(given).filter(
    (entry): entry is [string, Tensor] => entry[1] instanceof Tensor,
  );
  const again: CaseCall["record"] = (around = (forward) => forward()) =>
    record(
      () => {
        const out = around(() => subject.forward(inputs));
        if (!(cotangent instanceof Tensor)) return { out };
        return { out, loss: sumAll(mul(out, cotangent)) };
      },
      {
        model: subject.model,
        inputs: Object.fromEntries(floats.map(([name, t]) => [`inputs.${name}`, t])),
        symbolic: true,
      },
    );
  return { subject, inputs, record: again };
}

/** Builds the model, loads the weights and records the case symbolically, as this backend is to run it. Throws what the model throws. */
export function programOf(golden: GoldenCase, backend: Backend): CaseProgram {
  const { grads } = golden.manifest;
  const { subject, inputs, record } = callOf(golden);
  const program = record();
  if (grads.length === 0) return { program, subject, inputs };
  return {
    program: gradients(program, "loss", grads.map(leafOf), { fused: differentiable(backend) }),
    subject,
    inputs,
  };
}

/** Inputs under the names of the forward pass's arguments; an integer without axes is a number. */
function argumentsOf(
  inputs: Readonly<Record<string, Stored>>,
  call: ReadonlyMap<string, string>,
): Record<string, Input> {
  const named = [...call].flatMap(([argument, name]): [string, Input][] => {
    const value = inputs[name];
    if (value === undefined) return [];
    const scalar = value instanceof Int && value.shape.length === 0;
    return [[argument, scalar ? (value.flat()[0] ?? 0) : value]];
  });
  return Object.fromEntries(named);
}

type Actual = Map<string, Tensor>;

async function compute(
  golden: GoldenCase,
  { program }: CaseProgram,
  backend: Backend,
  options: ReplayOptions,
): Promise<{ actual: Actual; kernels: KernelReport }> {
  const { outputs, taps, kernels } = await replay(program, backend, options);
  const actual: Actual = new Map();
  if (outputs.out) actual.set("outputs.out", outputs.out);
  for (const name of golden.manifest.grads) {
    const g = outputs[gradientOf(leafOf(name))];
    if (g) actual.set(`grads.${name}`, g);
  }
  for (const [name, t] of Object.entries(taps)) actual.set(`taps.${name}`, t);
  return { actual, kernels };
}

/** The taps that both sides know. */
const tapsOf = (golden: GoldenCase, { program }: CaseProgram): string[] =>
  golden.manifest.taps.filter((name) => name in program.taps);

export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Receives what was computed. */
  readonly onActual?: ((golden: GoldenCase, actual: ReadonlyMap<string, Tensor>) => void) | undefined;
}

/**
 * The verdict on one case. The reference backend is held to the taps as well; a backend with fused kernels is asked for
 * them only to locate a deviation, because a tap inside a scope keeps it from being fused.
 */
export async function checkCase(
  golden: GoldenCase,
  backend: Backend,
  options: CheckOptions = {},
): Promise<Verdict> {
  const { id, source, raises } = golden.manifest;
  const base = { id, module: source.class, precision: backend.precision };
  const nothing = { ...base, rows: 0, worst: null, firstDivergence: null, kernels: null };
  try {
    const recorded = programOf(golden, backend);
    if (raises) return { ...base, ...judgeRaised(raises, null) };
    const fused = Object.keys(backend.scopes).length > 0;
    const taps = tapsOf(golden, recorded);
    const { signal, onProgress } = options;
    const first = await compute(golden, recorded, backend, { signal, onProgress, taps: fused ? [] : taps });
    options.onActual?.(golden, first.actual);
    const verdict = judge(golden, first.actual, backend.precision, { taps: fused ? "locate" : "decide" });
    if (verdict.status === "passed" || !fused) return { ...base, ...verdict, kernels: first.kernels };
    const second = await compute(golden, recorded, backend, { signal, taps });
    const both = new Map([...second.actual, ...first.actual]);
    const located = judge(golden, both, backend.precision, { taps: "locate" });
    return { ...base, ...located, kernels: first.kernels };
  } catch (error) {
    if (options.signal?.aborted) throw error;
    if (raises && error instanceof RuleError) return { ...base, ...judgeRaised(raises, error) };
    return {
      ...nothing,
      status: "errored",
      error: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    };
  }
}

/** Precisions that a check runs when none is asked for. */
export const DEFAULT_PRECISIONS: readonly Precision[] = ["float64", "float32"];
