// Runs this implementation on one golden case and compares.

import type { GoldenCase } from "../../io/golden/cases.ts";
import type { CaseManifest, Raises } from "../../io/golden/manifest.ts";
import type { Stored } from "../../io/safetensors/read.ts";
import { quoted } from "../../io/wording.ts";
import { type Backend, differentiable } from "../../kernels/backend.ts";
import { type ReplayOptions, replay } from "../../kernels/replay.ts";
import { loadStateDict, parameterNames, stateDict } from "../../nn/state-dict.ts";
import { gradientOf, gradients } from "../../tensor/autodiff/gradients.ts";
import { LoadError, nameAndMessageOf, RuleError, ShapeError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { mul, sumAll } from "../../tensor/ops/functions.ts";
import type { Precision } from "../../tensor/precision.ts";
import type { Program } from "../../tensor/program/program.ts";
import { record } from "../../tensor/program/record.ts";
import { type Shape, sizeOf, Tensor, zeros } from "../../tensor/tensor.ts";
import { argumentsOf, type Inputs } from "../sources/interface/arguments.ts";
import type { SystemUnderTest } from "../sources/interface/source.ts";
import { moduleName, systemUnderTest } from "../sources/registry.ts";
import { checkInputs, checkProgramSize } from "./budget.ts";
import { type Judgement, judge, judgeRaised } from "./judge.ts";
import { notRun } from "./selection.ts";
import type { CaseVerdict, NotCompared } from "./verdict.ts";

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
  /** The integers and booleans among the outputs, after `record`. They are computed while recording, and do not depend on the backend. */
  readonly hostOutputs: Map<string, Stored>;
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
  checkInputs(golden);
  const system = systemFor(manifest);
  checkTies(manifest, system.model);
  loadStateDict(system.model, golden.weights);
  const cotangent = golden.inputs.get(COTANGENT);
  const given = new Map([...golden.inputs].filter(([name]) => name !== COTANGENT));
  const inputs = argumentsOf(given, manifest.call);
  const { forward } = system;
  const hostOutputs = new Map<string, Stored>();
  const floats = [...given].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  const recordCall: CaseCall["record"] = (around = (call) => call()) => {
    if (!forward)
      throw new LoadError(`${manifest.id}: ${manifest.source.class} has no forward pass to record`);
    return record(
      () => {
        const returned = expectedOutputs<Stored>(
          manifest.outputs,
          around(() => forward(inputs)),
        );
        const outputs: Record<string, Tensor> = {};
        for (const [name, output] of Object.entries(returned)) {
          if (output instanceof Tensor) outputs[name] = output;
          else hostOutputs.set(name, output); // [conform.outputs]
        }
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
  return { system, inputs, record: recordCall, hostOutputs };
}

/** Throws a LoadError unless the model shares the tensors that the case ties. */
function checkTies({ id, ties }: CaseManifest, model: object): void {
  if (ties.size === 0) return;
  const state = stateDict(model);
  for (const [second, first] of ties) {
    const [a, b] = [state.get(second), state.get(first)];
    if (a !== undefined && a === b) continue; // [conform.ties]
    const problem = a === undefined ? "the model does not have" : "the model does not share with it";
    throw new LoadError(`${id} ties ${quoted(first)} to ${quoted(second)}, which ${problem}  [conform.ties]`);
  }
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

interface Replayable {
  readonly program: Program;
  readonly hostOutputs: ReadonlyMap<string, Stored>;
  /** Gradients that the case does not list, although its loss depends on these tensors. */
  readonly unlisted: readonly string[];
}

/** The program of a case, with its gradients if it has any, as this backend replays it. */
function programOf(golden: GoldenCase, call: CaseCall, backend: Backend): Replayable {
  const { id, grads, trainable } = golden.manifest;
  const program = call.record();
  const { hostOutputs } = call;
  checkProgramSize(golden, program);
  if (grads.length === 0) return { program, hostOutputs, unlisted: [] };
  if (!Object.hasOwn(program.outputs, LOSS))
    throw new LoadError(`${id}: gradients need an input "${COTANGENT}" of floats  [conform.outputs]`);
  const { model, trainable: released } = call.system;
  const parameters = parameterNames(model);
  const names = trainable
    ? [...new Set([...trainable, ...(released?.(call.inputs) ?? parameters)])]
    : parameters;
  const unlisted = unlistedGradients(golden, program, names); // [conform.listed-gradients]
  const frozen = new Set(names.filter((name) => !trainable?.includes(name)).map((name) => `weights.${name}`));
  const [missing] = trainable ? unlisted.filter((name) => !frozen.has(name)) : [];
  if (missing !== undefined)
    throw new LoadError(
      `${id}: "grads" does not list ${quoted(missing)}, on which the loss depends  [conform.listed-gradients]`,
    ); // [conform.listed-gradients]
  const read = grads.filter((name) => unreadShape(golden, program, name) === undefined);
  const both = gradients(program, LOSS, read.map(leafOf), { fused: differentiable(backend) });
  checkProgramSize(golden, both);
  return { program: both, hostOutputs, unlisted };
}

/** The inputs and parameters that the loss depends on and whose gradients the case does not list. */
function unlistedGradients(
  { manifest }: GoldenCase,
  program: Program,
  parameters: readonly string[],
): string[] {
  const reached = new Set([program.outputs[LOSS]]);
  for (let node = program.nodes.length - 1; node >= 0; node--) {
    const { op, inputs } = program.nodes[node] ?? { op: "leaf", inputs: [] };
    if (reached.has(node) && op !== "detach") for (const input of inputs) reached.add(input);
  }
  const leaf = new Map(Object.entries(program.leaves));
  const listed = new Set(manifest.grads.map((name) => leaf.get(leafOf(name))));
  const names = [
    ...[...manifest.inputs.keys()].filter((name) => name !== COTANGENT).map((name) => `inputs.${name}`),
    ...parameters.map((name) => `weights.${name}`),
  ];
  return names.filter((name) => {
    const id = leaf.get(leafOf(name));
    return id !== undefined && reached.has(id) && !listed.has(id);
  });
}

/** Results by the names of expected.safetensors. */
export type Actual = ReadonlyMap<string, Stored>;

const outputsOf = (outputs: Readonly<Record<string, Stored>>, names: readonly string[]): [string, Stored][] =>
  Object.entries(expectedOutputs(names, outputs)).map(([name, output]) => [`outputs.${name}`, output]);

/** The shape of a tensor of the case that the forward pass does not read, such as a weight of a branch that no token uses; else undefined. */
function unreadShape({ manifest }: GoldenCase, program: Program, grad: string): Shape | undefined {
  if (Object.hasOwn(program.leaves, leafOf(grad))) return undefined;
  return grad.startsWith("weights.")
    ? manifest.weights.get(leafOf(grad))
    : manifest.inputs.get(grad.replace(/^inputs\./, ""))?.shape;
}

async function replayed(
  golden: GoldenCase,
  { program, hostOutputs }: Replayable,
  backend: Backend,
  options: ReplayOptions,
) {
  const { outputs: floats, taps, kernels } = await replay(program, backend, options);
  const outputs = { ...floats, ...Object.fromEntries(hostOutputs) };
  const { outputs: names, grads } = golden.manifest;
  const slopes = grads.flatMap((name): [string, Tensor][] => {
    const unread = unreadShape(golden, program, name);
    const slope = unread ? new Tensor(unread, zeros(unread)) : floats[gradientOf(leafOf(name))]; // [conform.unread-gradients]
    return slope ? [[`grads.${name}`, slope]] : [];
  });
  const activations = Object.entries(taps).map(([name, t]): [string, Tensor] => [`taps.${name}`, t]);
  const actual: Actual = new Map<string, Stored>([...outputsOf(outputs, names), ...slopes, ...activations]);
  return { actual, kernels };
}

/** How a case is checked: the system under test, and what is reported on the way. */
export interface CheckOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number) => void) | undefined;
  /** Builds the system under test; by default that of the registered source. */
  readonly systemFor?: SystemFor | undefined;
  /** Receives the results. */
  readonly onActual?: ((golden: GoldenCase, actual: Actual) => void) | undefined;
}

type Checked = Judgement & Pick<CaseVerdict, "notCompared">;

const part = (what: NotCompared["what"], names: readonly string[]): NotCompared[] =>
  names.length > 0 ? [{ what, names }] : [];

/** A system with `run` returns outputs only. [conform.run] */
async function checkRun(
  golden: GoldenCase,
  run: NonNullable<SystemUnderTest["run"]>,
  inputs: Inputs,
  backend: Backend,
  { onActual }: CheckOptions,
): Promise<Checked> {
  const outputs = await run(inputs, backend);
  const { raises, outputs: names, taps } = golden.manifest;
  if (raises) return judgeRaised(raises, null);
  const actual: Actual = new Map(outputsOf(outputs, names));
  onActual?.(golden, actual);
  return { ...judge(golden, actual, backend.precision, { taps: "locate" }), notCompared: part("taps", taps) };
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
): Promise<Checked> {
  const replayable = programOf(golden, call, backend);
  const { program, unlisted } = replayable;
  const { raises, taps: named } = golden.manifest;
  if (raises) return judgeRaised(raises, null);
  const taps = named.filter((name) => Object.hasOwn(program.taps, name));
  const fused = Object.keys(backend.scopes).length > 0 && taps.length === named.length; // a missing tap decides everywhere
  const first = await replayed(golden, replayable, backend, { signal, onProgress, taps: fused ? [] : taps });
  onActual?.(golden, first.actual);
  const judgement = judge(golden, first.actual, backend.precision, { taps: fused ? "locate" : "decide" });
  const withoutGradients = part("gradients", unlisted);
  if (judgement.status === "passed" || !fused) {
    const notCompared = [...part("taps", fused ? taps : []), ...withoutGradients];
    return { ...judgement, kernels: first.kernels, notCompared };
  }
  const second = await replayed(golden, replayable, backend, { signal, taps });
  const both = new Map([...second.actual, ...first.actual]);
  const located = judge(golden, both, backend.precision, { taps: "locate" });
  return { ...located, kernels: first.kernels, notCompared: withoutGradients };
}

/** The parts of this case that no run compares. */
function notComparedIn({ manifest, expected }: GoldenCase): NotCompared[] {
  const empty = [...expected].filter(([, t]) => sizeOf(t.shape) === 0).map(([name]) => name);
  return [...part("fields", manifest.unread), ...part("empty", empty)];
}

/** The verdict on one case. Errors become verdicts, unless `signal` was aborted. */
export async function checkCase(
  golden: GoldenCase,
  backend: Backend,
  options: CheckOptions = {},
): Promise<CaseVerdict> {
  checkMember("checkCase", { golden }, "manifest", "a golden case, as readCase returns it");
  checkMember("checkCase", { backend }, "precision", "a backend, as reference, simd and gpu return it");
  const { id, source, raises } = golden.manifest;
  const base = { id, module: moduleName(source), precision: backend.precision };
  let phase: Raises["phase"] = "construct";
  try {
    const call = callOf(golden, options.systemFor);
    phase = "forward";
    const { run } = call.system;
    const judgement = run
      ? await checkRun(golden, run, call.inputs, backend, options)
      : await checkProgram(golden, call, backend, options);
    const stray = golden.strayTensors();
    if (judgement.status === "passed" && stray.length > 0)
      throw new LoadError(
        `${id}: ${stray.map(quoted).join(", ")} in the file are not what case.json says: its recipes, seed or dtypes give other numbers  [case.recipe]`,
      ); // [case.recipe]
    const notCompared = [
      ...notComparedIn(golden),
      ...(judgement.notCompared ?? []),
      ...part("recipes", stray),
    ];
    return { ...base, ...judgement, notCompared };
  } catch (error) {
    if (options.signal?.aborted) throw error;
    if (raises && (error instanceof RuleError || error instanceof ShapeError))
      return { ...base, ...judgeRaised(raises, { error, phase }), notCompared: notComparedIn(golden) };
    return { ...notRun("errored", id, nameAndMessageOf(error), base.module), precision: base.precision };
  }
}

/** Precisions that a check runs in by default. */
export const DEFAULT_PRECISIONS: readonly Precision[] = ["float64", "float32"];
