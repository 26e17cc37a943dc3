// A language model that is a table: the logits of the next token are the row of the last one.
import { readOn, type Writer } from "../../../src/models/writer.ts";
import { Tensor, view } from "../../../src/tensor/tensor.ts";

/** A writer without parameters or layers; `steps` is told the rows of each pass. */
export const tableWriter = (
  table: readonly (readonly number[])[],
  steps: (rows: number) => void = () => {},
): Writer => ({
  model: {},
  context: () => ({}),
  step(ids, _mask, cache) {
    const [b = 0, l = 0] = ids.shape;
    steps(b);
    const all = ids.flat();
    const data = Float64Array.from(
      Array.from({ length: b }, (_, row) => table[all[(row + 1) * l - 1] ?? 0] ?? []).flat(),
    );
    const shape = [b, table.length];
    return {
      logits: new Tensor<"b n">(shape, view(data, shape)),
      cache: { layers: [], ...readOn(cache, ids) },
    };
  },
});
