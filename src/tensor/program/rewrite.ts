// Rewrites of a program: it is recorded again, node by node, with some results replaced. Used for mutants and traces.
import { Bug } from "../errors.ts";
import { apply } from "../ops/rules.ts";
import type { Tensor } from "../tensor.ts";
import { scope } from "./apply.ts";
import { isDead, liveOutputs, type Node, type Program } from "./program.ts";
import { record } from "./record.ts";

export interface Visit {
  /** The node and its id in the original program. */
  readonly id: number;
  readonly node: Node;
  /** Its operands in the new program. */
  readonly inputs: readonly Tensor[];
  /** The tensor in the new program that corresponds to an earlier node of the original one. */
  readonly at: (id: number) => Tensor;
}

/** Returns the tensor that replaces a node for all its readers, computed with ops, or null to keep the node. */
export type Visitor = (visit: Visit) => Tensor | null;

type Ids = Readonly<Record<string, number>>;
type Tensors = Readonly<Record<string, Tensor>>;

/**
 * The same program with the visitor's replacements. [rewrite.identity]
 * The names of outputs, taps and leaves are kept, also of leaves that are no longer read, so that these can be bound and differentiated.
 */
export function rewrite(program: Program, visit: Visitor): Program {
  const leaves = leavesOf(program);
  const writer = new Writer(program, visit);
  const results = (): Tensors => {
    writer.range({ first: 0, end: program.nodes.length, index: -1 }, []);
    const [outputs, taps] = [writer.each(program.outputs), writer.each(program.taps)];
    return { ...prefixed("output", outputs), ...prefixed("tap", taps), ...prefixed("leaf", leaves) }; // [rewrite.names]
  };
  const recorded = record(results, { inputs: leaves, symbolic: true });
  return {
    ...recorded,
    scopes: recorded.scopes.map(
      (s) => (writer.changed.has(s.attrs) ? { ...s, name: `rewritten ${s.name}` } : s), // [rewrite.scope]
    ),
    outputs: unprefixed("output", recorded.outputs),
    taps: unprefixed("tap", recorded.outputs),
  };
}

function leavesOf({ leaves, bindings }: Program): Tensors {
  const bound = Object.entries(leaves).flatMap(([name, id]) => {
    const t = bindings.get(id);
    return t ? [[name, t] as const] : [];
  });
  return Object.fromEntries(bound);
}

interface Range {
  readonly first: number;
  readonly end: number;
  /** Index of the scope; −1 for the whole program. */
  readonly index: number;
}

class Writer {
  /** Attributes, in the new program, of the scopes in which a node was replaced: these are not dispatched to fused kernels. */
  readonly changed = new Set<object>();
  readonly #program: Program;
  readonly #visit: Visitor;
  readonly #written: (Tensor | undefined)[] = [];
  readonly #inside = new Map<number, Range[]>();

  constructor(program: Program, visit: Visitor) {
    this.#program = program;
    this.#visit = visit;
    for (const [index, { parent, first, end }] of program.scopes.entries()) {
      this.#inside.set(parent, [...(this.#inside.get(parent) ?? []), { first, end, index }]);
    }
  }

  readonly at = (id: number): Tensor => {
    const t = this.#written[id];
    if (!t) throw new Bug(`node ${id} is not written yet, or is dead`);
    return t;
  };

  each(ids: Ids): Tensors {
    return Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, this.at(id)]));
  }

  /** Writes the nodes and scopes of a range; `within` has the attributes of the enclosing scopes. */
  range({ first, end, index }: Range, within: readonly object[]): void {
    let next = first;
    for (const inner of this.#inside.get(index) ?? []) {
      this.#nodes(next, inner.first, within);
      this.#scope(inner, within);
      next = inner.end;
    }
    this.#nodes(next, end, within);
  }

  #scope(range: Range, within: readonly object[]): void {
    const s = this.#program.scopes[range.index];
    const live = s ? liveOutputs(this.#program, s) : [];
    if (s && live.length > 0) {
      scope(s.name, this.each(s.inputs), { ...s.attrs }, (_, own) => {
        this.range(range, [...within, own]);
        const outputs = Object.entries(s.outputs).filter(([, id]) => live.includes(id));
        return this.each(Object.fromEntries(outputs));
      });
    } else this.range(range, within);
  }

  #nodes(first: number, end: number, within: readonly object[]): void {
    for (let id = first; id < end; id++) {
      const node = this.#program.nodes[id];
      if (!node || isDead(node)) continue;
      const inputs = node.inputs.map(this.at);
      const other = this.#visit({ id, node, inputs, at: this.at });
      this.#written[id] = other ?? this.#unchanged(id, node, inputs); // [rewrite.replace]
      if (other) for (const attrs of within) this.changed.add(attrs);
    }
  }

  #unchanged(id: number, node: Node, inputs: readonly Tensor[]): Tensor {
    if (node.op !== "leaf") return apply(node.op, node.attrs as never, ...(inputs as never));
    const t = this.#program.bindings.get(id);
    if (!t) throw new Bug(`leaf ${id} has no value`);
    return t;
  }
}

const prefixed = (what: string, tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, t]) => [`${what} ${name}`, t]));

const unprefixed = (what: string, ids: Ids): Ids =>
  Object.fromEntries(
    Object.entries(ids).flatMap(([key, id]) =>
      key.startsWith(`${what} `) ? [[key.slice(what.length + 1), id] as const] : [],
    ),
  );
