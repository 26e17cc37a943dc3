// What nn's Parameter has and a plain tensor has not. Kernels know no models, so they ask.
import type { Tensor } from "../tensor/tensor.ts";

export interface Releasable extends Tensor {
  /** Changes when the numbers do. */
  readonly source: object;
  /** Forgets the numbers, which come back from their source when somebody reads them. */
  release(): void;
}

export const isReleasable = (t: Tensor): t is Releasable => "release" in t && "source" in t;
