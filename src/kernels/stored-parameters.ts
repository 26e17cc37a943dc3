// Parameters that a backend stores in its own memory, in a layout that depends on how a program uses them.
import type { Bindings } from "../tensor/program/evaluate.ts";
import type { Node, Program } from "../tensor/program/program.ts";
import type { Tensor, Values, View } from "../tensor/tensor.ts";
import type { Backend, Use } from "./backend.ts";
import type { Plan } from "./plan.ts";

/** The part of nn's Parameter that a backend uses. Kernels do not import models, so it is declared here and recognised by its fields. */
export interface Releasable extends Tensor {
  /** Changes when the numbers change. */
  readonly source: object;
  /** The values, or the function or source that gives them. */
  readonly stored: Values;
  /** Drops the numbers; they are computed or read from the source again on the next access. */
  release(): void;
}

export const isReleasable = (t: Tensor): t is Releasable => "release" in t && "source" in t;

/**
 * Looks up a leaf in the backend's store. null if the backend does not store it, if another value is bound to it, if a fused scope
 * reads it, or if it is itself an output or tap: these need the numbers in their ordinary layout.
 */
export function storedParameters(
  { nodes, leaves, bindings }: Program,
  { uses, named }: Plan,
  { store }: Backend,
  bind: Bindings,
): (id: number) => View | null | Promise<View | null> {
  if (!store) return () => null;
  const shapesOf = ({ inputs }: Node) => inputs.map((input) => nodes[input]?.shape ?? []);
  const useOf = ([id, operand]: readonly [number, number]): Use[] => {
    const node = nodes[id];
    return node ? [{ node, operand, shapes: shapesOf(node) }] : [];
  };
  const bound = new Set(Object.keys(bind).map((name) => leaves[name]));
  return (id) => {
    const t = bindings.get(id);
    if (!t || bound.has(id) || named.has(id)) return null;
    return store.parameter(t, (uses.get(id) ?? []).flatMap(useOf)); // [replay.weights]
  };
}
