import { axesOf, type Sizes } from "../tensor/pattern.ts";
import { type Floats, rowMajor, type View, view } from "../tensor/tensor.ts";

/** Row-major values with axes `from`, seen with the axes of the pattern's side `to`. */
export function reordered(values: Floats, from: readonly string[], to: string, sizes: Sizes): View {
  const size = (name: string): number => sizes[name] ?? 1;
  const stride = rowMajor(from.map(size));
  const names = axesOf(to).flat();
  return view(
    values,
    names.map(size),
    names.map((name) => stride[from.indexOf(name)] ?? 0),
  );
}
