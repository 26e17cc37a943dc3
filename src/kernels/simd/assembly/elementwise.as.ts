// AssemblyScript. Elementwise ops over strided rows.
//
// An operand is a list of rows: row i begins at base + 4 offsets[i], and its elements have a constant step, which is 0 for a repeated
// element. The result is contiguous. A task is several rows, or a part of a long one.
import { argument, number } from "./control.as.ts";
import { cos4, exp4, gelu4, geluGrad4, log4, positive4, sigmoid4, sin4, tanh4 } from "./functions.as.ts";

/** Elements j … j + 3 of a row of n elements. Positions after its end repeat the last element. */
export function four(row: usize, step: i32, j: i32, n: i32): v128 {
  if (step == 1) return v128.load(row + (<usize>j << 2));
  if (step == 0) return v128.load32_splat(row);
  const last = n - 1;
  return f32x4(
    load<f32>(row + (<isize>j * step << 2)),
    load<f32>(row + (<isize>min(j + 1, last) * step << 2)),
    load<f32>(row + (<isize>min(j + 2, last) * step << 2)),
    load<f32>(row + (<isize>min(j + 3, last) * step << 2)),
  );
}

/** Stores the first min(count, 4) lanes. */
export function put(to: usize, x: v128, count: i32): void {
  if (count >= 4) return v128.store(to, x);
  store<f32>(to, f32x4.extract_lane(x, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(x, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(x, 2), 8);
}

export function rowAt(base: usize, offsets: usize, i: i32): usize {
  return base + (<isize>load<i32>(offsets + (<usize>i << 2)) << 2);
}

export function maskAt(base: usize, offsets: usize, i: i32): usize {
  return base + <isize>load<i32>(offsets + (<usize>i << 2));
}

/** Four bytes of a mask as lanes: all ones for a nonzero byte, otherwise all zeros. */
export function lanes(row: usize, step: i32, j: i32, n: i32): v128 {
  if (step == 1) {
    const wide = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(row + j)));
    return i32x4.ne(wide, i32x4.splat(0));
  }
  const last = n - 1;
  return i32x4.ne(
    i32x4(
      load<u8>(row + j * step),
      load<u8>(row + min(j + 1, last) * step),
      load<u8>(row + min(j + 2, last) * step),
      load<u8>(row + min(j + 3, last) * step),
    ),
    i32x4.splat(0),
  );
}

/** Ops from BINARY on have two operands; the second operand of WHERE is a mask. */
const BINARY = 14, WHERE = 20;

/** Numbers as in elementwise.ts. */
@inline
function resultOf(op: i32, x: v128, y: v128, by: v128): v128 {
  switch (op) {
    case 0: return f32x4.neg(x);
    case 1: return exp4(x);
    case 2: return f32x4.sqrt(x);
    case 3: return sigmoid4(x);
    case 4: return gelu4(x);
    case 5: return geluGrad4(x);
    case 6: return f32x4.mul(x, by);
    case 7: return f32x4.add(x, by);
    case 8: return v128.andnot(x, f32x4.lt(x, f32x4.splat(0)));
    case 9: return positive4(x);
    case 10: return tanh4(x);
    case 11: return sin4(x);
    case 12: return cos4(x);
    case 13: return log4(x);
    case 14: return f32x4.add(x, y);
    case 15: return f32x4.sub(x, y);
    case 16: return f32x4.mul(x, y);
    case 17: return f32x4.div(x, y);
    case 18: return v128.and(f32x4.eq(x, y), f32x4.splat(1));
    case 19: return f32x4.max(x, y);
    default: return v128.bitselect(x, by, y);
  }
}

/** Applies an op to four elements at a time up to the address `end`. `nextX` and `nextY` are 16, or 0 for a repeated element. */
@inline
function each(op: i32, x: usize, nextX: usize, y: usize, nextY: usize, by: v128, out: usize, end: usize): void {
  for (; out < end; out += 16, x += nextX, y += nextY) v128.store(out, resultOf(op, v128.load(x), v128.load(y), by));
}

/** Has a loop for each op, so that the op is not selected again for each element. */
function strip(op: i32, x: usize, nextX: usize, y: usize, nextY: usize, by: v128, out: usize, end: usize): void {
  switch (op) {
    case 0: return each(0, x, nextX, y, nextY, by, out, end);
    case 1: return each(1, x, nextX, y, nextY, by, out, end);
    case 2: return each(2, x, nextX, y, nextY, by, out, end);
    case 3: return each(3, x, nextX, y, nextY, by, out, end);
    case 4: return each(4, x, nextX, y, nextY, by, out, end);
    case 5: return each(5, x, nextX, y, nextY, by, out, end);
    case 6: return each(6, x, nextX, y, nextY, by, out, end);
    case 7: return each(7, x, nextX, y, nextY, by, out, end);
    case 8: return each(8, x, nextX, y, nextY, by, out, end);
    case 9: return each(9, x, nextX, y, nextY, by, out, end);
    case 10: return each(10, x, nextX, y, nextY, by, out, end);
    case 11: return each(11, x, nextX, y, nextY, by, out, end);
    case 12: return each(12, x, nextX, y, nextY, by, out, end);
    case 13: return each(13, x, nextX, y, nextY, by, out, end);
    case 14: return each(14, x, nextX, y, nextY, by, out, end);
    case 15: return each(15, x, nextX, y, nextY, by, out, end);
    case 16: return each(16, x, nextX, y, nextY, by, out, end);
    case 17: return each(17, x, nextX, y, nextY, by, out, end);
    case 18: return each(18, x, nextX, y, nextY, by, out, end);
    case 19: return each(19, x, nextX, y, nextY, by, out, end);
    default: return each(WHERE, x, nextX, y, nextY, by, out, end);
  }
}

/** The number of elements that are gathered at a time if they are not contiguous. */
const STRIP = 512, BYTES: usize = STRIP << 2;

/** The address of elements j … j + count of a row: in place if contiguous, otherwise gathered in `spare`; a repeated element four times. */
function elementsOf(row: usize, step: i32, j: i32, count: i32, n: i32, spare: usize): usize {
  if (step == 1) return row + (<usize>j << 2);
  if (step == 0) v128.store(spare, v128.load32_splat(row));
  else for (let i = 0; i < count; i += 4) v128.store(spare + (<usize>i << 2), four(row, step, j + i, n));
  return spare;
}

/** The address of the lanes of mask bytes j … j + count, in `spare`. */
function lanesOf(row: usize, step: i32, j: i32, count: i32, n: i32, spare: usize): usize {
  for (let i = 0; i < count; i += 4) v128.store(spare + (<usize>i << 2), lanes(row, step, j + i, n));
  return spare;
}

// Arguments of all kernels in this file: 0 out, 1 n, 2 rows, 3 rows of a task, 4 elements of a task; then base, offsets and step of each
// operand.

/** An op on one or two operands. Arguments: 11 its number, 12 its scalar (of mulScalar and addScalar, or the `otherwise` of where). */
export function elements(task: i32, scratch: usize): void {
  const n = <i32>argument(1), rows = <i32>argument(2), many = <i32>argument(3), chunk = <i32>argument(4);
  const stepX = <i32>argument(7), stepY = <i32>argument(10), op = <i32>argument(11), by = f32x4.splat(number(12));
  const nextX: usize = stepX ? 16 : 0, nextY: usize = stepY || op == WHERE ? 16 : 0;
  const parts = (n + chunk - 1) / chunk;
  const first = (task / parts) * many, from = (task % parts) * chunk, to = min(from + chunk, n);
  for (let i = first; i < min(first + many, rows); i++) {
    const rowX = rowAt(argument(5), argument(6), i);
    for (let j = from; j < to; j += STRIP) {
      const count = min(STRIP, to - j), bytes = <usize>count << 2;
      const x = elementsOf(rowX, stepX, j, count, n, scratch);
      let y = x;
      if (op == WHERE) y = lanesOf(maskAt(argument(8), argument(9), i), stepY, j, count, n, scratch + BYTES);
      else if (op >= BINARY) y = elementsOf(rowAt(argument(8), argument(9), i), stepY, j, count, n, scratch + BYTES);
      const out: usize = argument(0) + (<usize>(i * n + j) << 2), fours = bytes & ~15;
      strip(op, x, nextX, y, nextY, by, out, out + fours);
      if (fours == bytes) continue;
      // The memory after the last element may belong to another thread.
      const left = scratch + 2 * BYTES, skip = fours >> 4;
      strip(op, x + skip * nextX, 0, y + skip * nextY, 0, by, left, left + 16);
      put(out + fours, v128.load(left), count & 3);
    }
  }
}

/** Copies rows to a result with strided rows. Argument: 8 the offsets of the result's rows. */
export function copy(task: i32): void {
  const n = <i32>argument(1), rows = <i32>argument(2), many = <i32>argument(3), chunk = <i32>argument(4);
  const step = <i32>argument(7);
  const parts = (n + chunk - 1) / chunk;
  const first = (task / parts) * many, from = (task % parts) * chunk, to = min(from + chunk, n);
  for (let i = first; i < min(first + many, rows); i++) {
    const row = rowAt(argument(5), argument(6), i), out = rowAt(argument(0), argument(8), i);
    if (step == 1) memory.copy(out + (<usize>from << 2), row + (<usize>from << 2), <usize>(to - from) << 2);
    else for (let j = from; j < to; j += 4) put(out + (<usize>j << 2), four(row, step, j, n), to - j);
  }
}
