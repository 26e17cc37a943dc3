// The interface of a backend. Every op without a kernel is computed by its definition, rounded to the backend's precision.
import { checkMember } from "../tensor/given.ts";
import type { Mask, OpName, Ops, SoftmaxEmptyRow } from "../tensor/ops/table.ts";
import type { Precision } from "../tensor/precision.ts";
import type { Node } from "../tensor/program/program.ts";
import type { Floats, Shape, Tensor, View } from "../tensor/tensor.ts";

/** Attributes of the `attention` scope (nn/attention): softmax(q kᵀ) v over the last two axes; q is already scaled. */
export interface AttentionAttrs {
  /** Shape of the scores […, l, s]; 1 = may attend, null = all may. Often a view with repeated axes (stride 0). */
  readonly mayAttend: Mask | null;
  readonly emptyRow: SoftmaxEmptyRow;
  /** Shape of the scores; weights are set to zero after the softmax where it is 0. null: all are kept. */
  readonly postSoftmaxMask: Mask | null;
}

/** Attributes of the `normalize` scope (nn/norms). */
export interface NormalizeAttrs {
  readonly epsilon: number;
  /** Whether the mean is subtracted first. */
  readonly centred: boolean;
}

export type AttentionInputs = {
  readonly q: View;
  readonly k: View;
  readonly v: View;
  /** Added to the scores […, l, s]; its trailing axes are those of the scores, or 1. */
  readonly bias?: View;
};

/** The sets of inputs of the `attention` scope, as a kernel's `takes`. */
export const ATTENTION_INPUTS = [
  ["q", "k", "v"],
  ["q", "k", "v", "bias"],
] as const;

/** A fused kernel. It receives the named inputs of a scope and no other tensor. */
export interface ScopeKernel<Attrs, Inputs, Results extends View | Readonly<Record<string, View>> = View> {
  /** The sets of input names that the kernel takes. A scope with other inputs is computed by the definitions of its ops. */
  readonly takes: readonly (readonly string[])[];
  /** Returns the output, or the outputs by their names if there are several. */
  run(attrs: Attrs, inputs: Inputs): Promise<Results>;
}

/** Fused kernels by the name of the scope that they replace. */
export interface ScopeKernels {
  readonly attention?: ScopeKernel<AttentionAttrs, AttentionInputs>;
  /** The derivative of `attention`: of each of its inputs, under the input's name. `g` is the derivative of its output. */
  readonly attentionVjp?: ScopeKernel<
    AttentionAttrs,
    AttentionInputs & { readonly g: View },
    AttentionInputs
  >;
  readonly normalize?: ScopeKernel<NormalizeAttrs, { readonly x: View }>;
}

/** Products and attention scopes that ran in the backend's own kernels since it was opened. */
export interface KernelCounts {
  matmul: number;
  attention: number;
}

/** One use of a parameter: the node, the index of the operand, and the shapes of all of the node's operands. */
export interface Use {
  readonly node: Node;
  readonly operand: number;
  readonly shapes: readonly Shape[];
}

/** Bytes of a backend's memory: in use, the highest use so far, and reserved from the machine. */
export interface Usage {
  readonly used: number;
  readonly peak: number;
  readonly reserved: number;
}

/** The memory of a backend that does not return ordinary arrays, as `replay` manages it. */
export interface Store {
  /** The block that holds these numbers; null if they are outside this memory, or belong to a stored parameter. */
  blockOf(data: Floats): number | null;
  free(block: number): void;
  /** A copy outside this memory, which no later run overwrites; the view itself if it is outside already. */
  copyOut(v: View): View | Promise<View>;
  /**
   * A result that is to stay after the run, as a view of a block of this memory: the view itself, or a copy if its block is not the
   * run's own, or much larger than the result.
   */
  keep(v: View): View | Promise<View>;
  /** Called before each replay. Parameters that only earlier replays have used may be freed to make room. */
  begin?(): void;
  /** A parameter in the layout that its uses read fastest, stored between runs; null if the backend does not store it. */
  parameter(t: Tensor, uses: readonly Use[]): View | null | Promise<View | null>;
  /**
   * For memory that the host cannot read. `upload` returns the view as kernels read it, `download` as definitions read it. A view on
   * the device has an empty array in place of its numbers; shape, strides and offset are those of any view.
   */
  readonly upload?: (v: View) => Promise<View>;
  readonly download?: (v: View) => Promise<View>;
  usage(): Usage;
}

/**
 * A device with kernels for some ops. Replay computes every other op by its definition, so that a backend of your own needs kernels
 * only for what it computes faster: `{ ...reference("float32"), name: "mine", ops: { einsum: multiply } }`.
 *
 * A kernel reads its operands by their strides and leaves them unchanged. It returns `{ data, shape, stride, offset }`, or a promise
 * of it, with the shape that the op's definition gives and a Float32Array or a Float64Array that it makes for this result; only ops
 * that change nothing but shape and strides may return the operand's memory. `replay` throws a RuleError for any other result, and
 * for a kernel of no op.
 */
export interface Backend {
  readonly name: string;
  /** gpu.js's mode, or the equivalent of another backend; null where there is no choice. */
  readonly mode: string | null;
  /** The number of threads that compute, including the calling one. */
  readonly threads: number;
  readonly precision: Precision;
  readonly ops: {
    readonly [K in OpName]?: (attrs: Ops[K]["attrs"], ...inputs: View[]) => View | Promise<View>;
  };
  readonly scopes: ScopeKernels;
  /** Absent if results are arrays that the garbage collector frees. */
  readonly store?: Store;
  readonly ran: KernelCounts;
  /** Frees devices and threads. */
  close(): Promise<void>;
}

/**
 * Names of the scopes for whose derivative the backend has a kernel. `gradients(program, "loss", leaves, { fused: differentiable(backend) })`
 * leaves these scopes fused, as every training loop does.
 */
export function differentiable(backend: Backend): string[] {
  checkMember("differentiable", { backend }, "scopes", "a backend, as reference, simd and gpu return it");
  return Object.keys(backend.scopes).filter((name) => `${name}Vjp` in backend.scopes);
}
