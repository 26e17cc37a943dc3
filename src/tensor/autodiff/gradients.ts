// Reverse-mode differentiation as a function from program to program.
import { ShapeError } from "../errors.ts";
import { checkGiven, checkMember } from "../given.ts";
import { zerosLike } from "../ops/functions.ts";
import { type Program, prune } from "../program/program.ts";
import { extend } from "../program/record.ts";
import { Tensor, view } from "../tensor.ts";
import { backward, dependents, fusedScopes } from "./backward.ts";

function idIn(ids: Readonly<Record<string, number>>, name: string, kind: string): number {
  const id = ids[name];
  if (id === undefined)
    throw new ShapeError(`this program has no ${kind} "${name}"; it has ${Object.keys(ids).join(", ")}`);
  return id;
}

/** The name of the output with the gradient of a leaf. */
export const gradientOf = (leaf: string): string => `grad ${String(leaf)}`;

export interface GradientOptions {
  /** Names of scopes whose derivative becomes a scope as well, `<name>Vjp`, for backends with a fused kernel for it. */
  readonly fused?: readonly string[] | undefined;
}

/**
 * A program that also computes d loss / d leaf for each of `leaves`, as outputs `grad <leaf>`. Other leaves are frozen. The loss
 * is a scalar; the gradient of a leaf that it does not depend on is zero. The result can be differentiated again.
 * [gradients.again] Throws a ShapeError if the loss is no scalar, or the program has no output or leaf of such a name.
 */
export function gradients(
  program: Program,
  loss: string,
  leaves: readonly string[],
  { fused = [] }: GradientOptions = {},
): Program {
  checkGiven("gradients", { leaves }, "a list");
  checkMember("gradients", { program }, "nodes", "a program, as record returns it");
  const sources = leaves.map((leaf) => idIn(program.leaves, leaf, "leaf"));
  const from = idIn(program.outputs, loss, "output");
  if (program.nodes[from]?.shape.length !== 0)
    throw new ShapeError(`the loss "${loss}" is not a scalar; apply sumAll to it`); // [gradients.scalar]
  const depends = dependents(program, sources);
  const scopes = fusedScopes(program, fused);
  const extended = extend(program, (at) => {
    // Symbolic: no values are read. [gradients.symbolic]
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
