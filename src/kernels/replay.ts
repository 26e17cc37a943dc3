// Replays a program on a backend. An op or scope without a kernel is computed by the definitions of its ops.
import { now } from "#host";
import { Bug } from "../tensor/errors.ts";
import {
  type Bindings,
  computeNode,
  leafValues,
  type Results,
  resultsOf,
  roundedNodes,
} from "../tensor/program/evaluate.ts";
import { lastUses, type Node, type Program, prune, type Scope, withTaps } from "../tensor/program/program.ts";
import { type RecordOptions, record } from "../tensor/program/record.ts";
import type { Tensor, View } from "../tensor/tensor.ts";
import type { Backend, ScopeKernels } from "./backend.ts";
import { type Dispatch, dispatch, type ScopeFallback } from "./dispatch.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { serially } from "./serial-queue.ts";
import { storedParameters } from "./stored-parameters.ts";

export interface ReplayOptions {
  /** Values for named leaves, in place of those that were recorded. */
  readonly bind?: Bindings | undefined;
  /** Intermediates to return. A tap inside a scope prevents that scope from being fused. */
  readonly taps?: readonly string[] | undefined;
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
 * Runs a recorded program on a backend and returns its outputs and taps, with a report of the kernels that ran. Replays on one backend
 * with a store run one after another.
 */
export const replay = (program: Program, backend: Backend, options: ReplayOptions = {}): Promise<Replayed> =>
  serially(backend, async () => {
    const { bind = {}, taps = [] } = options;
    return new Replay(prune(withTaps(program, taps)), backend, bind).run(options);
  });

/** Milliseconds between pauses. Definitions are synchronous, so without pauses no timer, abort signal or page event would be handled. */
const PAUSE_INTERVAL = 50;

/** A function that returns to the event loop if PAUSE_INTERVAL has passed since it last did. */
function pauses(): () => Promise<void> {
  let last = now();
  return async () => {
    if (now() - last <= PAUSE_INTERVAL) return;
    await new Promise((resume) => setTimeout(resume, 0));
    last = now();
  };
}

type AnyKernel = (attrs: object, ...inputs: View[]) => Promise<View>;
type AnyScopeKernel = { run(attrs: object, inputs: Record<string, View>): Promise<View> };

/** One run of a pruned program. A value is kept until the last node that reads it has run. */
class Replay {
  readonly #program: Program;
  readonly #backend: Backend;
  readonly #countsBefore: Backend["ran"];
  readonly #leaf: (id: number) => View;
  readonly #parameter: (id: number) => Promise<View | null>;
  readonly #isRounded: (id: number, node: Node) => boolean;
  readonly #lastUse: ReturnType<typeof lastUses>;
  readonly #dispatch: Dispatch;
  readonly #buffers: ReferenceCounts;
  readonly #values: (View | undefined)[] = [];
  #fallback = 0;

  constructor(program: Program, backend: Backend, bind: Bindings) {
    this.#program = program;
    this.#backend = backend;
    this.#countsBefore = { ...backend.ran };
    this.#leaf = leafValues(program, bind, backend.precision);
    this.#isRounded = roundedNodes(program);
    this.#lastUse = lastUses(program);
    this.#dispatch = dispatch(program, backend.scopes);
    this.#parameter = storedParameters(program, backend, bind);
    this.#buffers = new ReferenceCounts(backend.store);
  }

  async run({ signal, onProgress }: ReplayOptions): Promise<Replayed> {
    const { nodes } = this.#program;
    const pauseIfDue = pauses();
    try {
      for (let id = 0; id < nodes.length; ) {
        await pauseIfDue();
        signal?.throwIfAborted(); // [replay.signal]
        const scope = this.#dispatch.fused.get(id);
        if (scope) await this.#runScope(scope);
        else await this.#runNode(id);
        id = scope ? scope.end : id + 1;
        onProgress?.(id / nodes.length);
      }
      const kernels = this.#report();
      return { ...(await this.#results()), kernels };
    } finally {
      this.#buffers.close();
    }
  }

  async #runScope({ name, attrs, inputs, output, first, end }: Scope): Promise<void> {
    const views: Record<string, View> = {};
    for (const [input, id] of Object.entries(inputs)) views[input] = await this.#forKernel(id);
    const kernel = this.#backend.scopes[name as keyof ScopeKernels] as unknown as AnyScopeKernel;
    this.#values[output] = this.#buffers.acquire(await kernel.run(attrs, views));
    for (let id = first; id < end; id++) this.#releaseInputs(id);
  }

  async #runNode(id: number): Promise<void> {
    const node = this.#node(id);
    if (node.op === "leaf") return;
    const kernel = this.#backend.ops[node.op] as AnyKernel | undefined;
    if (!kernel && node.op === "einsum") this.#fallback++; // [replay.kernels]
    const inputs: View[] = [];
    for (const input of node.inputs)
      inputs.push(await (kernel ? this.#forKernel(input) : this.#forDefinition(input)));
    const precision = this.#isRounded(id, node) ? this.#backend.precision : "float64";
    const result = kernel ? await kernel(node.attrs, ...inputs) : computeNode(node, inputs, precision);
    this.#values[id] = this.#buffers.acquire(result);
    this.#releaseInputs(id);
  }

  #node(id: number): Node {
    return this.#program.nodes[id] as Node;
  }

  async #value(id: number): Promise<View> {
    const isLeaf = this.#node(id).op === "leaf";
    const v = this.#values[id] ?? (isLeaf ? ((await this.#parameter(id)) ?? this.#leaf(id)) : undefined);
    if (!v) throw new Bug(`node ${id} was dropped too early`);
    if ((this.#lastUse[id] ?? -1) < this.#program.nodes.length) this.#values[id] = v;
    return v;
  }

  /** The value as kernels read it, uploaded at most once. */
  async #forKernel(id: number): Promise<View> {
    const v = await this.#value(id);
    const uploaded = (await this.#backend.store?.upload?.(v)) ?? v;
    if (uploaded === v) return v;
    this.#values[id] = this.#buffers.acquire(uploaded); // [replay.upload]
    return uploaded;
  }

  async #forDefinition(id: number): Promise<View> {
    const v = await this.#value(id);
    return this.#backend.store?.download?.(v) ?? v; // [replay.download]
  }

  /** Releases the inputs of a node that no later node reads. */
  #releaseInputs(id: number): void {
    for (const input of this.#node(id).inputs) {
      const v = this.#values[input];
      if (v === undefined || (this.#lastUse[input] ?? -1) > id) continue;
      this.#buffers.release(v);
      this.#values[input] = undefined;
    }
  }

  #report(): KernelReport {
    const { ran, mode } = this.#backend;
    const { fused, unfused } = this.#dispatch;
    return {
      matmul: ran.matmul - this.#countsBefore.matmul,
      attention: ran.attention - this.#countsBefore.attention,
      fallback: this.#fallback,
      fused: fused.size,
      unfused,
      mode,
    };
  }

  async #results(): Promise<Results> {
    const { outputs, taps } = this.#program;
    const copies: View[] = [];
    for (const id of [...Object.values(outputs), ...Object.values(taps)])
      copies[id] ??= await this.#copyOut(await this.#value(id));
    return resultsOf(this.#program, (id) => copies[id] as View);
  }

  async #copyOut(v: View): Promise<View> {
    return this.#backend.store?.copyOut(v) ?? v; // [replay.results]
  }
}

/** Records `f` symbolically and replays the program on a backend. */
export async function run(
  backend: Backend,
  f: () => Tensor,
  options: Omit<RecordOptions, "symbolic"> & ReplayOptions = {},
): Promise<Tensor> {
  const { outputs } = await replay(record(f, { ...options, symbolic: true }), backend, options);
  const { out } = outputs;
  if (!out) throw new Bug("the recorded function returned no tensor");
  return out;
}
