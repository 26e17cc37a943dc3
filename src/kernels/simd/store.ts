import { flat, view } from "../../tensor/tensor.ts";
import type { Store } from "../backend.ts";
import type { Engine } from "./engine.ts";
import type { Appends } from "./ops/append.ts";
import type { Weights } from "./weights.ts";

/** The heap as the Store that `replay` manages. */
export function storeOf({ heap }: Engine, weights: Weights, appends: Appends): Store {
  const blockOf: Store["blockOf"] = (data) => {
    const block = heap.blockOf(data);
    return block === null || weights.has(block) ? null : block;
  };
  return {
    blockOf,
    free: (block) => {
      heap.free(block);
      appends.forget(block);
    },
    keep: (v) => appends.keep(v, blockOf(v.data)),
    copyOut: (v) => {
      if (!heap.owns(v.data.buffer)) return v;
      const values = flat(v);
      return view(heap.owns(values.buffer) ? values.slice() : values, v.shape);
    },
    begin: () => weights.begin(),
    usage: () => heap.usage(),
    parameter: (t, uses) => weights.parameter(t, uses),
  };
}
