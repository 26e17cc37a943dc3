// Reverse-mode differentiation as a rewrite: program in, program out.
import { Bug, ShapeError } from "./errors.ts";
import { add, zerosLike } from "./functions.ts";
import type { OpName } from "./ops.ts";
import { type Program, prune } from "./program.ts";
import { extend } from "./record.ts";
import { Tensor, view } from "./tensor.ts";
import { vjp } from "./vjp.ts";

type AnyVjp = (g: Tensor, x: Tensor[], y: Tensor, attrs: object) => (Tensor | null)[];

function idIn(ids: Readonly<Record<string, number>>, name: string, what: string): number {
  const id = ids[name];
  if (id === undefined)
    throw new ShapeError(`this program has no ${what} "${name}"; it has ${Object.keys(ids).join(", ")}`);
  return id;
}

/** The nodes that change when one of `sources` does. */
function dependents(program: Program, sources: readonly number[]): Uint8Array {
  const depends = new Uint8Array(program.nodes.length);
  for (const id of sources) depends[id] = 1;
  for (const [id, { inputs }] of program.nodes.entries())
    if (inputs.some((input) => depends[input])) depends[id] = 1;
  return depends;
}

/** Name of the output that holds the gradient of a leaf. */
export const gradientOf = (leaf: string): string => `grad ${leaf}`;

/**
 * A program that also computes d loss / d leaf for the leaves asked for, as outputs `grad <leaf>`. Nothing else is
 * differentiated: freezing is the set that you ask for. The loss is a scalar; a leaf that it does not depend on has
 * gradient zero. The result is a program like any other and has gradients again. [gradients.again]
 */
export function gradients(program: Program, loss: string, leaves: readonly string[]): Program {
  const sources = leaves.map((leaf) => idIn(program.leaves, leaf, "leaf"));
  const from = idIn(program.outputs, loss, "output");
  if (program.nodes[from]?.shape.length !== 0)
    throw new ShapeError(`the loss "${loss}" is no scalar; take total(...) of it`); // [gradients.scalar]
  const depends = dependents(program, sources);
  const extended = extend(program, (at) => {
    // Everything in here is symbolic: no number is touched. [gradients.symbolic]
    const sofar = new Map<number, Tensor>([[from, new Tensor([], view(Float64Array.of(1), []))]]);
    for (let id = from; id >= 0; id--) {
      const node = program.nodes[id];
      const g = sofar.get(id);
      if (!node || !g || !depends[id] || node.op === "leaf") continue;
      const rule = vjp[node.op satisfies OpName] as unknown as AnyVjp;
      const parts = rule(g, node.inputs.map(at), at(id), node.attrs);
      for (const [place, part] of parts.entries()) {
        const input = node.inputs[place];
        if (input === undefined)
          throw new Bug(`${node.op} has a derivative for operand ${place}, which it does not have`);
        const before = sofar.get(input);
        if (part && depends[input]) sofar.set(input, before ? add(before, part) : part); // [gradients.detach]
      }
    }
    const outputs = Object.entries(program.outputs).map(([name, id]) => [name, at(id)] as const);
    const grads = leaves.map((leaf, i) => {
      const id = sources[i] ?? 0;
      return [gradientOf(leaf), sofar.get(id) ?? zerosLike(at(id))] as const; // [gradients.unreached]
    });
    return Object.fromEntries([...outputs, ...grads]); // [gradients.outputs]
  });
  return prune(extended); // [gradients.frozen]
}
