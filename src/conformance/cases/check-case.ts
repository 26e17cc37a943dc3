// Runs this implementation on one golden case and compares.

import type { GoldenCase } from "../../io/golden/cases.ts";
import type { CaseManifest } from "../../io/golden/manifest.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { type Backend, differentiable } from "../../kernels/backend.ts";
import { type ReplayOptions, replay } from "../../kernels/replay.ts";
import { loadStateDict } from "../../nn/state-dict.ts";
import { gradientOf, gradients } from "../../tensor/autodiff/gradients.ts";
import { LoadError, RuleError, ShapeError } from "../../tensor/errors.ts";
import { mul, sumAll } from "../../tensor/ops/functions.ts";
import type { Precision } from "../../tensor/precision.ts";
import type { Program } from "../../tensor/program/program.ts";
import { record } from "../../tensor/program/record.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { argumentsOf, type Inputs } from "../sources/arguments.ts";
import { moduleName, systemUnderTest } from "../sources/registry.ts";
import type { SystemUnderTest } from "../sources/source.ts";
import { type Judgement, judge, judgeRaised } from "./judge.ts";
import type { CaseVerdict } from "./verdict.ts";

/** The call that a case makes. */
export interface CaseCall {
  readonly system: SystemUnderTest;
  /** By the names of the call's arguments. */
  readonly inputs: Inputs;
  /**
   * Records the forward pass symbolically; `around` may rewire the model's modules during the call. The program's outputs
   * are those that the case expects, in its order, and `LOSS` where the case has gradients.
   */
  readonly record: (around?: <T>(forward: () => T) => T) => Program;
}

const COTANGENT = "cotangent";
/** The program's output whose gradients a case expects: the sum of first output ⊙ cotangent. [conform.outputs] */
export const LOSS = "first output ⊙ cotangent";

/** "grads.inputs.x" -> the leaf "inputs.x"; "grads.weights.to_q.weight" -> "to_q.weight" */
export const leafOf = (grad: string): string => grad.replace(/^weights\./, "");

export type SystemFor = (manifest: CaseManifest) => SystemUnderTest;

/** Builds the system under test and loads the weights. Errors of the model are thrown unchanged. */
export function callOf(golden: GoldenCase, systemFor: SystemFor = systemUnderTest): CaseCall {
  const { manifest } = golden;
  const system = systemFor(manifest);
  loadStateDict(system.model, golden.weights);
  const cotangent = golden.inputs.get(COTANGENT);
  const given = new Map([...golden.inputs].filter(([name]) => name !== COTANGENT));
  const inputs = argumentsOf(given, manifest.call);
  const { forward } = system;
  const floats = [...given].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  const recordCall: CaseCall["record"] = (around = (call) => call()) => {
    if (!forward)
      throw new LoadError(`${manifest.id}: ${manifest.source.class} has no forward pass to record`);
    return record(
      () => {
        const outputs = expectedOutputs(
          manifest.outputs,
          around(() => forward(inputs)),
        );
        const first = new Map(Object.entries(outputs)).get(manifest.outputs[0] ?? "");
        if (!(cotangent instanceof Tensor) || !first) return outputs;
        return { ...outputs, [LOSS]: sumAll(mul(first, cotangent)) };
      },
      {
        model: system.model,
        inputs: Object.fromEntries(floats.map(([name, t]) => [`inputs.${name}`, t])),
        symbolic: true,
      },
    );
  };
  return { system, inputs, record: recordCall };
}

/** The outputs that a case expects, in its order; one that the call does not return is absent. [conform.outputs] */
function expectedOutputs<T extends Stored>(
  names: readonly string[],
  returned: T | Readonly<Record<string, T>>,
): Record<string, T> {
  if (returned instanceof Tensor) return { out: returned };
  const outputs = new Map(Object.entries(returned));
  return Object.fromEntries(
    names.flatMap((name): [string, T][] => {
      const output = outputs.get(name);
      return output ? [[name, output]] : [];
    }),
  );
}

/** The program of a case, with its gradients if it has any, as this backend replays it. */
function programOf({ manifest: { id, grads } }: GoldenCase, call: CaseCall, backend: Backend): Program {
  const program = call.record();
  if (grads.length === 0) return program;
  if (!Object.hasOwn(program.outputs, LOSS))
    throw new LoadError(`${id}: gradients need an input "${COTANGENT}" of floats  [conform.outputs]`);
  return gradients(program, LOSS, grads.map(leafOf), { fused: differentiable(backend) });
}

/** Results by the names of expected.safetensors. */
export type Actual = ReadonlyMap<string, Stored>;

const outputsOf = (outputs: Readonly<Record<string, Stored>>, names: readonly string[]): [string, Stored][] =>
  Object.entries(expectedOutputs(names, outputs)).map(([name, output]) => [`outputs.${name}`, output]);

async function replayed(golden: GoldenCase, program: Program, backend: Backend, options: ReplayOptions) {
  const { outputs, taps, kernels } = await replay(program, backend, options);
  const { outputs: names, grads } = golden.manifest;
  const slopes = grads.flatMap((name): [string, Tensor][] => {
    const slope = outputs[gradientOf(leafOf(name))];
    return slope ? [[`grads.${name}`, slope]] : [];
  });
  const activations = Object.entries(taps).map(([name, t]): [string, Tensor] => [`taps.${name}`, t]);
  const actual: Actual = new Map<string, Stored>([...outputsOf(outputs, names), ...slopes, ...activations]);
  return { actual, kernels };
}

export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Builds the system under test; by default that of the registered source. */
  readonly systemFor?: SystemFor | undefined;
  /** Receives the results. */
  readonly onActual?: ((golden: GoldenCase, actual: Actual) => void) | undefined;
}

/** A system with `run` returns outputs only. [conform.run] */
async function checkRun(
  golden: GoldenCase,
  run: NonNullable<SystemUnderTest["run"]>,
  inputs: Inputs,
  backend: Backend,
  { onActual }: CheckOptions,
): Promise<Judgement> {
  const outputs = await run(inputs, backend);
  if (golden.manifest.raises) return judgeRaised(golden.manifest.raises, null);
  const actual: Actual = new Map(outputsOf(outputs, golden.manifest.outputs));
  onActual?.(golden, actual);
  return judge(golden, actual, backend.precision, { taps: "locate" });
}

/**
 * On the reference backend the taps must conform too. A backend with fused kernels computes them only to locate a deviation,
 * because a tap inside a scope keeps it from being fused.
 */
async function checkProgram(
  golden: GoldenCase,
  call: CaseCall,
  backend: Backend,
  { signal, onProgress, onActual }: CheckOptions,
): Promise<Judgement> {
  const program = programOf(golden, call, backend);
  const { raises, taps: named } = golden.manifest;
  if (raises) return judgeRaised(raises, null);
  const fused = Object.keys(backend.scopes).length > 0;
  const taps = named.filter((name) => Object.hasOwn(program.taps, name));
  const first = await replayed(golden, program, backend, { signal, onProgress, taps: fused ? [] : taps });
  onActual?.(golden, first.actual);
  const judgement = judge(golden, first.actual, backend.precision, { taps: fused ? "locate" : "decide" });
  if (judgement.status === "passed" || !fused) return { ...judgement, kernels: first.kernels };
  const second = await replayed(golden, program, backend, { signal, taps });
  const both = new Map([...second.actual, ...first.actual]);
  return { ...judge(golden, both, backend.precision, { taps: "locate" }), kernels: first.kernels };
}

/** The verdict on one case. Errors become verdicts, unless `signal` was aborted. */
export async function checkCase(
  golden: GoldenCase,
  backend: Backend,
  options: CheckOptions = {},
): Promise<CaseVerdict> {
  const { id, source, raises } = golden.manifest;
  const base = { id, module: moduleName(source), precision: backend.precision };
  try {
    const call = callOf(golden, options.systemFor);
    const { run } = call.system;
    const judgement = run
      ? await checkRun(golden, run, call.inputs, backend, options)
      : await checkProgram(golden, call, backend, options);
    return { ...base, ...judgement };
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const refused = error instanceof RuleError || error instanceof ShapeError;
    if (raises && refused) return { ...base, ...judgeRaised(raises, error) };
    return {
      ...base,
      rows: 0,
      worst: null,
      firstDivergence: null,
      kernels: null,
      status: "errored",
      error: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
    };
  }
}

/** Precisions that a check runs in by default. */
export const DEFAULT_PRECISIONS: readonly Precision[] = ["float64", "float32"];
