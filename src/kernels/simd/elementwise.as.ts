// AssemblyScript. Ops that treat every element alone, over rows that lie anywhere.
//
// Every operand is a list of rows: row i begins at its base + 4 offsets[i], and its elements follow each other at one step, which
// is 0 for a repeated element. The result is dense. A task is some rows, or a stretch of a long one.
import { argument, number } from "./control.as.ts";
import { exp4, gelu4, geluSlope4, sigmoid4 } from "./functions.as.ts";

/** Elements j … j + 3 of a row of n; beyond its end, the last one again. */
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

/** Stores the first `count` of four. */
export function put(to: usize, x: v128, count: i32): void {
  if (count >= 4) return v128.store(to, x);
  store<f32>(to, f32x4.extract_lane(x, 0));
  if (count > 1) store<f32>(to, f32x4.extract_lane(x, 1), 4);
  if (count > 2) store<f32>(to, f32x4.extract_lane(x, 2), 8);
}

export function rowAt(base: usize, offsets: usize, i: i32): usize {
  return base + (<isize>load<i32>(offsets + (<usize>i << 2)) << 2);
}

/** Four bytes of a mask as four lanes of all ones or none. */
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

function unaryOf(op: i32, x: v128, by: v128): v128 {
  switch (op) {
    case 0: return f32x4.neg(x);
    case 1: return exp4(x);
    case 2: return f32x4.sqrt(x);
    case 3: return sigmoid4(x);
    case 4: return gelu4(x);
    case 5: return geluSlope4(x);
    case 6: return f32x4.mul(x, by);
    default: return f32x4.add(x, by);
  }
}

function binaryOf(op: i32, x: v128, y: v128): v128 {
  switch (op) {
    case 0: return f32x4.add(x, y);
    case 1: return f32x4.sub(x, y);
    case 2: return f32x4.mul(x, y);
    case 3: return f32x4.div(x, y);
    default: return v128.and(f32x4.eq(x, y), f32x4.splat(1));
  }
}

// Arguments of all four: 0 out, 1 n, 2 rows, 3 rows a task, 4 elements a task, then base, offsets and step of each operand.

export function unary(task: i32): void {
  const n = <i32>argument(1), rows = <i32>argument(2), many = <i32>argument(3), chunk = <i32>argument(4);
  const base: usize = argument(5), offsets: usize = argument(6);
  const step = <i32>argument(7), op = <i32>argument(8), by = f32x4.splat(number(9));
  const parts = (n + chunk - 1) / chunk;
  const first = (task / parts) * many, from = (task % parts) * chunk, to = min(from + chunk, n);
  for (let i = first; i < min(first + many, rows); i++) {
    const row = rowAt(base, offsets, i);
    const out: usize = argument(0) + (<usize>i * n << 2);
    for (let j = from; j < to; j += 4) put(out + (<usize>j << 2), unaryOf(op, four(row, step, j, n), by), to - j);
  }
}

export function binary(task: i32): void {
  const n = <i32>argument(1), rows = <i32>argument(2), many = <i32>argument(3), chunk = <i32>argument(4);
  const stepA = <i32>argument(7), stepB = <i32>argument(10), op = <i32>argument(11);
  const parts = (n + chunk - 1) / chunk;
  const first = (task / parts) * many, from = (task % parts) * chunk, to = min(from + chunk, n);
  for (let i = first; i < min(first + many, rows); i++) {
    const a = rowAt(argument(5), argument(6), i), b = rowAt(argument(8), argument(9), i);
    const out: usize = argument(0) + (<usize>i * n << 2);
    for (let j = from; j < to; j += 4)
      put(out + (<usize>j << 2), binaryOf(op, four(a, stepA, j, n), four(b, stepB, j, n)), to - j);
  }
}

/** Rows to where a second list says. */
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

/** x where the mask is set, a constant elsewhere. */
export function select(task: i32): void {
  const n = <i32>argument(1), rows = <i32>argument(2), many = <i32>argument(3), chunk = <i32>argument(4);
  const step = <i32>argument(7), stepMask = <i32>argument(10), otherwise = f32x4.splat(number(11));
  const parts = (n + chunk - 1) / chunk;
  const first = (task / parts) * many, from = (task % parts) * chunk, to = min(from + chunk, n);
  for (let i = first; i < min(first + many, rows); i++) {
    const row = rowAt(argument(5), argument(6), i);
    const mask: usize = argument(8) + <isize>load<i32>(argument(9) + (<usize>i << 2));
    const out: usize = argument(0) + (<usize>i * n << 2);
    for (let j = from; j < to; j += 4) {
      const x = v128.bitselect(four(row, step, j, n), otherwise, lanes(mask, stepMask, j, n));
      put(out + (<usize>j << 2), x, to - j);
    }
  }
}
