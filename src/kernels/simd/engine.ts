// The WebAssembly module with its heap and its threads, and the conversion of operands to addresses in the heap.
import type { Mask } from "../../tensor/ops/table.ts";
import { offsets, type Shape, type Strided, sizeOf, type View, view } from "../../tensor/tensor.ts";
import { checkOption, checkOptions } from "../checks.ts";
import { RELAXED, SIMD } from "./bytes.ts";
import { Heap } from "./heap.ts";
import { CONTROL_END, ThreadPool } from "./thread-pool.ts";

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

/** Threads, memory and arithmetic of the backend. */
export interface EngineOptions {
  /** The number of threads, including the calling one; the number of cores by default. */
  readonly threads?: number | undefined;
  /**
   * The number of bytes of weights that stay in the backend's memory between runs, at most 4 GiB; 3.25 GiB by default. Weights beyond
   * it are read and packed for each use.
   */
  readonly budget?: number | undefined;
  /** Whether to use the fused multiply-add of relaxed SIMD where the JavaScript engine supports it; true by default. */
  readonly relaxed?: boolean | undefined;
}

/**
 * The default budget for weights, in bytes. The rest of the 4 GiB is for intermediates and for weights beyond the budget, one at
 * a time.
 */
export const BUDGET = 3.25 * 2 ** 30;

/** Throws a RuleError for an option that this backend does not have, such as a precision, and for a value that it cannot use. */
function checkEngineOptions(options: EngineOptions): void {
  checkOptions("simd", options, ["threads", "budget", "relaxed"], "; simd computes in float32");
  const isWhole = (from: number, to: number) => (n: unknown) =>
    Number.isSafeInteger(n) && Number(n) >= from && Number(n) <= to;
  checkOption("simd", options, "threads", "a whole number from 1 up", isWhole(1, Infinity));
  checkOption("simd", options, "budget", "a whole number of bytes from 0 to 2^32", isWhole(0, 2 ** 32));
  checkOption("simd", options, "relaxed", "true or false", (value) => typeof value === "boolean");
}

/** A strided array in the heap. For floats, element (i…) is at `address` + 4 Σ i · stride; for masks, at `address` + Σ i · stride. */
export interface HeapArray {
  readonly address: number;
  readonly shape: Shape;
  readonly stride: readonly number[];
}

/** Small temporary blocks, such as lists of offsets, lie in an area of their own, where allocating one takes no search. */
const [AREA, AREA_END, SMALL, LINE] = [CONTROL_END, CONTROL_END + 2 ** 14, 1024, 64];

export class Engine {
  readonly heap: Heap;
  readonly threads: ThreadPool;
  /** Whether multiply-add is fused. */
  readonly relaxed: boolean;
  /** Bytes of weights that may be stored. */
  readonly budget: number;
  #temporaries: number[] = [];
  /** The first free address of the area of small temporary blocks. */
  #small = AREA;
  /** Blocks that the present computation reads. */
  readonly #pinned = new Set<number>();
  /** The block reserved last, which is freed if the computation fails. */
  #result = 0;

  static runs(): boolean {
    return typeof WebAssembly === "object" && WebAssembly.validate(fromBase64(SIMD));
  }

  static async open(options: EngineOptions): Promise<Engine> {
    checkEngineOptions(options);
    const { threads, relaxed = true, budget = BUDGET } = options;
    const fused = fromBase64(RELAXED);
    const fuses = relaxed && WebAssembly.validate(fused);
    return new Engine(await WebAssembly.compile(fuses ? fused : fromBase64(SIMD)), fuses, threads, budget);
  }

  private constructor(
    module: WebAssembly.Module,
    relaxed: boolean,
    threads: number | undefined,
    budget: number,
  ) {
    this.heap = new Heap(AREA_END);
    this.threads = new ThreadPool(module, this.heap, threads);
    this.relaxed = relaxed;
    this.budget = budget;
  }

  /** Runs `compute`, then frees the temporary blocks that it allocated; if it fails, also its result, by default the block reserved last. */
  withTemporaries(compute: () => void, result = this.#result): void {
    try {
      compute();
    } catch (error) {
      this.heap.free(result);
      this.#result = 0;
      throw error;
    } finally {
      for (const at of this.#temporaries) this.heap.free(at);
      this.#temporaries.length = 0;
      this.#small = AREA;
      this.#pinned.clear();
    }
  }

  /** Runs a part of a computation, then frees the temporary blocks that this part allocated. */
  withOwnTemporaries(compute: () => void): void {
    const [outer, small] = [this.#temporaries, this.#small];
    this.#temporaries = [];
    try {
      compute();
    } finally {
      for (const at of this.#temporaries) this.heap.free(at);
      this.#temporaries = outer;
      this.#small = small;
    }
  }

  /** Keeps a stored weight's block until the end of `withTemporaries`, whatever else needs room. */
  pin(address: number): void {
    this.#pinned.add(address);
  }

  isPinned(address: number): boolean {
    return this.#pinned.has(address);
  }

  /** Allocates a block until the end of `withTemporaries`. */
  temporary(bytes: number): number {
    const small = this.#small;
    if (bytes <= SMALL && small + bytes <= AREA_END) {
      this.#small = small + Math.ceil(bytes / LINE) * LINE;
      return small;
    }
    const at = this.heap.allocate(bytes);
    this.#temporaries.push(at);
    return at;
  }

  /** Copies a list of integers to a temporary block. */
  list(values: ArrayLike<number>): number {
    const at = this.temporary(4 * values.length);
    this.heap.ints(at, values.length).set(values);
    return at;
  }

  /** A row-major array for a result. Its contents are undefined. */
  result(shape: Shape): View {
    const n = sizeOf(shape);
    if (n === 0) return view(new Float32Array(0), shape);
    return view(this.heap.floats(this.reserve(4 * n), n), shape);
  }

  /** Allocates a block that is kept unless the next `withTemporaries` fails. */
  reserve(bytes: number): number {
    this.#result = this.heap.allocate(bytes);
    return this.#result;
  }

  /** The view's address if it is in the heap; otherwise the range of numbers that it spans is copied to a temporary block. */
  operand({ data, shape, stride, offset }: View): HeapArray {
    if (this.heap.owns(data.buffer)) return { address: data.byteOffset + 4 * offset, shape, stride };
    const { low, high } = span({ shape, stride });
    const at = this.temporary(4 * (high - low));
    this.heap.floats(at, high - low).set(data.subarray(offset + low, offset + high));
    return { address: at - 4 * low, shape, stride };
  }

  /** Copies the range of bytes that a mask spans to a temporary block. */
  maskOperand({ data, shape, stride, offset }: Mask): HeapArray {
    const { low, high } = span({ shape, stride });
    const at = this.temporary(high - low);
    this.heap.bytes(at, high - low).set(data.subarray(offset + low, offset + high));
    return { address: at - low, shape, stride };
  }
}

/** The range of offsets of a strided array, relative to its first element; `high` is exclusive. */
function span({ shape, stride }: Pick<Strided<unknown>, "shape" | "stride">): { low: number; high: number } {
  if (sizeOf(shape) === 0) return { low: 0, high: 0 };
  const ends = shape.map((n, axis) => (n - 1) * (stride[axis] ?? 0));
  const sum = (terms: number[]) => terms.reduce((x, y) => x + y, 0);
  return { low: sum(ends.filter((end) => end < 0)), high: sum(ends.filter((end) => end > 0)) + 1 };
}

/** Operands of one shape as rows of n elements. Axes are joined as far as the strides of every operand allow. */
export interface Rows {
  readonly n: number;
  readonly count: number;
  /** For each operand, the offset of every row and the stride within a row. */
  readonly operands: readonly { readonly offsets: Int32Array; readonly stride: number }[];
}

/** `keepLastAxis`: the last axis is not joined with others, because the op computes row by row. */
export function rowsOf(
  shape: Shape,
  strides: readonly (readonly number[])[],
  { keepLastAxis = false }: { keepLastAxis?: boolean } = {},
): Rows {
  const groups: { n: number; strides: number[] }[] = [];
  shape.forEach((n, axis) => {
    const isLast = keepLastAxis && axis === shape.length - 1;
    if (n === 1 && !isLast) return;
    const axisStrides = strides.map((stride) => stride[axis] ?? 0);
    const previous = groups.at(-1);
    const joins = !isLast && previous?.strides.every((stride, i) => stride === (axisStrides[i] ?? 0) * n);
    if (previous && joins) groups[groups.length - 1] = { n: previous.n * n, strides: axisStrides };
    else groups.push({ n, strides: axisStrides });
  });
  const inner = groups.pop() ?? { n: 1, strides: strides.map(() => 1) };
  const outer = groups.map(({ n }) => n);
  return {
    n: inner.n,
    count: sizeOf(outer),
    operands: strides.map((_, i) => ({
      offsets: offsets(
        outer,
        groups.map(({ strides }) => strides[i] ?? 0),
      ),
      stride: inner.strides[i] ?? 0,
    })),
  };
}
