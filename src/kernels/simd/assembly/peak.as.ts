// AssemblyScript. The limits of a machine: the peak rate of one thread, with multiply-adds in registers and without a memory access, and
// the rate at which memory is read.
//
// Each step of a vector depends on the previous one, so there are as many vectors as V8 holds in the sixteen registers beside x, y and
// those that it uses itself; with one more, each step would wait for memory.
import { argument } from "./control.as.ts";
import { fma } from "./tile.as.ts";

/** Floating-point operations of one iteration: twelve vectors of four floats, two steps, a product and a sum in each. */
export function peakOperations(): i32 {
  return 12 * 4 * 2 * 2;
}

/**
 * Replaces each of the vectors 1, 2, …, 12 by x · factor + summand, 2 · loops times, and returns the sum of their first elements.
 * `factor` and `summand` are arguments because constants would be loaded from memory in every step.
 */
export function peak(loops: i32, factor: f32, summand: f32): f32 {
  const x = f32x4.splat(factor), y = f32x4.splat(summand);
  let a = f32x4.splat(1), b = f32x4.splat(2), c = f32x4.splat(3), d = f32x4.splat(4), e = f32x4.splat(5);
  let f = f32x4.splat(6), g = f32x4.splat(7), h = f32x4.splat(8), i = f32x4.splat(9), j = f32x4.splat(10);
  let k = f32x4.splat(11), l = f32x4.splat(12);
  for (let n = 0; n < loops; n++) {
    a = fma(a, x, y); b = fma(b, x, y); c = fma(c, x, y); d = fma(d, x, y); e = fma(e, x, y);
    f = fma(f, x, y); g = fma(g, x, y); h = fma(h, x, y); i = fma(i, x, y);
    j = fma(j, x, y); k = fma(k, x, y); l = fma(l, x, y);
    a = fma(a, x, y); b = fma(b, x, y); c = fma(c, x, y); d = fma(d, x, y); e = fma(e, x, y);
    f = fma(f, x, y); g = fma(g, x, y); h = fma(h, x, y); i = fma(i, x, y);
    j = fma(j, x, y); k = fma(k, x, y); l = fma(l, x, y);
  }
  a = f32x4.add(a, b); a = f32x4.add(a, c); a = f32x4.add(a, d); a = f32x4.add(a, e);
  a = f32x4.add(a, f); a = f32x4.add(a, g); a = f32x4.add(a, h); a = f32x4.add(a, i);
  a = f32x4.add(a, j); a = f32x4.add(a, k); a = f32x4.add(a, l);
  return f32x4.extract_lane(a, 0);
}

/** Reads a part of the memory once. Arguments: 0 the first address, 1 the bytes of a task, a multiple of 64, 2 a sum for each task. */
export function sweep(task: i32): void {
  let at: usize = argument(0) + <usize>task * argument(1);
  const end = at + argument(1);
  let a = f32x4.splat(0), b = f32x4.splat(0), c = f32x4.splat(0), d = f32x4.splat(0);
  for (; at < end; at += 64) {
    a = f32x4.add(a, v128.load(at));
    b = f32x4.add(b, v128.load(at, 16));
    c = f32x4.add(c, v128.load(at, 32));
    d = f32x4.add(d, v128.load(at, 48));
  }
  const sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
  v128.store(argument(2) + (<usize>task << 4), sum);
}
