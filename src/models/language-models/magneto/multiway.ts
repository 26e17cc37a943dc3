// Multiway networks: Wang et al. (BEiT-3), arXiv 2208.10442, §2.1, as torchscale/component/multiway_network.py has them. A module exists
// twice: A for the first tokens of a text (those of an image in BEiT-3), and B for the others.
import { concat, slice } from "../../../tensor/ops/arrange.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
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
 * The result of a module for tokens of a text from position `from` on, or of its two branches. The split position counts from the beginning
 * of the text, so that a text that is read in passes is split where it would be in one.
 */
export function throughBranches<M extends object, A extends string>(
  module: M | Multiway<M>,
  x: Tensor<"b l d">,
  from: number,
  axes: A,
  forward: (one: M, x: Tensor<"b l d">) => Tensor,
): Tensor<A> {
  if (!(module instanceof Multiway)) return named(axes, forward(module, x));
  const { A, B, options } = module;
  const l = x.shape[1] ?? 0;
  const first = options.position === -1 ? l : options.position - from; // [magneto.split]
  if (first >= l) return named(axes, forward(A, x));
  if (first <= 0) return named(axes, forward(B, x));
  const [before, after] = [forward(A, slice(x, 1, 0, first)), forward(B, slice(x, 1, first, l))];
  return named(axes, concat("b l e, b m e -> b s e", named("b l e", before), named("b m e", after))); // [magneto.multiway]
}
