// Replays a program on a backend: kernels where the backend has them, the definitions elsewhere.
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
import {
  isClosed,
  isDead,
  lastUses,
  type Node,
  type Program,
  prune,
  withTaps,
} from "../tensor/program/program.ts";
import { type RecordOptions, record } from "../tensor/program/record.ts";
import type { Tensor, View } from "../tensor/tensor.ts";
import type { Backend, ScopeKernels } from "./backend.ts";
import { keptParameters } from "./stored-parameters.ts";
import { ReferenceCounts } from "./reference-counts.ts";
import { serially } from "./serial-queue.ts";

export interface ReplayOptions {
  /** Other values for named leaves. */
  readonly bind?: Bindings | undefined;
  /** Intermediates to keep. A tap inside a scope keeps that scope from being fused. */
  readonly taps?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each node with how much of the program is done, 0 to 1. */
  readonly onProgress?: ((done: number) => void) | undefined;
}

/** What ran where: products and attention scopes in kernels of the backend, and those that the definitions had to do. */
export interface KernelReport {
  readonly matmul: number;
  readonly attention: number;
  readonly fallback: number;
  readonly mode: string | null;
}

/** For each scope that the backend may run whole: its first node -> its index. */
function dispatched(program: Program, kernels: ScopeKernels): Map<number, number> {
  const last = lastUses(program);
  const claimed = new Map<number, number>();
  for (const [index, scope] of program.scopes.entries()) {
    const { name, first, output } = scope;
    if (!(name in kernels) || claimed.has(first)) continue; // the outermost of several
    const given = output < first; // a body may return what it was given
    if (given || isDead(program.nodes[output] as Node)) continue;
    if (isClosed(program, scope, last)) claimed.set(first, index); // [replay.claim]
  }
  return claimed;
}

/** Milliseconds after which timers (and with them signals) and the page get their turn: the definitions never wait. */
const TURN = 50;

type AnyKernel = (attrs: object, ...inputs: View[]) => Promise<View>;
type AnyScopeKernel = (attrs: object, inputs: Record<string, View>) => Promise<View>;

type Replayed = Results & { kernels: KernelReport };

export const replay = (program: Program, backend: Backend, options: ReplayOptions = {}): Promise<Replayed> =>
  serially(backend, () => replayNow(program, backend, options));

async function replayNow(program: Program, backend: Backend, options: ReplayOptions): Promise<Replayed> {
  const { bind = {}, taps = [], signal, onProgress } = options;
  const p = prune(withTaps(program, taps));
  const before = { ...backend.ran };
  const leaf = leafValues(p, bind, backend.precision);
  const rounds = roundedNodes(p);
  const last = lastUses(p);
  const claimed = dispatched(p, backend.scopes);
  const parameter = keptParameters(p, backend, bind);
  const blocks = new ReferenceCounts(backend.store);
  const values: (View | undefined)[] = [];
  let fallback = 0;
  let turn = now();
  const value = async (id: number): Promise<View> => {
    const isLeaf = p.nodes[id]?.op === "leaf";
    const known = values[id] ?? (isLeaf ? ((await parameter(id)) ?? leaf(id)) : undefined);
    if (!known) throw new Bug(`node ${id} was dropped too early`);
    if ((last[id] ?? -1) < p.nodes.length) values[id] = known;
    return known;
  };
  const forKernel = async (id: number): Promise<View> => {
    const known = await value(id);
    const there = await blocks.upload(known);
    if (there !== known) values[id] = there;
    return there;
  };
  const forDefinition = async (id: number): Promise<View> => blocks.download(await value(id));
  const forget = (node: Node, id: number): void => {
    for (const input of node.inputs) {
      const dropped = values[input];
      if (dropped === undefined || (last[input] ?? -1) > id) continue;
      blocks.drop(dropped);
      values[input] = undefined;
    }
  };
  try {
    for (let id = 0; id < p.nodes.length; id++) {
      if (now() - turn > TURN) {
        await new Promise((resume) => setTimeout(resume, 0));
        turn = now();
      }
      signal?.throwIfAborted(); // [replay.signal]
      const node = p.nodes[id] as Node;
      const scope = p.scopes[claimed.get(id) ?? -1];
      if (scope) {
        const inputs: Record<string, View> = {};
        for (const [name, input] of Object.entries(scope.inputs)) inputs[name] = await forKernel(input);
        const kernel = backend.scopes[scope.name as keyof ScopeKernels] as unknown as AnyScopeKernel;
        values[scope.output] = blocks.hold(await kernel(scope.attrs, inputs));
        for (; id < scope.end; id++) forget(p.nodes[id] as Node, id);
        id--;
      } else if (node.op !== "leaf") {
        const kernel = backend.ops[node.op] as AnyKernel | undefined;
        if (!kernel && node.op === "einsum") fallback++; // [replay.kernels]
        const inputs: View[] = [];
        for (const input of node.inputs) inputs.push(await (kernel ? forKernel : forDefinition)(input));
        const result = kernel
          ? await kernel(node.attrs, ...inputs)
          : computeNode(node, inputs, rounds(id, node) ? backend.precision : "float64");
        values[id] = blocks.hold(result);
        forget(node, id);
      }
      onProgress?.((id + 1) / p.nodes.length);
    }
    const kernels = {
      matmul: backend.ran.matmul - before.matmul,
      attention: backend.ran.attention - before.attention,
      fallback,
      mode: backend.mode,
    };
    const kept: View[] = [];
    for (const id of [...Object.values(p.outputs), ...Object.values(p.taps)])
      kept[id] ??= await blocks.keep(await value(id));
    return { ...resultsOf(p, (id) => kept[id] as View), kernels };
  } finally {
    blocks.close();
  }
}

/** Records `f` symbolically, then replays it on a backend. */
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
