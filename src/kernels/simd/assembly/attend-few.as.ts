// AssemblyScript. softmax(q kᵀ) v for few rows of queries, as in decoding: keys and values are read once, where they lie, instead of being
// packed. A task is a range of keys of one matrix, for all rows that attend to it; `combineFew` then adds up the ranges of a row (split
// keys: Dao, Haziza, Massa and Sizov, "Flash-Decoding for long-context inference", 2023).
import { addBias, begin, biasAt, FIXED, finish, KEYS, LIVE, maskAt, scale, share, weigh } from "./attention.as.ts";
import { argument } from "./control.as.ts";
import { decay4 } from "./functions.as.ts";
import { highest } from "./rows.as.ts";
import { fma } from "./tile.as.ts";

/** Keys of a task; a multiple of KEYS. */
const RANGE: i32 = 512;

/** The state of a row (see attention.as.ts), with the factor of its weights as the last float, followed by its sum of values. */
const STATE: usize = 16, FACTOR: usize = 12;

// Arguments: 0 q, 1 k, 2 v, 3 partial sums: of each row, of each range; 4 l, 5 s, 6 d, 7 e, 8 for each matrix: the offsets of its keys and
// values, the first of its z and their number; 9 to 15 the masks and 17 to 20 the bias, as for attend; 16 all z, by matrix; 21 the offset of q for each z;
// 22 and 23 the strides of q along queries and columns; 24 and 25 those of k and v along keys; 26 out
export function attendFew(task: i32, scratch: usize): void {
  const l = <i32>argument(4), s = <i32>argument(5), d = <i32>argument(6), e = <i32>argument(7);
  const ranges = (s + RANGE - 1) / RANGE, from = task % ranges * RANGE, to = min(s, from + RANGE);
  const matrix: usize = argument(8) + (<usize>(task / ranges) << 4);
  const k: usize = argument(1) + (<isize>load<i32>(matrix) << 2), v: usize = argument(2) + (<isize>load<i32>(matrix, 4) << 2);
  const z: usize = argument(16) + (<usize>load<i32>(matrix, 8) << 2), rows = load<i32>(matrix, 12) * l;
  const q = scratch, x = q + (<usize>rows * fours(d) << 2);
  for (let row = 0; row < rows; row++) copyQuery(load<i32>(z + (<usize>(row / l) << 2)), row % l, d, q + (<usize>row * fours(d) << 2));

  // A sum of values may overflow although their mean does not: weights are then multiplied by a power of two below 1 / s.
  if (!sums(z, rows, from, to, k, v, q, x, 1)) sums(z, rows, from, to, k, v, q, x, share(s));
  if (ranges > 1) return;
  for (let row = 0; row < rows; row++) {
    const at = load<i32>(z + (<usize>(row / l) << 2)) * l + row % l, state = partial(at, 0, 1, e);
    finish(state, load<f32>(state, FACTOR), state + STATE, argument(26) + (<usize>at * e << 2), <i32>fours(e), e);
  }
}

/** n rounded up to a multiple of four. */
function fours(n: i32): usize {
  return <usize>(n + 3 & ~3);
}

/** The address of the state and sum of a range of a row. */
function partial(row: i32, range: i32, ranges: i32, e: i32): usize {
  return argument(3) + <usize>(row * ranges + range) * (STATE + (fours(e) << 2));
}

/** Copies a row of q, padded with zeros. */
function copyQuery(z: i32, i: i32, d: i32, to: usize): void {
  const from: usize = argument(0) + (<isize>(load<i32>(argument(21) + (<usize>z << 2)) + i * <i32>argument(22)) << 2);
  for (let p = 0; p < d; p++) store<f32>(to + (<usize>p << 2), load<f32>(from + (<isize>(p * <i32>argument(23)) << 2)));
  for (let p = d; p & 3; p++) store<f32>(to + (<usize>p << 2), 0);
}

/**
 * Computes the states and sums of all rows over a range of keys, with weights times `factor`. Returns whether the sums are so small that
 * those of all ranges can be added.
 */
function sums(zs: usize, rows: i32, from: i32, to: i32, k: usize, v: usize, q: usize, x: usize, factor: f32): bool {
  const l = <i32>argument(4), s = <i32>argument(5), d = <i32>argument(6), e = <i32>argument(7);
  const ranges = (s + RANGE - 1) / RANGE, wide = <i32>fours(e);
  for (let key = from; key < to; key += KEYS) {
    const n = min(KEYS, to - key);
    const keys = k + (<isize>key * <i32>argument(24) << 2), values = v + (<isize>key * <i32>argument(25) << 2);
    for (let row = 0; row < rows; row++) {
      const z = load<i32>(zs + (<usize>(row / l) << 2)), i = row % l;
      const mask = maskAt(9, z, i), postMask = maskAt(12, z, i);
      const state = partial(z * l + i, from / RANGE, ranges, e), out = state + STATE;
      if (key == from) {
        begin(state, mask, postMask, 0, s);
        memory.fill(out, 0, <usize>wide << 2);
      }
      scores(q + (<usize>row * fours(d) << 2), keys, d, n, x);
      const bias = biasAt(17, z, i);
      if (bias) addBias(x, bias, 17, 0, key, n);
      const by = weigh(state, x, mask, postMask, 0, key, n);
      if (by != 1) scale(out, wide, by);
      if (factor != 1 && load<i32>(state, 8) == LIVE) scale(x, n, factor);
      addValues(x, values, n, wide, out);
    }
  }
  let small = true;
  for (let row = 0; row < rows; row++) {
    const at = load<i32>(zs + (<usize>(row / l) << 2)) * l + row % l, state = partial(at, from / RANGE, ranges, e);
    if (load<i32>(state, 8) == LIVE) store<f32>(state, factor, FACTOR);
    for (let j = 0; j < e; j++) small = Mathf.abs(load<f32>(state + STATE + (<usize>j << 2))) <= f32.MAX_VALUE * share(s) && small;
  }
  return small;
}

/** The products of a query with n rows of keys, four at a time. */
function scores(q: usize, keys: usize, d: i32, n: i32, to: usize): void {
  const step = <isize>argument(24) << 2, whole = d & ~3;
  const tail = i32x4.gt_s(i32x4.splat(d & 3), i32x4(0, 1, 2, 3));
  for (let j = 0; j < n; j += 4) {
    const last = n - 1 - j;
    const a = keys, b = keys + (last > 0 ? step : 0), c = keys + (last > 1 ? 2 * step : 0), f = keys + (last > 2 ? 3 * step : 0);
    let sa = f32x4.splat(0), sb = f32x4.splat(0), sc = f32x4.splat(0), sf = f32x4.splat(0);
    let p: usize = 0;
    for (; p < <usize>whole << 2; p += 16) {
      const y = v128.load(q + p);
      sa = fma(y, v128.load(a + p), sa);
      sb = fma(y, v128.load(b + p), sb);
      sc = fma(y, v128.load(c + p), sc);
      sf = fma(y, v128.load(f + p), sf);
    }
    if (d & 3) {
      const y = v128.load(q + p);
      sa = fma(y, v128.and(v128.load(a + p), tail), sa);
      sb = fma(y, v128.and(v128.load(b + p), tail), sb);
      sc = fma(y, v128.and(v128.load(c + p), tail), sc);
      sf = fma(y, v128.and(v128.load(f + p), tail), sf);
    }
    const ab = f32x4.add(i32x4.shuffle(sa, sb, 0, 4, 1, 5), i32x4.shuffle(sa, sb, 2, 6, 3, 7));
    const cf = f32x4.add(i32x4.shuffle(sc, sf, 0, 4, 1, 5), i32x4.shuffle(sc, sf, 2, 6, 3, 7));
    const sum = f32x4.add(i64x2.shuffle(ab, cf, 0, 2), i64x2.shuffle(ab, cf, 1, 3));
    v128.store(to + (<usize>j << 2), sum);
    keys += 4 * step;
  }
}

/** Adds n rows of values times their weights, four at a time. Columns after the last are read, and their sums are never used. */
function addValues(weights: usize, values: usize, n: i32, wide: i32, out: usize): void {
  const step = <isize>argument(25) << 2, end = out + (<usize>wide << 2);
  let j = 0;
  for (; j + 4 <= n; j += 4) {
    const w = weights + (<usize>j << 2);
    const wa = v128.load32_splat(w), wb = v128.load32_splat(w, 4), wc = v128.load32_splat(w, 8), wd = v128.load32_splat(w, 12);
    let a = values, b = a + step, c = b + step, d = c + step;
    for (let to = out; to < end; to += 16) {
      const low = fma(wb, v128.load(b), fma(wa, v128.load(a), v128.load(to)));
      const high = fma(wd, v128.load(d), f32x4.mul(wc, v128.load(c)));
      v128.store(to, f32x4.add(low, high));
      a += 16; b += 16; c += 16; d += 16;
    }
    values += 4 * step;
  }
  for (; j < n; j++) {
    const w = v128.load32_splat(weights + (<usize>j << 2));
    let a = values;
    for (let to = out; to < end; to += 16, a += 16) v128.store(to, fma(w, v128.load(a), v128.load(to)));
    values += step;
  }
}

/** Adds up the ranges of a row. A task is a row. Arguments as for attendFew. */
export function combineFew(task: i32): void {
  const s = <i32>argument(5), e = <i32>argument(7), wide = <i32>fours(e);
  const ranges = (s + RANGE - 1) / RANGE;
  const first = partial(task, 0, ranges, e), sum = first + STATE;
  const fixed = load<i32>(first, 8) == FIXED;
  let top = load<f32>(first), factor: f32 = fixed ? 1 : load<f32>(first, FACTOR);
  for (let range = 1; range < ranges; range++) {
    const state = partial(task, range, ranges, e);
    top = max<f32>(top, load<f32>(state));
    if (!fixed) factor = min<f32>(factor, load<f32>(state, FACTOR));
  }
  for (let range = 0; range < ranges; range++) {
    const state = partial(task, range, ranges, e);
    const before = load<f32>(state);
    let by: f32 = 1;
    if (!fixed && before != top) by = before == -Infinity ? 0 : f32x4.extract_lane(decay4(f32x4.splat(before - top)), 0);
    store<f32>(state, load<f32>(state, 4) * by, 4);
    if (!fixed) by *= factor / load<f32>(state, FACTOR);
    if (by != 1) scale(state + STATE, wide, by);
    if (range == 0) continue;
    store<f32>(first, load<f32>(first, 4) + load<f32>(state, 4), 4);
    for (let p: usize = 0; p < <usize>wide << 2; p += 16)
      v128.store(sum + p, f32x4.add(v128.load(sum + p), v128.load(state + STATE + p)));
  }
  finish(first, factor, sum, argument(26) + (<usize>task * e << 2), wide, e);
}
