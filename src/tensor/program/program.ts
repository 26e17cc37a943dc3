// A program: what a computation did, as plain data. Rewrites (gradients, mutants, traces) are functions from program to
// program; backends replay programs.
import { ShapeError } from "../errors.ts";
import type { OpName } from "../ops/table.ts";
import type { Shape, Tensor } from "../tensor.ts";

export interface Node {
  /** "leaf" is a number from outside: an input, a parameter, a constant. */
  readonly op: OpName | "leaf";
  readonly attrs: object;
  readonly inputs: readonly number[];
  readonly shape: Shape;
  /** Innermost scope, −1 outside all. */
  readonly scope: number;
}

/** A contiguous range of nodes with named inputs and one output: the signature of a fused kernel. */
export interface Scope {
  readonly name: string;
  readonly parent: number;
  readonly attrs: object;
  readonly inputs: Readonly<Record<string, number>>;
  readonly first: number;
  readonly end: number;
  readonly output: number;
}

type Named = Readonly<Record<string, number>>;

/** Everything but `bindings` is plain data and survives structuredClone. */
export interface Program {
  readonly nodes: readonly Node[];
  readonly scopes: readonly Scope[];
  readonly outputs: Named;
  readonly taps: Named;
  /** Leaves that have a name (a tied parameter has two); other values may be bound to them on replay. */
  readonly leaves: Named;
  /** What the leaves were while recording. */
  readonly bindings: ReadonlyMap<number, Tensor>;
  /** Large constants that are neither input nor parameter: perhaps a weight that the model does not hold. */
  readonly warnings: readonly string[];
}

/** A node that nothing needs any more. It keeps its place, so that ids stay valid. */
export const dead = (node: Node): Node => ({ ...node, op: "leaf", attrs: { dead: true }, inputs: [] });
export const isDead = (node: Node): boolean => "dead" in node.attrs;

/** Replaces by dead nodes what the outputs and the taps do not need. */
export function prune(program: Program): Program {
  const live = new Uint8Array(program.nodes.length);
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)]) live[id] = 1;
  for (let id = live.length - 1; id >= 0; id--) {
    if (live[id]) for (const input of program.nodes[id]?.inputs ?? []) live[input] = 1; // [program.prune]
  }
  return { ...program, nodes: program.nodes.map((node, id) => (live[id] ? node : dead(node))) };
}

/** The program with only the named taps kept. */
export function withTaps(program: Program, names: Iterable<string>): Program {
  const kept = [...names].map((name) => {
    const id = program.taps[name];
    if (id === undefined)
      throw new ShapeError(`no tap "${name}"; there are ${Object.keys(program.taps).join(", ")}`);
    return [name, id] as const; // [tap.choose]
  });
  return { ...program, taps: Object.fromEntries(kept) };
}

/** Last node that reads each node; those that are wanted at the end are never dropped. */
export function lastUses(program: Program): Int32Array {
  const last = new Int32Array(program.nodes.length).fill(-1);
  for (const [id, node] of program.nodes.entries()) for (const input of node.inputs) last[input] = id;
  for (const id of [...Object.values(program.outputs), ...Object.values(program.taps)])
    last[id] = program.nodes.length;
  return last;
}

/** Is nothing inside a scope read after it, its output aside? `last` as `lastUses` has it. */
export function isClosed({ nodes }: Program, { first, end, output }: Scope, last: Int32Array): boolean {
  for (let id = first; id < end; id++)
    if (id !== output && nodes[id]?.op !== "leaf" && (last[id] ?? -1) >= end) return false;
  return true;
}
