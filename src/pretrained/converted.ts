// Weights in another dtype than that of their file. They are converted whenever they are read.
import { stateDict, ties } from "../nn/state-dict.ts";
import { LoadError } from "../tensor/errors.ts";
import type { Precision } from "../tensor/precision.ts";
import { elementsAs, type TensorSource, widened } from "../tensor/source.ts";
import { sourceOf } from "../tensor/tensor.ts";

/** Throws a LoadError if a number is too large for the dtype. */
function checkRange(
  name: string,
  numbers: ArrayLike<number>,
  converted: ArrayLike<number>,
  dtype: Precision,
): void {
  for (let i = 0; i < converted.length; i++)
    if (!Number.isFinite(converted[i]))
      throw new LoadError(
        `weight "${name}" has the value ${numbers[i]}, too large for ${dtype}; choose another dtype  [pretrained.dtype]`,
      );
}

function converted(name: string, source: TensorSource, dtype: Precision): TensorSource {
  return {
    ...source,
    dtype,
    read(from, to) {
      const numbers = widened(source.read(from, to), source.dtype);
      const elements = elementsAs(numbers, dtype);
      if (dtype !== "float64") checkRange(name, numbers, widened(elements, dtype), dtype);
      return elements; // [pretrained.dtype]
    },
  };
}

/** Gives every parameter of a model the values of another dtype. */
export function convertWeights(model: object, dtype: Precision): void {
  const tied = ties(model);
  for (const [name, t] of stateDict(model)) {
    const source = sourceOf(t.stored);
    if (!tied.has(name) && source.dtype !== dtype) t.assign(converted(name, source, dtype));
  }
}
