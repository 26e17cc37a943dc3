// Programs: recorded computations as plain data. Rewrites (gradients, mutants, traces) are functions from program to
// program; backends replay programs.
import { ShapeError } from "../errors.ts";
import { checkMember } from "../given.ts";
import type { OpName } from "../ops/table.ts";
import type { Shape, Tensor } from "../tensor.ts";

/** One op of a program. Its operands are ids, the indices of earlier nodes. */
export interface Node {
  /** "leaf": an input, a parameter or a constant. */
  readonly op: OpName | "leaf";
  readonly attrs: object;
  readonly inputs: readonly number[];
  readonly shape: Shape;
  /** Index of the innermost scope; −1 if there is none. */
  readonly scope: number;
}

/** A contiguous range of nodes with named inputs and outputs, which a backend may dispatch to a fused kernel. */
export interface Scope {
  readonly name: string;
  readonly parent: number;
  readonly attrs: object;
  readonly inputs: Readonly<Record<string, number>>;
  readonly first: number;
  readonly end: number;
  /** A body that returns one tensor has the output `out`. */
  readonly outputs: Readonly<Record<string, number>>;
}

type Named = Readonly<Record<string, number>>;

/** All fields except `bindings` are plain data that structuredClone can copy. */
export interface Program {
  readonly nodes: readonly Node[];
  readonly scopes: readonly Scope[];
  readonly outputs: Named;
  readonly taps: Named;
  /** Leaves with a name (a tied parameter has two). Other values can be bound to them on replay. */
  readonly leaves: Named;
  /** The tensors of the leaves while recording. */
  readonly bindings: ReadonlyMap<number, Tensor>;
  /** Reports of large constants that are neither inputs nor parameters, perhaps weights missing from the model's fields. */
  readonly warnings: readonly string[];
}

/** A node that is not needed. It keeps its id, so that the ids of other nodes stay valid. */
export const dead = (node: Node): Node => ({ ...node, op: "leaf", attrs: { dead: true }, inputs: [] });
export const isDead = (node: Node): boolean => "dead" in node.attrs;

/** Marks the nodes that neither outputs nor taps depend on as dead. */
export function prune(program: Program): Program {
  checkMember("prune", { program }, "nodes", "a program, as record returns it");
  const live = new Uint8Array(program.nodes.length);
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)]) live[id] = 1;
  for (let id = live.length - 1; id >= 0; id--) {
    if (live[id]) for (const input of program.nodes[id]?.inputs ?? []) live[input] = 1; // [program.prune]
  }
  return { ...program, nodes: program.nodes.map((node, id) => (live[id] ? node : dead(node))) };
}

/** The program with the named taps only. */
export function withTaps(program: Program, names: Iterable<string>): Program {
  const kept = [...names].map((name) => {
    const id = program.taps[name];
    if (id === undefined)
      throw new ShapeError(
        `the program has no tap "${name}"; it has ${Object.keys(program.taps).join(", ")}`,
      );
    return [name, id] as const; // [tap.choose]
  });
  return { ...program, taps: Object.fromEntries(kept) };
}

/** For each node, the last node that reads it; `nodes.length` for outputs and taps, −1 if there is none. */
export function lastUses(program: Program): Int32Array {
  const last = new Int32Array(program.nodes.length).fill(-1);
  for (const [id, node] of program.nodes.entries()) for (const input of node.inputs) last[input] = id;
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)])
    last[id] = program.nodes.length;
  return last;
}

/** The outputs of a scope that are not dead. */
export const liveOutputs = ({ nodes }: Program, { outputs }: Scope): number[] =>
  Object.values(outputs).filter((id) => !isDead(nodes[id] as Node));

/** Whether the live outputs of a scope are computed in its body; otherwise the body returns an input or a constant. */
export const isComputed = (program: Program, scope: Scope): boolean =>
  liveOutputs(program, scope).every((id) => id >= scope.first && program.nodes[id]?.op !== "leaf");

/**
 * The nodes that the body of a scope reads although they are neither computed in it nor named inputs: tensors from a closure and
 * constants. A fused kernel receives the named inputs only.
 */
export function unnamedReads({ nodes }: Program, { inputs, first, end }: Scope): Set<number> {
  const named = new Set(Object.values(inputs));
  const isOutside = (id: number) => !named.has(id) && (id < first || nodes[id]?.op === "leaf");
  return new Set(nodes.slice(first, end).flatMap((node) => node.inputs.filter(isOutside)));
}

/** Whether no node of a scope, except its outputs, is read after the scope. `last` is the result of `lastUses`. */
export function isClosed({ nodes }: Program, { first, end, outputs }: Scope, last: Int32Array): boolean {
  const returned = Object.values(outputs);
  for (let id = first; id < end; id++)
    if (!returned.includes(id) && nodes[id]?.op !== "leaf" && (last[id] ?? -1) >= end) return false;
  return true;
}
