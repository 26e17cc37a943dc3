// Positions that a model counts itself, from the mask of its pass.
import { type Bool, Int } from "../../tensor/tensor.ts";

/**
 * The position of each token of a pass: the number of tokens before it to which it may attend. Padding, which may not attend to itself,
 * has the position that `ofPadding` gives for that number.
 */
export function tokenPositions(
  mayAttend: Bool<"b l s">,
  ofPadding: (tokensBefore: number) => number,
): Int<"b l"> {
  const [b = 0, l = 0, s = 0] = mayAttend.shape;
  const allowed = mayAttend.flat();
  const positions = Int32Array.from({ length: b * l }, (_, i) => {
    const self = i * s + (s - l) + (i % l);
    const before = allowed.subarray(i * s, self).reduce((n, one) => n + one, 0); // [opt.positions] [mosaic.positions]
    return allowed[self] === 0 ? ofPadding(before) : before;
  });
  return new Int([b, l], positions);
}
