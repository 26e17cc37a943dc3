// Parameters that a backend keeps in its own memory, laid out for those who read them.
import type { Bindings } from "../tensor/program/evaluate.ts";
import type { Program } from "../tensor/program/program.ts";
import type { View } from "../tensor/tensor.ts";
import type { Backend, Use } from "./backend.ts";

/** A leaf as the backend keeps it; null where it does not, where something else is bound, or where the numbers leave the program. */
export function keptParameters(
  p: Program,
  { store }: Backend,
  bind: Bindings,
): (id: number) => Promise<View | null> {
  if (!store) return async () => null;
  const uses = new Map<number, Use[]>();
  for (const node of p.nodes)
    for (const [place, input] of node.inputs.entries()) {
      if (p.nodes[input]?.op !== "leaf") continue;
      const shapes = node.inputs.map((other) => p.nodes[other]?.shape ?? []);
      const known = uses.get(input);
      if (known) known.push({ node, place, shapes });
      else uses.set(input, [{ node, place, shapes }]);
    }
  const bound = Object.keys(bind).map((name) => p.leaves[name]);
  const scoped = p.scopes.flatMap((scope) => Object.values(scope.inputs));
  const plain = new Set([...bound, ...scoped, ...Object.values(p.outputs), ...Object.values(p.taps)]);
  return async (id) => {
    const t = p.bindings.get(id);
    return t && !plain.has(id) ? store.parameter(t, uses.get(id) ?? []) : null; // [replay.weights]
  };
}
