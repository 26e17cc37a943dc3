// The rules of calculus, applied from the end of a program to its beginning.

import { Bug } from "../errors.ts";
import { slice } from "../ops/arrange.ts";
import { add, zerosLike } from "../ops/functions.ts";
import type { OpName } from "../ops/table.ts";
import { isClosed, lastUses, type Node, type Program, type Scope } from "../program/program.ts";
import { apply, scope } from "../program/record.ts";
import type { Shape, Tensor } from "../tensor.ts";
import { vjp } from "./vjp.ts";

type AnyVjp = (g: Tensor, x: Tensor[], y: Tensor, attrs: object) => (Tensor | null)[];

/** The nodes that change when one of `sources` does. */
export function dependents(program: Program, sources: readonly number[]): Uint8Array {
  const depends = new Uint8Array(program.nodes.length);
  for (const id of sources) depends[id] = 1;
  for (const [id, { inputs }] of program.nodes.entries())
    if (inputs.some((input) => depends[input])) depends[id] = 1;
  return depends;
}

export type Scopes = ReadonlyMap<number, Scope>;

/**
 * By their output, the scopes of these names that may be differentiated whole: nothing inside is read after them, and whatever
 * changes comes in as a named input, under one name.
 */
export function fusedScopes(program: Program, names: readonly string[], depends: Uint8Array): Scopes {
  const last = lastUses({ ...program, taps: {} });
  const whole = program.scopes.filter((s) => {
    const { name, first, end, output } = s;
    const given = Object.values(s.inputs);
    if (!names.includes(name) || output < first || new Set(given).size < given.length) return false;
    const body = program.nodes.slice(first, end);
    const fromOutside = body.flatMap(({ inputs }) => inputs.filter((id) => id < first));
    const leaves = body.flatMap(({ op }, i) => (op === "leaf" ? [first + i] : []));
    const named = [...fromOutside, ...leaves].every((id) => !depends[id] || given.includes(id));
    return named && isClosed(program, s, last); // [gradients.fused]
  });
  return new Map(whole.map((s) => [s.output, s]));
}

interface Way {
  readonly from: number;
  readonly to: number;
  readonly at: (id: number) => Tensor;
  readonly depends: Uint8Array;
  readonly fused: Scopes;
}

/** d loss / d x for every node x from `from` down to `to`, and for what these read; `seed` is that of `from`. */
export function backward(
  program: Program,
  seed: Tensor,
  { from, to, at, depends, fused }: Way,
): Map<number, Tensor> {
  const sofar = new Map<number, Tensor>([[from, seed]]);
  const give = (id: number, part: Tensor): void => {
    const before = sofar.get(id);
    if (depends[id]) sofar.set(id, before ? add(before, part) : part); // [gradients.detach]
  };
  for (let id = from; id >= to; id--) {
    const node = program.nodes[id];
    const g = sofar.get(id);
    const intact = fused.get(id);
    if (!node || !g || !depends[id] || node.op === "leaf") continue;
    if (intact) {
      for (const [input, part] of scopeVjp(program, intact, g, at)) give(input, part);
      continue;
    }
    const rule = vjp[node.op satisfies OpName] as unknown as AnyVjp;
    for (const [place, part] of rule(g, node.inputs.map(at), at(id), node.attrs).entries()) {
      const input = node.inputs[place];
      if (input === undefined)
        throw new Bug(`${node.op} has a derivative for operand ${place}, which it does not have`);
      if (part) give(input, part);
    }
  }
  return sofar;
}

/**
 * The derivative of a scope as a scope: its body again, then the rules. It has one output, so what the inputs get lies in it one
 * after another. A kernel named after it needs none of the body's intermediates, and so keeps none of them alive.
 */
function scopeVjp(program: Program, s: Scope, g: Tensor, at: Way["at"]): [number, Tensor][] {
  const given = Object.entries(s.inputs).map(([name, id]) => ({ name, id, x: at(id) }));
  const inputs = Object.fromEntries(given.map(({ name, x }) => [name, x]));
  const all = scope(`${s.name}Vjp`, { ...inputs, g }, s.attrs, () => {
    const again = new Map<number, Tensor>();
    const now = (id: number): Tensor => again.get(id) ?? at(id);
    for (let id = s.first; id < s.end; id++) {
      const { op, attrs, inputs } = program.nodes[id] as Node;
      if (op !== "leaf") again.set(id, apply(op, attrs as never, ...(inputs.map(now) as never)));
    }
    const depends = dependents(program, Object.values(s.inputs));
    const way = { from: s.output, to: s.first, at: now, depends, fused: new Map() };
    const parts = backward(program, g, way);
    return apply(
      "concat",
      { axis: 0 },
      ...given.map(({ id, x }) => flattened(parts.get(id) ?? zerosLike(x))),
    );
  });
  let from = 0;
  return given.map(({ id, x }) => {
    const part = slice(all, 0, from, from + x.size);
    from += x.size;
    return [id, shaped(part, x.shape)]; // [gradients.fused]
  });
}

const axesOf = (shape: Shape): string => shape.map((_, axis) => `x${axis}`).join(" ");
const sizesOf = (shape: Shape) => Object.fromEntries(shape.map((n, axis) => [`x${axis}`, n]));
const flattened = (x: Tensor): Tensor => {
  const axes = axesOf(x.shape);
  return apply("rearrange", { pattern: `${axes} -> (${axes})`, sizes: sizesOf(x.shape) }, x);
};
const shaped = (x: Tensor, shape: Shape): Tensor => {
  const axes = axesOf(shape);
  return apply("rearrange", { pattern: `(${axes}) -> ${axes}`, sizes: sizesOf(shape) }, x);
};
