// The module that suits the engine, its heap and its threads; and operands, wherever they lie, as addresses in that heap.
import type { Mask } from "../../tensor/ops/table.ts";
import { offsets, type Shape, type Strided, sizeOf, type View, view } from "../../tensor/tensor.ts";
import { RELAXED, SIMD } from "./bytes.ts";
import { Heap } from "./heap.ts";
import { CONTROL_END, ThreadPool } from "./thread-pool.ts";

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

export interface EngineOptions {
  /** Threads that compute, the calling one included. As many as there are cores if not said. */
  readonly threads?: number | undefined;
  /** Fused multiply-add, where the engine has it. */
  readonly relaxed?: boolean | undefined;
}

/** A strided array in the heap: element (i…) stands at `at` + 4 Σ i · stride. */
export interface Placed {
  readonly at: number;
  readonly shape: Shape;
  readonly stride: readonly number[];
}

export class Engine {
  readonly heap: Heap;
  readonly crew: ThreadPool;
  /** Is multiply-add fused? */
  readonly relaxed: boolean;
  #borrowed: number[] = [];
  #result = 0;

  static runs(): boolean {
    return typeof WebAssembly === "object" && WebAssembly.validate(fromBase64(SIMD));
  }

  static async open({ threads, relaxed = true }: EngineOptions): Promise<Engine> {
    const fused = fromBase64(RELAXED);
    const fuses = relaxed && WebAssembly.validate(fused);
    return new Engine(await WebAssembly.compile(fuses ? fused : fromBase64(SIMD)), fuses, threads);
  }

  private constructor(module: WebAssembly.Module, relaxed: boolean, threads: number | undefined) {
    this.heap = new Heap(CONTROL_END);
    this.crew = new ThreadPool(module, this.heap, threads);
    this.relaxed = relaxed;
  }

  /** Runs `compute`, then frees all that it borrowed; if it fails, also the result that was made for it. */
  within(compute: () => void): void {
    try {
      compute();
    } catch (error) {
      this.heap.free(this.#result);
      this.#result = 0;
      throw error;
    } finally {
      for (const at of this.#borrowed) this.heap.free(at);
      this.#borrowed = [];
    }
  }

  /** Space until the end of `within`. */
  borrow(bytes: number): number {
    const at = this.heap.allocate(bytes);
    this.#borrowed.push(at);
    return at;
  }

  /** A list of whole numbers until the end of `within`. */
  list(values: ArrayLike<number>): number {
    const at = this.borrow(4 * values.length);
    this.heap.ints(at, values.length).set(values);
    return at;
  }

  /** A fresh dense array for a result. */
  result(shape: Shape): View {
    const n = sizeOf(shape);
    if (n === 0) return view(new Float32Array(0), shape);
    return view(this.heap.floats(this.reserve(4 * n), n), shape);
  }

  /** Space that stays, unless the next `within` fails. */
  reserve(bytes: number): number {
    this.#result = this.heap.allocate(bytes);
    return this.#result;
  }

  /** The view where it lies, if that is the heap; else the stretch of numbers that it shows, copied until the end of `within`. */
  place({ data, shape, stride, offset }: View): Placed {
    if (this.heap.owns(data.buffer)) return { at: data.byteOffset + 4 * offset, shape, stride };
    const { low, high } = reach({ shape, stride });
    const at = this.borrow(4 * (high - low));
    this.heap.floats(at, high - low).set(data.subarray(offset + low, offset + high));
    return { at: at - 4 * low, shape, stride };
  }

  /** The same for a mask, in bytes. */
  placeMask({ data, shape, stride, offset }: Mask): Placed {
    const { low, high } = reach({ shape, stride });
    const at = this.borrow(high - low);
    this.heap.bytes(at, high - low).set(data.subarray(offset + low, offset + high));
    return { at: at - low, shape, stride };
  }
}

/** From the lowest to one beyond the highest element of a strided array, relative to its first. */
function reach({ shape, stride }: Pick<Strided<unknown>, "shape" | "stride">): { low: number; high: number } {
  if (sizeOf(shape) === 0) return { low: 0, high: 0 };
  const ends = shape.map((n, axis) => (n - 1) * (stride[axis] ?? 0));
  const sum = (all: number[]) => all.reduce((x, y) => x + y, 0);
  return { low: sum(ends.filter((end) => end < 0)), high: sum(ends.filter((end) => end > 0)) + 1 };
}

/** Operands of one shape as rows: all axes but the last, joined as far as every operand allows. */
export interface Rows {
  readonly n: number;
  readonly count: number;
  /** For each operand, the offset of every row, and the step within a row. */
  readonly operands: readonly { readonly offsets: Int32Array; readonly step: number }[];
}

/** `whole`: the last axis stays what it is, because rows mean something. */
export function rowsOf(
  shape: Shape,
  strides: readonly (readonly number[])[],
  { whole = false }: { whole?: boolean } = {},
): Rows {
  const kept: { n: number; steps: number[] }[] = [];
  shape.forEach((n, axis) => {
    const steps = strides.map((stride) => stride[axis] ?? 0);
    const last = kept.at(-1);
    if (n === 1 && !(whole && axis === shape.length - 1)) return;
    const joins = last?.steps.every((step, i) => step === (steps[i] ?? 0) * n);
    if (last && joins && !(whole && axis === shape.length - 1))
      kept[kept.length - 1] = { n: last.n * n, steps };
    else kept.push({ n, steps });
  });
  const inner = kept.pop() ?? { n: 1, steps: strides.map(() => 1) };
  const outer = kept.map(({ n }) => n);
  return {
    n: inner.n,
    count: sizeOf(outer),
    operands: strides.map((_, i) => ({
      offsets: offsets(
        outer,
        kept.map(({ steps }) => steps[i] ?? 0),
      ),
      step: inner.steps[i] ?? 0,
    })),
  };
}
