// Whether two tensors have equal values, piece by piece, so that large ones do not have to fit into memory twice.
import { widened } from "../../tensor/source.ts";
import { sourceOf, type Tensor } from "../../tensor/tensor.ts";

/** Values that are compared at a time. */
const PIECE = 2 ** 16;

/** Whether two tensors of one shape have the same values; NaN equals NaN. */
export function equalValues(a: Tensor, b: Tensor): boolean {
  const [first, second] = [sourceOf(a.stored), sourceOf(b.stored)];
  const piece = first.sequential || second.sequential ? a.size : PIECE;
  for (let from = 0; from < a.size; from += piece) {
    const to = Math.min(a.size, from + piece);
    const x = widened(first.read(from, to), first.dtype);
    const y = widened(second.read(from, to), second.dtype);
    if (x.some((value, i) => !Object.is(value, y[i]) && value !== y[i])) return false;
  }
  return true;
}
