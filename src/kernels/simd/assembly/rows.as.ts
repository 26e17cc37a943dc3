// AssemblyScript. Softmax, layer normalisation, maxima and sums, row by row. Sums are accumulated in float64.
import { argument, number } from "./control.as.ts";
import { four, lanes, maskAt, put, rowAt } from "./elementwise.as.ts";
import { exp4 } from "./functions.as.ts";

/** The largest of four lanes. */
export function highest(x: v128): f32 {
  const pairs = f32x4.max(x, i32x4.shuffle(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.max(pairs, i32x4.shuffle(pairs, pairs, 1, 0, 3, 2)), 0);
}

/** Four floats as two partial sums in float64. */
export function wide(x: v128): v128 {
  return f64x2.add(f64x2.promote_low_f32x4(x), upper(x));
}

export function total(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

function upper(x: v128): v128 {
  return f64x2.promote_low_f32x4(i64x2.shuffle(x, x, 1, 0));
}

/** Lanes with an index below `count`. */
function first(count: i32): v128 {
  return i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3));
}

// Arguments: 0 out, 1 n, 2 rows, 3 rows of a task, 5 base, 6 offsets, 7 step, 8 mask or 0, 9 its offsets, 10 its step, 11 the weight of
// an empty row
export function softmax(task: i32): void {
  const n = <i32>argument(1), many = <i32>argument(3), step = <i32>argument(7), stepMask = <i32>argument(10);
  const last = min((task + 1) * many, <i32>argument(2));
  for (let i = task * many; i < last; i++) {
    const row = rowAt(argument(5), argument(6), i);
    const mask: usize = argument(8) ? maskAt(argument(8), argument(9), i) : 0;
    const out: usize = argument(0) + (<usize>i * n << 2);
    softmaxRow(row, step, mask, stepMask, n, out, number(11));
  }
}

/** Softmax of one row. `row` and `out` may be equal. */
export function softmaxRow(row: usize, step: i32, mask: usize, stepMask: i32, n: i32, out: usize, empty: f32): void {
  let top = f32x4.splat(-Infinity), any = i32x4.splat(0);
  for (let j = 0; j < n; j += 4) {
    let counts = first(n - j);
    if (mask) counts = v128.and(counts, lanes(mask, stepMask, j, n));
    any = v128.or(any, counts);
    top = f32x4.max(top, v128.bitselect(four(row, step, j, n), f32x4.splat(-Infinity), counts));
  }
  if (!v128.any_true(any)) {
    for (let j = 0; j < n; j += 4) put(out + (<usize>j << 2), f32x4.splat(empty), n - j);
    return;
  }
  const shift = f32x4.splat(highest(top));
  let sums = f64x2.splat(0);
  for (let j = 0; j < n; j += 4) {
    let counts = first(n - j);
    if (mask) counts = v128.and(counts, lanes(mask, stepMask, j, n));
    const weight = v128.and(exp4(f32x4.sub(four(row, step, j, n), shift)), counts);
    put(out + (<usize>j << 2), weight, n - j);
    sums = f64x2.add(sums, wide(weight));
  }
  const by = f32x4.splat(<f32>(1 / total(sums)));
  for (let j = 0; j < n; j += 4) {
    let counts = first(n - j);
    if (mask) counts = v128.and(counts, lanes(mask, stepMask, j, n));
    const at = out + (<usize>j << 2);
    put(at, v128.and(f32x4.mul(v128.load(at), by), counts), n - j);
  }
}

/** Elements j … j + 3 of a row. Unlike a call of `four`, this costs no more than the load where they are contiguous. */
@inline
function fourOf(row: usize, step: i32, j: i32, n: i32): v128 {
  return step == 1 ? v128.load(row + (<usize>j << 2)) : four(row, step, j, n);
}

function meanOf(row: usize, step: i32, n: i32): f64 {
  let sums = f64x2.splat(0);
  for (let j = 0; j < n; j += 4) sums = f64x2.add(sums, wide(v128.and(fourOf(row, step, j, n), first(n - j))));
  return total(sums) / n;
}

/** Σ (x − mean)² of a row. */
function squaresOf(row: usize, step: i32, n: i32, mean: v128): f64 {
  let lows = f64x2.splat(0), highs = f64x2.splat(0);
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    const x = fourOf(row, step, j, n);
    const low = f64x2.sub(f64x2.promote_low_f32x4(x), mean), high = f64x2.sub(upper(x), mean);
    lows = f64x2.add(lows, f64x2.mul(low, low));
    highs = f64x2.add(highs, f64x2.mul(high, high));
  }
  if (j < n) {
    const x = four(row, step, j, n), counts = first(n - j);
    const low = v128.and(f64x2.sub(f64x2.promote_low_f32x4(x), mean), i64x2.extend_low_i32x4_s(counts));
    const high = v128.and(f64x2.sub(upper(x), mean), i64x2.extend_high_i32x4_s(counts));
    lows = f64x2.add(lows, f64x2.mul(low, low));
    highs = f64x2.add(highs, f64x2.mul(high, high));
  }
  return total(f64x2.add(lows, highs));
}

// Arguments: 0 out, 1 n, 2 rows, 3 rows of a task, 5 base, 6 offsets, 7 step, 8 epsilon, 9 whether the mean is subtracted
export function normalize(task: i32): void {
  const n = <i32>argument(1), many = <i32>argument(3), step = <i32>argument(7);
  const last = min((task + 1) * many, <i32>argument(2));
  for (let i = task * many; i < last; i++) {
    const row = rowAt(argument(5), argument(6), i);
    const out: usize = argument(0) + (<usize>i * n << 2);
    const mean = f64x2.splat(argument(9) ? meanOf(row, step, n) : 0);
    const by = f64x2.splat(1 / Math.sqrt(squaresOf(row, step, n, mean) / n + <f64>number(8)));
    for (let j = 0; j < n; j += 4) {
      const x = fourOf(row, step, j, n);
      const low = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(x), mean), by));
      const high = f32x4.demote_f64x2_zero(f64x2.mul(f64x2.sub(upper(x), mean), by));
      const to = out + (<usize>j << 2), y = i64x2.shuffle(low, high, 0, 2);
      if (j + 4 <= n) v128.store(to, y);
      else put(to, y, n - j);
    }
  }
}

/** The maximum of each row. Arguments: as of softmax up to 7. */
export function maxima(task: i32): void {
  const n = <i32>argument(1), many = <i32>argument(3), step = <i32>argument(7);
  const last = min((task + 1) * many, <i32>argument(2));
  for (let i = task * many; i < last; i++) {
    const row = rowAt(argument(5), argument(6), i);
    let top = f32x4.splat(-Infinity);
    for (let j = 0; j < n; j += 4)
      top = f32x4.max(top, v128.bitselect(four(row, step, j, n), f32x4.splat(-Infinity), first(n - j)));
    store<f32>(argument(0) + (<usize>i << 2), highest(top));
  }
}

/** Σ e^(x − shift) of each row. Arguments: as of softmax up to 7, 8 the shifts. */
export function sumExp(task: i32): void {
  const n = <i32>argument(1), many = <i32>argument(3), step = <i32>argument(7);
  const last = min((task + 1) * many, <i32>argument(2));
  for (let i = task * many; i < last; i++) {
    const row = rowAt(argument(5), argument(6), i);
    const shift = v128.load32_splat(argument(8) + (<usize>i << 2));
    let sums = f64x2.splat(0);
    for (let j = 0; j < n; j += 4)
      sums = f64x2.add(sums, wide(v128.and(exp4(f32x4.sub(four(row, step, j, n), shift)), first(n - j))));
    store<f32>(argument(0) + (<usize>i << 2), <f32>total(sums));
  }
}

/**
 * Adds rows into rows of a table. Arguments: 0 out, 1 n, 2 rows of the table that receive something, 3 of a task, 5 base, 6 offsets of the
 * rows in the order of their targets, 7 the targets, 8 where the rows of each target begin in that order, with one more at the end.
 */
export function scatter(task: i32): void {
  const n = <i32>argument(1), many = <i32>argument(3);
  const last = min((task + 1) * many, <i32>argument(2));
  for (let i = task * many; i < last; i++) {
    const target = load<i32>(argument(7) + (<usize>i << 2));
    const from = load<i32>(argument(8) + (<usize>i << 2)), to = load<i32>(argument(8) + (<usize>i << 2), 4);
    const out: usize = argument(0) + (<usize>target * n << 2);
    for (let j = 0; j < n; j += 4) {
      let low = f64x2.splat(0), high = f64x2.splat(0);
      for (let k = from; k < to; k++) {
        const x = v128.load(rowAt(argument(5), argument(6), k) + (<usize>j << 2));
        low = f64x2.add(low, f64x2.promote_low_f32x4(x));
        high = f64x2.add(high, upper(x));
      }
      put(out + (<usize>j << 2), i64x2.shuffle(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2), n - j);
    }
  }
}
