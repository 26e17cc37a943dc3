// The matrix product on gpu.js, C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], in single precision.
import { ShapeError } from "../../../tensor/errors.ts";
import type { Device, Thread } from "./device.ts";
import { fourRows, fours, type Matrices, result, unpack, wideRows } from "./matrices.ts";

/** Sizes of a padded product: `batch` times [4 · blocks, depth] [depth, columns]. */
export interface Blocks {
  readonly batch: number;
  readonly blocks: number;
  readonly depth: number;
  readonly columns: number;
}

// biome-ignore-start lint/style/noNonNullAssertion: gpu.js reads no more than plain JavaScript
/**
 * One cell of C: four rows of a column, so that one read of B serves four sums. Threads that follow each other read B side
 * by side. A variable of a kernel is a float whatever is put into it, hence `| 0`: i, z and p are exact up to 2²⁴, and the
 * indices made of them are computed in integers and are exact everywhere.
 *
 * The loop runs to a constant: gpu.js stops any other after 1,000 rounds and says nothing.
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

/** What WebAssembly can address, less the sixteen pages that gpu.js adds. */
const MOST_BYTES = (65536 - 16) * 65536;
const MOST_EXACT = 2 ** 24;

/** The kernel itself, from and to the layouts of `fourRows` and `wideRows`. Sums over nothing are zero. */
export async function product(
  device: Device,
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

/** Columns a run. Longer rows of B leave the caches: a quarter slower at 8,000. */
const STRIP = 1024;

/** C[z, i, j] = Σₚ A[z, i, p] B[z, p, j], row-major. */
export async function matmul(device: Device, a: Matrices, b: Matrices): Promise<Float32Array> {
  const [batch, rows, depth, columns] = [a.starts.length, a.rows.length, a.columns.length, b.columns.length];
  if (b.starts.length !== batch || b.rows.length !== depth) {
    throw new ShapeError(
      `[${batch} ${rows} ${depth}] times [${b.starts.length} ${b.rows.length} ${columns}]`,
    );
  }
  const c = result(batch, rows, columns);
  const left = fourRows(a);
  for (let first = 0; first < columns; first += STRIP) {
    const strip = { ...b, columns: b.columns.subarray(first, first + STRIP) };
    const n = strip.columns.length;
    const size: Blocks = { batch, blocks: fours(rows), depth, columns: 4 * fours(n) };
    unpack(await product(device, left, wideRows(strip), size), c, first, n);
  }
  return c.data;
}
