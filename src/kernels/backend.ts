// What a backend may supply. Everything else falls back to the definition of the op, rounded to the backend's precision.
import type { OpName, Ops } from "../tensor/ops.ts";
import type { Precision } from "../tensor/precision.ts";
import type { View } from "../tensor/tensor.ts";
import type { AttentionAttrs } from "./attention-attrs.ts";

/** Fused kernels by scope: what they are given is the scope's signature. */
export interface ScopeKernels {
  readonly attention?: (
    attrs: AttentionAttrs,
    inputs: { readonly q: View; readonly k: View; readonly v: View },
  ) => Promise<View>;
  readonly normalize?: (attrs: { readonly epsilon: number }, inputs: { readonly x: View }) => Promise<View>;
}

/** How often a kernel of its own ran, and in which mode. */
export interface KernelCounts {
  matmul: number;
  attention: number;
}

export interface Backend {
  readonly name: string;
  /** gpu.js's mode, or another backend's equivalent; null where there is no choice. */
  readonly mode: string | null;
  readonly precision: Precision;
  readonly ops: { readonly [K in OpName]?: (attrs: Ops[K]["attrs"], ...inputs: View[]) => Promise<View> };
  readonly scopes: ScopeKernels;
  /** What ran in kernels of this backend since it was opened. */
  readonly ran: KernelCounts;
  /** Frees devices and threads. */
  close(): Promise<void>;
}
