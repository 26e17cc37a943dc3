// A program written again, node by node, with some results replaced: how mutants, traces and fusions are made.
import { Bug } from "./errors.ts";
import { isDead, type Node, type Program } from "./program.ts";
import { apply, record, scope } from "./record.ts";
import type { Tensor } from "./tensor.ts";

export interface Visit {
  /** The node as the program has it, and its place there. */
  readonly id: number;
  readonly node: Node;
  /** Its operands as they are now. */
  readonly inputs: readonly Tensor[];
  /** What an earlier node (by its place in the program) has become. */
  readonly at: (id: number) => Tensor;
}

/** What stands in for a node from now on, written in the same ops; null leaves it as it is. */
export type Visitor = (visit: Visit) => Tensor | null;

type Ids = Readonly<Record<string, number>>;

/** Which scopes lie directly in a scope (−1: outside all), in order. */
function scopesIn(program: Program): (parent: number) => readonly number[] {
  const inside = new Map<number, number[]>();
  for (const [index, { parent }] of program.scopes.entries())
    inside.set(parent, [...(inside.get(parent) ?? []), index]);
  return (parent) => inside.get(parent) ?? [];
}

/**
 * The same program with the visitor's replacements. Names of outputs, taps and leaves stay, also of leaves that nothing
 * reads any more. A scope in which something was replaced gets another name, because no kernel may stand in for it.
 */
export function rewrite(program: Program, visit: Visitor): Program {
  const now: (Tensor | undefined)[] = [];
  const inside = scopesIn(program);
  const attrsOf = new Map<number, object>();
  const changed = new Set<object | undefined>();
  const at = (id: number): Tensor => {
    const t = now[id];
    if (!t) throw new Bug(`node ${id} is not written yet, or nothing needed it`);
    return t;
  };
  const again = (node: Node, id: number, inputs: Tensor[]): Tensor => {
    if (node.op !== "leaf") return apply(node.op, node.attrs as never, ...(inputs as never));
    const bound = program.bindings.get(id);
    if (!bound) throw new Bug(`leaf ${id} has no value`);
    return bound;
  };
  const write = (from: number, to: number, within: readonly number[]): void => {
    for (let id = from; id < to; id++) {
      const node = program.nodes[id];
      if (!node || isDead(node)) continue;
      const inputs = node.inputs.map(at);
      const other = visit({ id, node, inputs, at });
      now[id] = other ?? again(node, id, inputs);
      if (other) for (const index of within) changed.add(attrsOf.get(index));
    }
  };
  const range = (from: number, to: number, within: readonly number[]): void => {
    let next = from;
    for (const index of inside(within.at(-1) ?? -1)) {
      const s = program.scopes[index];
      if (!s) continue;
      write(next, s.first, within);
      scope(s.name, each(s.inputs, at), { ...s.attrs }, (_, attrs) => {
        attrsOf.set(index, attrs);
        range(s.first, s.end, [...within, index]);
        return at(s.output);
      });
      next = s.end;
    }
    write(next, to, within);
  };
  const leaves = Object.entries(program.leaves).flatMap(([name, id]) => {
    const t = program.bindings.get(id);
    return t ? [[name, t] as const] : [];
  });
  const recorded = record(
    () => {
      range(0, program.nodes.length, []);
      return {
        ...prefixed("output", each(program.outputs, at)),
        ...prefixed("tap", each(program.taps, at)),
        ...prefixed("leaf", Object.fromEntries(leaves)),
      };
    },
    { inputs: Object.fromEntries(leaves), symbolic: true },
  );
  return {
    ...recorded,
    scopes: recorded.scopes.map((s) => (changed.has(s.attrs) ? { ...s, name: `rewritten ${s.name}` } : s)), // [rewrite.scope]
    outputs: unprefixed("output", recorded.outputs),
    taps: unprefixed("tap", recorded.outputs),
  };
}

const each = (ids: Ids, at: (id: number) => Tensor): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, at(id)]));

const prefixed = (what: string, tensors: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${what} ${name}`, t]));

const unprefixed = (what: string, ids: Ids): Ids =>
  Object.fromEntries(
    Object.entries(ids).flatMap(([key, id]) =>
      key.startsWith(`${what} `) ? [[key.slice(what.length + 1), id] as const] : [],
    ),
  );
