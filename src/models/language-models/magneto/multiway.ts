// Multiway networks: Wang et al. (BEiT-3), arXiv 2208.10442, §2.1, as torchscale/component/multiway_network.py has them. A module exists
// twice: A for the first tokens of a text (those of an image in BEiT-3), and B for the others.
import { concat, rearrange, slice } from "../../../tensor/ops/arrange.ts";
import { gather } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { Int, type Tensor } from "../../../tensor/tensor.ts";
import type { Split } from "./options.ts";

/** Two modules of the same kind, for the tokens before the split position and for those from it on. */
export class Multiway<M extends object> {
  A: M;
  B: M;
  readonly options: Split;

  constructor(make: () => M, split: Split) {
    this.A = make();
    this.B = make();
    this.options = split;
  }
}

/** One module, or with `split` two. */
export const branches = <M extends object>(make: () => M, split: Split | null): M | Multiway<M> =>
  split ? new Multiway(make, split) : make();

/**
 * The result of a module for tokens at these positions of their texts, or of its two branches. Positions count from the beginning of each
 * text, so that a text is split at the same token where it is read in passes, and where it has padding in front.
 */
export function throughBranches<M extends object, A extends string>(
  module: M | Multiway<M>,
  x: Tensor<"b l d">,
  positions: Int<"b l">,
  axes: A,
  forward: (one: M, x: Tensor<"b l d">) => Tensor,
): Tensor<A> {
  if (!(module instanceof Multiway)) return named(axes, forward(module, x));
  const { A, B, options } = module;
  const [b = 0, l = 0] = x.shape;
  const isFirst = Array.from(
    positions.flat(),
    (position) => options.position === -1 || position < options.position, // [magneto.split]
  );
  const first = isFirst.slice(0, l).filter(Boolean).length;
  if (isFirst.every((one) => one)) return named(axes, forward(A, x));
  if (isFirst.every((one) => !one)) return named(axes, forward(B, x));
  if (isFirst.every((one, i) => one === i % l < first)) {
    const [before, after] = [forward(A, slice(x, 1, 0, first)), forward(B, slice(x, 1, first, l))];
    return named(axes, concat("b l e, b m e -> b s e", named("b l e", before), named("b m e", after))); // [magneto.multiway]
  }
  const every = (one: M) => rearrange("b l e -> (b l) e", named("b l e", forward(one, x)));
  const table = concat("t e, u e -> a e", named("t e", every(A)), named("u e", every(B)));
  const rows = Int32Array.from(isFirst, (one, i) => (one ? i : b * l + i));
  return named(axes, gather(table, new Int<"b l">([b, l], rows))); // [magneto.multiway]
}
