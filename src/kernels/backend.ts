// What a backend may supply. Everything else falls back to the definition of the op, rounded to the backend's precision.
import type { OpName, Ops } from "../tensor/ops/table.ts";
import type { Precision } from "../tensor/precision.ts";
import type { Node } from "../tensor/program/program.ts";
import type { Floats, Shape, Tensor, View } from "../tensor/tensor.ts";
import type { AttentionAttrs } from "./attention-attrs.ts";

/** Fused kernels by scope: what they are given is the scope's signature. */
export interface ScopeKernels {
  readonly attention?: (
    attrs: AttentionAttrs,
    inputs: { readonly q: View; readonly k: View; readonly v: View },
  ) => Promise<View>;
  /** The derivative of the attention scope: `g` is that of its output; d q, d k and d v stand one after another. */
  readonly attentionVjp?: (
    attrs: AttentionAttrs,
    inputs: { readonly q: View; readonly k: View; readonly v: View; readonly g: View },
  ) => Promise<View>;
  readonly normalize?: (attrs: { readonly epsilon: number }, inputs: { readonly x: View }) => Promise<View>;
}

/** How often a kernel of its own ran, and in which mode. */
export interface KernelCounts {
  matmul: number;
  attention: number;
}

/** Who reads a parameter, as which operand, and the shapes of all operands. */
export interface Use {
  readonly node: Node;
  readonly place: number;
  readonly shapes: readonly Shape[];
}

/** Bytes of a backend's own memory: in use, the most that ever were, and what it holds of the machine's. */
export interface Usage {
  readonly used: number;
  readonly peak: number;
  readonly reserved: number;
}

/** Memory of a backend's own, in which its kernels leave their results: what `replay` must know of it. */
export interface Store {
  /** The block in which these numbers stand; null if they stand elsewhere, or stay between runs. */
  blockOf(data: Floats): number | null;
  free(block: number): void;
  /** The numbers where no later run overwrites them. */
  keep(v: View): View | Promise<View>;
  /** A parameter as kernels read it fastest, kept from run to run; null if the backend does not keep it. */
  parameter(t: Tensor, uses: readonly Use[]): View | null | Promise<View | null>;
  /**
   * Where kernels cannot read the host's numbers: the view as kernels read it, and as the definitions do. A view on the device has
   * an empty array in place of its numbers; its layout is a view's like any other.
   */
  readonly upload?: (v: View) => Promise<View>;
  readonly download?: (v: View) => Promise<View>;
  usage(): Usage;
}

export interface Backend {
  readonly name: string;
  /** gpu.js's mode, or another backend's equivalent; null where there is no choice. */
  readonly mode: string | null;
  /** Threads that compute, the calling one included. */
  readonly threads: number;
  readonly precision: Precision;
  readonly ops: { readonly [K in OpName]?: (attrs: Ops[K]["attrs"], ...inputs: View[]) => Promise<View> };
  readonly scopes: ScopeKernels;
  /** Where results stand, if not in arrays of their own. */
  readonly store?: Store;
  /** What ran in kernels of this backend since it was opened. */
  readonly ran: KernelCounts;
  /** Frees devices and threads. */
  close(): Promise<void>;
}

/** Names of the scopes whose derivative the backend has a kernel for: `gradients` is to keep them whole. */
export const differentiable = ({ scopes }: Backend): string[] =>
  Object.keys(scopes).filter((name) => `${name}Vjp` in scopes);
