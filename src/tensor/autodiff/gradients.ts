// Reverse-mode differentiation as a rewrite: program in, program out.

import { ShapeError } from "../errors.ts";
import { zerosLike } from "../ops/functions.ts";
import { type Program, prune } from "../program/program.ts";
import { extend } from "../program/record.ts";
import { Tensor, view } from "../tensor.ts";
import { backward, dependents, fusedScopes } from "./backward.ts";

function idIn(ids: Readonly<Record<string, number>>, name: string, what: string): number {
  const id = ids[name];
  if (id === undefined)
    throw new ShapeError(`this program has no ${what} "${name}"; it has ${Object.keys(ids).join(", ")}`);
  return id;
}

/** Name of the output that holds the gradient of a leaf. */
export const gradientOf = (leaf: string): string => `grad ${leaf}`;

export interface GradientOptions {
  /** Scopes, by name, whose derivative becomes a scope as well, `<name>Vjp`, for those who have a kernel for it. */
  readonly fused?: readonly string[] | undefined;
}

/**
 * A program that also computes d loss / d leaf for the leaves asked for, as outputs `grad <leaf>`. Nothing else is
 * differentiated: freezing is the set that you ask for. The loss is a scalar; a leaf that it does not depend on has
 * gradient zero. The result is a program like any other and has gradients again. [gradients.again]
 */
export function gradients(
  program: Program,
  loss: string,
  leaves: readonly string[],
  { fused = [] }: GradientOptions = {},
): Program {
  const sources = leaves.map((leaf) => idIn(program.leaves, leaf, "leaf"));
  const from = idIn(program.outputs, loss, "output");
  if (program.nodes[from]?.shape.length !== 0)
    throw new ShapeError(`the loss "${loss}" is no scalar; take total(...) of it`); // [gradients.scalar]
  const depends = dependents(program, sources);
  const scopes = fusedScopes(program, fused, depends);
  const extended = extend(program, (at) => {
    // Everything in here is symbolic: no number is touched. [gradients.symbolic]
    const one = new Tensor([], view(Float64Array.of(1), []));
    const parts = backward(program, one, { from, to: 0, at, depends, fused: scopes });
    const outputs = Object.entries(program.outputs).map(([name, id]) => [name, at(id)] as const);
    const grads = leaves.map((leaf, i) => {
      const id = sources[i] ?? 0;
      return [gradientOf(leaf), parts.get(id) ?? zerosLike(at(id))] as const; // [gradients.unreached]
    });
    return Object.fromEntries([...outputs, ...grads]); // [gradients.outputs]
  });
  return prune(extended); // [gradients.frozen]
}
