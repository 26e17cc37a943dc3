// The order of samples in training, as a function of the position: a run that is resumed needs no state but its step.
import { checkValue, whole } from "../nn/options.ts";
import { generator, permutation } from "../tensor/random.ts";

/** The largest number of samples. */
const MOST = 2 ** 31 - 1;

/**
 * The sample at each position of a run over `size` samples: every pass has each of them once, in an order that depends on the seed and the
 * number of the pass. Positions count from 0; they may be asked for in any order.
 */
export function shuffledOrder(size: number, seed: number): (position: number) => number {
  checkValue("shuffledOrder", "size", size, whole(1, MOST));
  let pass = -1;
  let order: Int32Array = new Int32Array();
  return (position) => {
    checkValue("shuffledOrder", "position", position, whole(0, Number.MAX_SAFE_INTEGER));
    const of = Math.floor(position / size); // [order.passes]
    if (of !== pass) {
      pass = of;
      order = permutation(size, generator(seed, `pass ${of}`)); // [order.position]
    }
    return order[position % size] ?? 0;
  };
}
