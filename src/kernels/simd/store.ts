import { flat, view } from "../../tensor/tensor.ts";
import type { Store } from "../backend.ts";
import type { Engine } from "./engine.ts";
import type { Weights } from "./weights.ts";

/** The heap as the Store that `replay` manages. */
export const storeOf = ({ heap }: Engine, weights: Weights): Store => ({
  blockOf: (data) => {
    const block = heap.blockOf(data);
    return block === null || weights.has(block) ? null : block;
  },
  free: (block) => heap.free(block),
  copyOut: (v) => {
    if (!heap.owns(v.data.buffer)) return v;
    const values = flat(v);
    return view(heap.owns(values.buffer) ? values.slice() : values, v.shape);
  },
  usage: () => heap.usage(),
  parameter: (t, uses) => weights.parameter(t, uses),
});
