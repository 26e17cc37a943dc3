// The causal mask of a batch.
import { causalMask } from "../../masks/grid.ts";
import { Bool } from "../../tensor/tensor.ts";

/** The mask of `b` whole texts of `l` tokens without padding: each token attends to those up to itself. */
export const causal = (b: number, l: number): Bool<"b l s"> =>
  new Bool([b, l, l], causalMask(l).data, [0, l, 1]);
