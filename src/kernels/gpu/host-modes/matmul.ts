// The matrix product on gpu.js, C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], in float32.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Matrices } from "../../../tensor/ops/matmul.ts";
import type { HostDevice, Thread } from "./host-device.ts";
import { fours, packLeft, packRight, result, unpack } from "./matrices.ts";

/** Sizes of a padded product: `batch` times [4 · blocks, depth] [depth, columns]. */
export interface Blocks {
  readonly batch: number;
  readonly blocks: number;
  readonly depth: number;
  readonly columns: number;
}

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js compiles plain JavaScript only
/**
 * One cell of C: four rows of a column, so that each element of B is read once for four sums; adjacent threads read adjacent
 * elements of B. Every variable of a kernel is a float, hence `| 0`: z, i and p are exact up to 2²⁴, and indices computed from them
 * as integers are exact everywhere.
 *
 * The bound of the loop is a constant because in webasm mode a loop with another bound takes up to 1.8 times as long.
 */
function fourRowsOfProduct(this: Thread, a: Float32Array, b: Float32Array): [number, number, number, number] {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  const z = this.thread.z;
  const i = this.thread.z * this.output.y + this.thread.y;
  for (let p = 0; p < this.constants.depth!; p++) {
    const y = b[((z | 0) * this.constants.depth! + (p | 0)) * this.output.x + this.thread.x]!;
    s0 += a[((i | 0) * this.constants.depth! + (p | 0)) * 4]! * y;
    s1 += a[((i | 0) * this.constants.depth! + (p | 0)) * 4 + 1]! * y;
    s2 += a[((i | 0) * this.constants.depth! + (p | 0)) * 4 + 2]! * y;
    s3 += a[((i | 0) * this.constants.depth! + (p | 0)) * 4 + 3]! * y;
  }
  return [s0, s1, s2, s3];
}
// biome-ignore-end lint/style/noNonNullAssertion: the kernel ends here

/** The address space of WebAssembly, less sixteen pages that gpu.js adds. */
const MOST_BYTES = (65536 - 16) * 65536;
const MOST_EXACT = 2 ** 24;

/**
 * The number of terms that a kernel sums for a sum of n terms; those beyond n are zeros. Few kernels serve all lengths of a growing text:
 * multiples of 64, which most widths of models are, and two sizes between one power of two and the next.
 */
export function paddedDepth(n: number): number {
  if (n % 64 === 0) return n;
  const power = 2 ** Math.ceil(Math.log2(Math.max(n, 4)));
  return n <= 0.75 * power && power > 4 ? 0.75 * power : power;
}

/** The product of operands in the layouts of `packLeft` and `packRight`. If depth is 0 the result is zero. */
export async function product(
  device: HostDevice,
  a: Float32Array,
  b: Float32Array,
  size: Blocks,
): Promise<Float32Array> {
  const { batch, blocks, depth, columns } = size;
  const cells = batch * blocks * columns;
  if (a.length !== batch * blocks * depth * 4 || b.length !== batch * depth * columns) {
    throw new ShapeError(
      `a product of ${batch} × [${blocks * 4} ${depth}] [${depth} ${columns}] got ${a.length} and ${b.length} values`,
    );
  }
  if (cells === 0 || depth === 0) return new Float32Array(cells * 4);
  const bytes = 4 * (a.length + b.length + 4 * cells);
  if (bytes > MOST_BYTES || batch * blocks >= MOST_EXACT || depth >= MOST_EXACT) {
    throw new ShapeError(
      `${batch} × [${blocks * 4} ${depth}] [${depth} ${columns}] does not fit a gpu.js kernel (4 GiB, 2²⁴ rows)`,
    );
  }
  const kernel = device.kernel(`product ${depth}`, fourRowsOfProduct, { depth });
  return kernel([columns, blocks, batch], a, b);
}

/** Columns for each run of the kernel. Longer rows of B do not fit the caches: 8,000 columns are a quarter slower. */
const STRIP = 1024;

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], row-major. */
export async function matmul(device: HostDevice, a: Matrices, b: Matrices): Promise<Float32Array> {
  const [batch, rows, depth, columns] = [a.starts.length, a.rows.length, a.columns.length, b.columns.length];
  if (b.starts.length !== batch || b.rows.length !== depth) {
    throw new ShapeError(
      `[${batch} ${rows} ${depth}] times [${b.starts.length} ${b.rows.length} ${columns}]`,
    );
  }
  const c = result(batch, rows, columns);
  const padded = paddedDepth(depth);
  const left = packLeft(a, padded);
  for (let first = 0; first < columns; first += STRIP) {
    const strip = { ...b, columns: b.columns.subarray(first, first + STRIP) };
    const n = strip.columns.length;
    const size: Blocks = { batch, blocks: fours(rows), depth: padded, columns: 4 * fours(n) };
    unpack(await product(device, left, packRight(strip, padded), size), c, first, n);
  }
  return c.data;
}
