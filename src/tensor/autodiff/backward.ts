// Reverse mode: the derivatives of vjp.ts, applied from the end of a program to its beginning.
import { Bug } from "../errors.ts";
import { add, zerosLike } from "../ops/functions.ts";
import { apply } from "../ops/rules.ts";
import type { OpName } from "../ops/table.ts";
import { scope } from "../program/apply.ts";
import {
  isClosed,
  isComputed,
  lastUses,
  type Node,
  type Program,
  type Scope,
  unnamedReads,
} from "../program/program.ts";
import type { Tensor } from "../tensor.ts";
import { vjp } from "./vjp.ts";

type AnyVjp = (g: Tensor, x: Tensor[], y: Tensor, attrs: object) => (Tensor | null)[];

/** Marks the nodes that depend on one of `sources`. */
export function dependents(program: Program, sources: readonly number[]): Uint8Array {
  const depends = new Uint8Array(program.nodes.length);
  for (const id of sources) depends[id] = 1;
  for (const [id, { inputs }] of program.nodes.entries())
    if (inputs.some((input) => depends[input])) depends[id] = 1;
  return depends;
}

export type Scopes = ReadonlyMap<number, Scope>;

/**
 * The scopes with these names that can be differentiated as a whole, by their output node: they have one output, no inner node is read
 * after the scope, the body reads nothing beside the named inputs, and no node is two inputs.
 */
export function fusedScopes(program: Program, names: readonly string[]): Scopes {
  const last = lastUses({ ...program, taps: {} });
  const fusible = program.scopes.filter((s) => {
    const inputIds = Object.values(s.inputs);
    if (!names.includes(s.name) || new Set(inputIds).size < inputIds.length) return false;
    if (Object.keys(s.outputs).length !== 1) return false;
    return isComputed(program, s) && unnamedReads(program, s).size === 0 && isClosed(program, s, last); // [gradients.fused]
  });
  return new Map(fusible.flatMap((s) => Object.values(s.outputs).map((id) => [id, s] as const)));
}

interface Range {
  readonly from: number;
  readonly to: number;
  readonly at: (id: number) => Tensor;
  readonly depends: Uint8Array;
  readonly fused: Scopes;
}

/** d loss / d x for every node x from `from` down to `to` and for their operands; `seed` is the derivative of `from`. */
export function backward(
  program: Program,
  seed: Tensor,
  { from, to, at, depends, fused }: Range,
): Map<number, Tensor> {
  const accumulated = new Map<number, Tensor>([[from, seed]]);
  const accumulate = (id: number, part: Tensor): void => {
    const before = accumulated.get(id);
    if (depends[id]) accumulated.set(id, before ? add(before, part) : part); // [gradients.detach]
  };
  for (let id = from; id >= to; id--) {
    const node = program.nodes[id];
    const g = accumulated.get(id);
    const fusedScope = fused.get(id);
    if (!node || !g || !depends[id] || node.op === "leaf") continue;
    if (fusedScope) {
      for (const [input, part] of scopeVjp(program, fusedScope, { output: id, g, at }))
        accumulate(input, part);
      continue;
    }
    const rule = vjp[node.op satisfies OpName] as unknown as AnyVjp;
    for (const [i, part] of rule(g, node.inputs.map(at), at(id), node.attrs).entries()) {
      const input = node.inputs[i];
      if (input === undefined)
        throw new Bug(`the derivative of ${node.op} has an operand ${i}, which the op does not have`);
      if (part) accumulate(input, part);
    }
  }
  return accumulated;
}

/**
 * The derivative of a scope as a scope: its body once more, followed by the rules. Its outputs are the derivatives of the inputs, under
 * their names. A fused kernel for it does not keep the intermediates of the forward scope alive.
 */
function scopeVjp(
  program: Program,
  s: Scope,
  { output, g, at }: { readonly output: number; readonly g: Tensor; readonly at: Range["at"] },
): [number, Tensor][] {
  const operands = Object.entries(s.inputs).map(([name, id]) => ({ name, id, x: at(id) }));
  const inputs = Object.fromEntries(operands.map(({ name, x }) => [name, x]));
  const parts = scope(`${s.name}Vjp`, { ...inputs, g }, s.attrs, () => {
    const repeated = new Map<number, Tensor>();
    const current = (id: number): Tensor => repeated.get(id) ?? at(id);
    for (let id = s.first; id < s.end; id++) {
      const { op, attrs, inputs } = program.nodes[id] as Node;
      if (op !== "leaf") repeated.set(id, apply(op, attrs as never, ...(inputs.map(current) as never)));
    }
    const depends = dependents(program, Object.values(s.inputs));
    const range = { from: output, to: s.first, at: current, depends, fused: new Map() };
    const parts = backward(program, g, range);
    return Object.fromEntries(operands.map(({ name, id, x }) => [name, parts.get(id) ?? zerosLike(x)]));
  });
  return operands.map(({ name, id }) => [id, parts[name] as Tensor]); // [gradients.fused]
}
