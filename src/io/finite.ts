// A weight that is not a number would spread through every output. It is named where it enters instead.
import { LoadError } from "../tensor/errors.ts";
import { flat, Tensor } from "../tensor/tensor.ts";
import { indexOf } from "./wording.ts";

/** The same tensor, still lazy; its first use throws a LoadError if it holds NaN or an infinity. */
export function finite<A extends string>(tensor: Tensor<A>, name: string): Tensor<A> {
  if (tensor.symbolic) return tensor;
  return new Tensor<A>(tensor.shape, () => {
    const values = flat(tensor.data);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      if (value - value === 0) continue; // true of finite numbers alone [io.finite]
      const what = `holds ${value} at index ${indexOf(i, tensor.shape)}`;
      throw new LoadError(`weight "${name}" ${what}; repair or replace the file it comes from  [io.finite]`);
    }
    return tensor.data;
  });
}
