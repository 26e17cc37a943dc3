// Parameters that a backend stores in its own memory, in a layout that depends on how a program uses them.
import type { Bindings } from "../tensor/program/evaluate.ts";
import type { Program } from "../tensor/program/program.ts";
import type { View } from "../tensor/tensor.ts";
import type { Backend, Use } from "./backend.ts";

/**
 * Looks up a leaf in the backend's store. null if the backend does not store it, if another value is bound to it, if a fused scope
 * reads it, or if it is itself an output or tap: these need the numbers in their ordinary layout.
 */
export function storedParameters(
  p: Program,
  { store }: Backend,
  bind: Bindings,
): (id: number) => Promise<View | null> {
  if (!store) return async () => null;
  const uses = new Map<number, Use[]>();
  for (const node of p.nodes)
    for (const [operand, input] of node.inputs.entries()) {
      if (p.nodes[input]?.op !== "leaf") continue;
      const shapes = node.inputs.map((other) => p.nodes[other]?.shape ?? []);
      const list = uses.get(input) ?? [];
      list.push({ node, operand, shapes });
      uses.set(input, list);
    }
  const bound = Object.keys(bind).map((name) => p.leaves[name]);
  const scoped = p.scopes.flatMap((scope) => Object.values(scope.inputs));
  const plain = new Set([...bound, ...scoped, ...Object.values(p.outputs), ...Object.values(p.taps)]);
  return async (id) => {
    const t = p.bindings.get(id);
    return t && !plain.has(id) ? store.parameter(t, uses.get(id) ?? []) : null; // [replay.weights]
  };
}
