import type { Tensor, Values } from "../tensor/tensor.ts";

/** The part of nn's Parameter that a backend uses. Kernels do not import models, so it is declared here and recognised by its fields. */
export interface Releasable extends Tensor {
  /** Changes when the numbers change. */
  readonly source: object;
  /** The values, or the function or source that gives them. */
  readonly stored: Values;
  /** Drops the numbers; they are computed or read from the source again on the next access. */
  release(): void;
}

export const isReleasable = (t: Tensor): t is Releasable => "release" in t && "source" in t;
