// Panels: operands of a product in the order in which its kernels read them.
import type { View } from "../../../tensor/tensor.ts";
import type { Engine } from "../engine.ts";

/** The dtypes that panels can have. The position is the number in product.as.ts. */
export const PANEL_DTYPES = ["float32", "bfloat16", "float16"] as const;
export type PanelDtype = (typeof PANEL_DTYPES)[number];
export const BYTES: Readonly<Record<PanelDtype, number>> = { float32: 4, bfloat16: 2, float16: 2 };

/** Columns of a panel of B. */
export const WIDTH = 8;
/** The block size along the inner axes of panels: the constant of pack.as.ts. */
export const DEPTH = 1024;
/** Marks a list of offsets without a constant stride. */
const NO_STRIDE = -(2 ** 31);
/** Panels of eight rows of the axes `outer`, along the axes `inner`. */
export interface Layout {
  /** Equal for equal layouts. */
  readonly key: string;
  readonly outer: readonly number[];
  readonly inner: readonly number[];
}

export interface Panels {
  readonly address: number;
  readonly dtype: PanelDtype;
}

/** Weights that are stored as panels. */
export interface Packed {
  /** The panels that `b` stands for in a layout, until the end of the present computation; null if `b` is an ordinary view. */
  panels(b: View, layout: Layout): Panels | null;
}

/** A batch of matrices in the heap: element (z, i, p) is at `address` + 4 (starts[z] + outer[i] + inner[p]). */
export interface Matrices {
  readonly address: number;
  readonly starts: Int32Array;
  readonly outer: Int32Array;
  readonly inner: Int32Array;
}

/** The constant difference between the numbers of a list that begins with 0, otherwise NO_STRIDE. */
function strideOf(list: Int32Array): number {
  const stride = (list[1] ?? 1) - (list[0] ?? 0);
  for (let i = 1; i < list.length; i++) if ((list[i] ?? 0) - (list[i - 1] ?? 0) !== stride) return NO_STRIDE;
  return (list[0] ?? 0) === 0 ? stride : NO_STRIDE;
}

/** n rounded up to whole panels. */
export const panelled = (n: number, width: number): number => Math.ceil(n / width) * width;

/** Packs matrices of float32, or of 16-bit floats, into panels of `width` rows of the outer axis, from address `to` on. */
export function pack(
  engine: Engine,
  { address, starts, outer, inner }: Matrices,
  width: number,
  to: number,
  dtype: PanelDtype = "float32",
): void {
  const panels = Math.ceil(outer.length / width);
  const perTask = Math.max(1, Math.min(16, Math.ceil(65536 / (width * inner.length + 1))));
  const stride = strideOf(inner);
  const words = [
    address,
    engine.list(starts),
    engine.list(outer),
    outer.length,
    stride === NO_STRIDE ? engine.list(inner) : 0,
    stride,
    inner.length,
    width,
    to,
    perTask,
  ];
  const tasks = starts.length * Math.ceil(panels / perTask);
  const kernel = dtype === "float32" ? "pack" : "pack16";
  engine.threads.run(kernel, { tasks, words, cost: starts.length * outer.length * inner.length });
}
