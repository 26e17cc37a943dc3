// Replays a program on a backend. An op or scope without a kernel is computed by the definitions of its ops.
import { now } from "#host";
import { Bug, RuleError, ShapeError } from "../tensor/errors.ts";
import { type Bindings, computeNode, leafValues, type Results, rounded } from "../tensor/program/evaluate.ts";
import { type Node, type Program, type Scope, withTaps } from "../tensor/program/program.ts";
import { type RecordOptions, record } from "../tensor/program/record.ts";
import { Tensor, type View } from "../tensor/tensor.ts";
import { nearestNames } from "../terminal/nearest.ts";
import type { Backend, ScopeKernels } from "./backend.ts";
import { checkBackend, checkedResult, checkOptions, outputsByName } from "./checks.ts";
import type { ScopeFallback } from "./dispatch.ts";
import { copiedFrom, type Hold, KeptTensor } from "./kept-tensor.ts";
import { type Plan, planOf } from "./plan.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { serially } from "./serial-queue.ts";
import { isReleasable, storedParameters } from "./stored-parameters.ts";

/** Values to bind, what to return besides the outputs, what stays on the backend, and how to stop. */
export interface ReplayOptions {
  /** Values for named leaves, in place of those that were recorded. */
  readonly bind?: Bindings | undefined;
  /** Intermediates to return. A tap inside a scope prevents that scope from being fused. */
  readonly taps?: readonly string[] | undefined;
  /** Outputs that stay in the memory of the backend, as KeptTensors: all of them, or those named. */
  readonly keep?: "backend" | readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each node with the completed fraction of the program, 0 to 1. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** Products and attention scopes that ran in kernels of the backend, and products that fell back to the definition. */
export interface KernelReport {
  readonly matmul: number;
  readonly attention: number;
  readonly fallback: number;
  /** Scopes that ran in fused kernels. */
  readonly fused: number;
  /** Scopes that have a fused kernel of this name in the backend, but whose ops ran one by one, and why. */
  readonly unfused: readonly ScopeFallback[];
  readonly mode: string | null;
}

type Replayed = Results & { kernels: KernelReport };

/**
 * Runs a recorded program on a backend and returns its outputs and taps, with a report of the kernels that ran. Replays on one
 * backend with a store run one after another. Throws a ShapeError for a tap, an output or a leaf that the program does not have
 * and for a bound value of another shape, a RuleError for a parameter that is given other values during the replay, and the
 * reason of `signal` when it is aborted.
 */
export async function replay(
  program: Program,
  backend: Backend,
  options: ReplayOptions = {},
): Promise<Replayed> {
  checkBackend("replay", backend);
  checkOptions("replay", options, REPLAY_OPTIONS);
  const { bind = {}, taps = [] } = options;
  checkTaps(program, taps);
  const chosen = withTaps(program, taps);
  const kept = keptOutputs(program, options.keep);
  const plan = planOf(chosen, backend);
  const tensors = leafTensors(chosen, plan, bind);
  const held = heldLeaves(tensors, backend);
  const unchanged = unchangedParameters(tensors);
  try {
    return await serially(backend, () =>
      new Replay(chosen, plan, backend, bind, held, unchanged).run(kept, options),
    );
  } finally {
    for (const { release } of held.values()) release();
  }
}

const REPLAY_OPTIONS = ["bind", "taps", "keep", "signal", "onProgress"];
const RUN_OPTIONS = [...REPLAY_OPTIONS, "model", "inputs"];

const MOST_LISTED = 12;

/** Throws a RuleError for taps that are no list of names, and a ShapeError for a name that is no tap of the program. */
function checkTaps({ taps }: Program, names: unknown): void {
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string"))
    throw new RuleError("taps is not a list of names of activations", "options.values");
  const known = Object.keys(taps);
  const unknown = names.find((name) => !Object.hasOwn(taps, name));
  if (unknown === undefined) return;
  const near = nearestNames(unknown, known);
  const listed = known.slice(0, MOST_LISTED).join(", ");
  const rest = known.length > MOST_LISTED ? ` and ${known.length - MOST_LISTED} more` : "";
  const has =
    known.length === 0 ? "it has none; taps have names where `model` is given" : `it has ${listed}${rest}`;
  const hint = near.length === 0 ? has : `did you mean ${near.join(", ")}?`;
  throw new ShapeError(`the program has no tap ${JSON.stringify(unknown)}; ${hint}  [tap.choose]`); // [tap.choose]
}

function keptOutputs({ outputs }: Program, keep: ReplayOptions["keep"] = []): ReadonlySet<string> {
  const names = Object.keys(outputs);
  if (keep === "backend") return new Set(names);
  if (!Array.isArray(keep))
    throw new RuleError(
      `keep is ${JSON.stringify(keep)}; it must be "backend" or a list of names of outputs`,
      "replay.keep",
    );
  const unknown = keep.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new ShapeError(
      `cannot keep "${unknown}": the program has no such output; it has ${names.join(", ")}  [replay.keep]`,
    );
  return new Set(keep);
}

/** A kept result that a program reads: where its numbers are, and whether that is the backend of the replay. */
interface HeldLeaf extends Hold {
  readonly backend: Backend;
  readonly here: boolean;
}

/** Holds the kept results that the program reads, so that they may be released while it waits and runs. */
function heldLeaves(
  tensors: readonly (readonly [number, Tensor])[],
  on: Backend,
): ReadonlyMap<number, HeldLeaf> {
  const held = new Map<number, HeldLeaf>();
  try {
    for (const [id, t] of tensors)
      if (t instanceof KeptTensor) held.set(id, { ...t.hold(), backend: t.backend, here: t.isOn(on) });
    return held;
  } catch (error) {
    for (const { release } of held.values()) release();
    throw error;
  }
}

/** The tensors of the leaves that are needed. */
function leafTensors(
  { leaves, bindings }: Program,
  { live }: Plan,
  bind: Bindings,
): [id: number, t: Tensor][] {
  const bound = new Map(Object.entries(bind).map(([name, t]) => [leaves[name], t]));
  return [...bindings].flatMap(([id, own]) => (live[id] ? [[id, bound.get(id) ?? own]] : []));
}

/**
 * A function that throws if a parameter has been given other values since. A replay reads parameters when it comes to them, so that the
 * caller could not know with which values it computes.
 */
function unchangedParameters(tensors: readonly (readonly [number, Tensor])[]): () => void {
  const sources = tensors.flatMap(([, t]) => (isReleasable(t) ? [[t, t.source] as const] : []));
  return () => {
    const [changed] = sources.find(([t, source]) => t.source !== source) ?? [];
    if (changed === undefined) return;
    throw new RuleError(
      `a parameter [${changed.shape.join(" ")}] was given other values during a replay; await the replay first`,
      "replay.assigned",
    );
  };
}

/** Milliseconds between pauses. Definitions are synchronous, so without pauses no timer, abort signal or page event would be handled. */
const PAUSE_INTERVAL = 50;

/** When a replay last returned to the event loop; one time for all, because a decoder's replays take milliseconds each. */
let lastPause = now();

/** Returns to the event loop if PAUSE_INTERVAL has passed since a replay last did. */
function pauseIfDue(): Promise<void> | null {
  if (now() - lastPause <= PAUSE_INTERVAL) return null;
  return new Promise<void>((resume) => setTimeout(resume, 0)).then(() => {
    lastPause = now();
  });
}

type AnyKernel = (attrs: object, ...inputs: View[]) => unknown;
type AnyScopeKernel = {
  run(attrs: object, inputs: Record<string, View>): unknown;
};

/**
 * One run of a program. A value is kept until the last node that reads it has run. Only promises are awaited: most kernels and views
 * return at once, and a step of a decoder has thousands of nodes.
 */
class Replay {
  readonly #program: Program;
  readonly #plan: Plan;
  readonly #backend: Backend;
  readonly #countsBefore: Backend["ran"];
  readonly #leaf: (id: number) => View | Promise<View>;
  readonly #checkUnchanged: () => void;
  readonly #buffers: ReferenceCounts;
  readonly #values: (View | undefined)[] = [];
  #fallback = 0;

  constructor(
    program: Program,
    plan: Plan,
    backend: Backend,
    bind: Bindings,
    held: ReadonlyMap<number, HeldLeaf>,
    checkUnchanged: () => void,
  ) {
    this.#program = program;
    this.#plan = plan;
    this.#backend = backend;
    this.#countsBefore = { ...backend.ran };
    this.#leaf = leavesOn(program, plan, backend, bind, held);
    this.#checkUnchanged = checkUnchanged;
    this.#buffers = new ReferenceCounts(backend.store);
  }

  async run(kept: ReadonlySet<string>, { signal, onProgress }: ReplayOptions): Promise<Replayed> {
    const { nodes, scopes } = this.#program;
    const { fused, live } = this.#plan;
    this.#backend.store?.begin?.();
    try {
      for (let id = 0; id < nodes.length; ) {
        signal?.throwIfAborted(); // [replay.signal]
        const first = fused.get(id);
        const scope = first === undefined ? undefined : scopes[first];
        const ran = scope ? this.#runScope(scope) : live[id] ? this.#runNode(id) : null;
        if (ran) await ran;
        id = scope ? scope.end : id + 1;
        onProgress?.(id / nodes.length);
        const pause = pauseIfDue();
        if (pause) await pause;
      }
      const kernels = this.#report();
      return { ...(await this.#results(kept)), kernels };
    } finally {
      this.#buffers.close();
    }
  }

  async #runScope(scope: Scope): Promise<void> {
    const { name, attrs, inputs, outputs, first, end } = scope;
    const views: Record<string, View> = {};
    for (const [input, id] of Object.entries(inputs)) views[input] = await this.#forKernel(id);
    const kernel = this.#backend.scopes[name as keyof ScopeKernels] as unknown as AnyScopeKernel;
    const results = this.#checkedOutputs(scope, await kernel.run(attrs, views), Object.values(views));
    for (const v of Object.values(results)) this.#buffers.acquire(v); // before any is released: they may share a block
    for (const [result, v] of Object.entries(results)) {
      const id = outputs[result];
      if (id !== undefined && this.#plan.live[id]) this.#values[id] = v;
      else this.#buffers.release(v); // no node reads it
    }
    for (let id = first; id < end; id++) if (this.#plan.live[id]) this.#releaseInputs(id);
  }

  /** What a fused kernel returned, by the names of the scope's outputs. */
  #checkedOutputs(
    { name, outputs }: Scope,
    returned: unknown,
    inputs: readonly View[],
  ): Record<string, View> {
    const results = outputsByName(this.#backend, name, returned, Object.keys(outputs));
    const checked: Record<string, View> = {};
    for (const [output, id] of Object.entries(outputs)) {
      const v = results[output];
      if (v === undefined && !this.#plan.live[id]) continue;
      checked[output] = checkedResult(this.#backend, name, output, v, this.#node(id).shape, inputs);
    }
    return checked;
  }

  /** Runs a node; returns a promise if it has to wait for an operand or the kernel. */
  #runNode(id: number): Promise<void> | null {
    const node = this.#node(id);
    if (node.op === "leaf") return null;
    const hasKernel = this.#backend.ops[node.op] !== undefined;
    if (!hasKernel && node.op === "einsum") this.#fallback++; // [replay.kernels]
    const inputs: View[] = [];
    for (const input of node.inputs) {
      const v = hasKernel ? this.#forKernel(input) : this.#forDefinition(input);
      if (v instanceof Promise) return this.#runLater(id, node, hasKernel, inputs, v);
      inputs.push(v);
    }
    const result = this.#compute(id, node, inputs);
    if (result instanceof Promise) return result.then((v) => this.#keepValue(id, v));
    this.#keepValue(id, result);
    return null;
  }

  /** Runs a node of whose operands `inputs` are at hand and `next` is awaited. */
  async #runLater(
    id: number,
    node: Node,
    hasKernel: boolean,
    inputs: View[],
    next: Promise<View>,
  ): Promise<void> {
    inputs.push(await next);
    for (const input of node.inputs.slice(inputs.length))
      inputs.push(await (hasKernel ? this.#forKernel(input) : this.#forDefinition(input)));
    this.#keepValue(id, await this.#compute(id, node, inputs));
  }

  #compute(id: number, node: Node, inputs: View[]): View | Promise<View> {
    const kernel = node.op === "leaf" ? undefined : (this.#backend.ops[node.op] as AnyKernel | undefined);
    if (kernel) {
      const result = kernel(node.attrs, ...inputs);
      if (!(result instanceof Promise))
        return checkedResult(this.#backend, node.op, null, result, node.shape, inputs);
      return result.then((v) => checkedResult(this.#backend, node.op, null, v, node.shape, inputs));
    }
    return computeNode(node, inputs, this.#plan.rounded[id] ? this.#backend.precision : "float64");
  }

  #keepValue(id: number, v: View): void {
    this.#values[id] = this.#buffers.acquire(v);
    this.#releaseInputs(id);
  }

  #node(id: number): Node {
    return this.#program.nodes[id] as Node;
  }

  #lastUse(id: number): number {
    return this.#plan.lastUse[id] ?? -1;
  }

  #value(id: number): View | Promise<View> {
    const known = this.#values[id];
    if (known) return known;
    if (this.#node(id).op !== "leaf") throw new Bug(`node ${id} was dropped too early`);
    const v = this.#leaf(id);
    return v instanceof Promise ? v.then((later) => this.#store(id, later)) : this.#store(id, v);
  }

  #store(id: number, v: View): View {
    if (this.#lastUse(id) < this.#program.nodes.length) this.#values[id] = v;
    return v;
  }

  /** The value as kernels read it, uploaded at most once. */
  #forKernel(id: number): View | Promise<View> {
    const v = this.#value(id);
    return this.#backend.store?.upload ? this.#uploaded(id, v) : v;
  }

  async #uploaded(id: number, value: View | Promise<View>): Promise<View> {
    const v = await value;
    const uploaded = (await this.#backend.store?.upload?.(v)) ?? v;
    if (uploaded !== v) this.#values[id] = this.#buffers.acquire(uploaded); // [replay.upload]
    return uploaded;
  }

  #forDefinition(id: number): View | Promise<View> {
    const v = this.#value(id);
    const { store } = this.#backend;
    if (!store?.download) return v;
    return v instanceof Promise ? v.then((later) => store.download?.(later) ?? later) : store.download(v); // [replay.download]
  }

  /** Releases the inputs of a node that no later node reads. */
  #releaseInputs(id: number): void {
    for (const input of this.#node(id).inputs) {
      const v = this.#values[input];
      if (v === undefined || this.#lastUse(input) > id) continue;
      this.#buffers.release(v);
      this.#values[input] = undefined;
    }
  }

  #report(): KernelReport {
    const { ran, mode } = this.#backend;
    const { fused, unfused } = this.#plan;
    return {
      matmul: ran.matmul - this.#countsBefore.matmul,
      attention: ran.attention - this.#countsBefore.attention,
      fallback: this.#fallback,
      fused: fused.size,
      unfused,
      mode,
    };
  }

  async #results(kept: ReadonlySet<string>): Promise<Results> {
    const { outputs, taps, nodes } = this.#program;
    const copies: View[] = [];
    const results = { outputs: {} as Record<string, Tensor>, taps: {} as Record<string, Tensor> };
    const copied = async (id: number): Promise<Tensor> => {
      const v = await this.#value(id);
      copies[id] ??= await copiedFrom(this.#backend, v); // [replay.results]
      return new Tensor(nodes[id]?.shape ?? [], copies[id]);
    };
    try {
      for (const [name, id] of Object.entries(outputs))
        results.outputs[name] = kept.has(name) ? await this.#keptResult(id) : await copied(id);
      for (const [name, id] of Object.entries(taps)) results.taps[name] = await copied(id);
      this.#checkUnchanged(); // [replay.assigned]
      return results;
    } catch (error) {
      releaseKept(...Object.values(results.outputs));
      throw error;
    }
  }

  async #keptResult(id: number): Promise<KeptTensor> {
    const v = await this.#value(id);
    const own = (await this.#backend.store?.keep(v)) ?? v;
    if (own !== v) this.#values[id] = this.#buffers.acquire(own);
    return new KeptTensor(this.#backend, this.#node(id).shape, own); // [replay.keep]
  }
}

/** The values of leaves as a backend reads them first: kept results and stored parameters in its memory, others on the host. */
function leavesOn(
  program: Program,
  plan: Plan,
  backend: Backend,
  bind: Bindings,
  held: ReadonlyMap<number, HeldLeaf>,
): (id: number) => View | Promise<View> {
  const hostValue = leafValues(program, bind, backend.precision);
  const parameter = storedParameters(program, plan, backend, bind);
  return (id) => {
    const leaf = held.get(id);
    if (leaf?.here) return leaf.view; // [replay.keep]
    if (leaf) return copiedFrom(leaf.backend, leaf.view).then((v) => rounded(v, backend.precision));
    const stored = parameter(id);
    return stored instanceof Promise ? stored.then((v) => v ?? hostValue(id)) : (stored ?? hostValue(id));
  };
}

/**
 * Frees the memory of those tensors that stayed on a backend; others are left as they are.
 * Shapes: tensors `...`.
 */
export function releaseKept(...tensors: readonly Tensor[]): void {
  for (const t of tensors) if (t instanceof KeptTensor) t.release();
}

/** Names of outputs, and what a function that is run returns for each. */
type Returned = Tensor | Readonly<Record<string, Tensor>>;
/** The options of `record` and of `replay`. */
export type RunOptions = Omit<RecordOptions, "symbolic"> & ReplayOptions;

type ResultOf<Name, O> = O extends { readonly keep: "backend" }
  ? KeptTensor
  : O extends { readonly keep: readonly (infer Kept)[] }
    ? Name extends Kept
      ? KeptTensor
      : Tensor
    : Tensor;
type OutputsOf<F extends Returned, O> = F extends Tensor
  ? ResultOf<"out", O>
  : { -readonly [K in keyof F]: ResultOf<K, O> };
type RunResult<F extends Returned, O> = O extends { readonly taps: readonly string[] }
  ? { readonly outputs: OutputsOf<F, O>; readonly taps: Readonly<Record<string, Tensor>> }
  : OutputsOf<F, O>;

/**
 * Records `f` symbolically and replays the program on a backend. Returns what `f` returns, a tensor or a record of tensors, with
 * values; where taps are requested, `{ outputs, taps }`. The name of a single tensor is `out`. Throws as `replay` does.
 */
export async function run<F extends () => Returned, const O extends RunOptions = object>(
  backend: Backend,
  f: F,
  options: O = {} as O,
): Promise<RunResult<ReturnType<F>, O>> {
  checkBackend("run", backend);
  checkOptions("run", options, RUN_OPTIONS);
  if (typeof f !== "function")
    throw new RuleError(
      `run takes a function that computes, such as () => model.forward(x), not ${f === null ? "null" : typeof f}`,
      "options.values",
    );
  const { model, inputs, ...own } = options;
  let isSingle = false;
  const traced = (): Returned => {
    const out = f();
    isSingle = out instanceof Tensor;
    return out;
  };
  const { outputs, taps } = await replay(record(traced, { model, inputs, symbolic: true }), backend, own);
  const results = isSingle ? outputs.out : outputs;
  return (options.taps ? { outputs: results, taps } : results) as RunResult<ReturnType<F>, O>;
}
