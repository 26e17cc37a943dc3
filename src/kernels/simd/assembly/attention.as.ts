// AssemblyScript. softmax(q kᵀ) v for several rows of queries, one block of keys at a time, with a running maximum and sum, so that
// memory does not grow with queries × keys (Dao et al., arXiv 2205.14135, §3.1; the running sum is Milakov and Gimelshein's, 1805.02867).
//
// The mask alone determines which keys take part, never the scores. Keys of a block after the last one to which any row may attend are
// skipped if the block's values are finite; otherwise 0 · v is NaN, as in the definition.
//
// Weights are divided by their sum at the end. Where values are so large that the sum of s of them could overflow, although their mean
// does not, weights are also multiplied by a power of two below 1 / s.
import { argument, number } from "./control.as.ts";
import { four, lanes } from "./elementwise.as.ts";
import { decay4 } from "./functions.as.ts";
import { along, DEPTH } from "./pack.as.ts";
import { highest } from "./rows.as.ts";
import { TILE, tile, WIDTH } from "./tile.as.ts";

/** Keys of a block; a divisor of DEPTH. */
export const KEYS: i32 = 128;
/** Queries of a task; a multiple of both tile sizes. */
export const QUERIES: i32 = 24;

/** The kind of a row: LIVE rows have a softmax; all weights of a FIXED row are one number that follows from the masks. */
export const LIVE: i32 = 0, FIXED: i32 = 1;

/** The flags of a block of keys: its values are finite; the sum of s values as large as its largest may not be. */
const FINITE: i32 = 1, LARGE: i32 = 2;

/** Finds the flags of all blocks. A task is a matrix. Arguments: 0 packed values, 1 s, 2 e, 3 flags */
export function markFinite(task: i32): void {
  const s = <i32>argument(1), wide = (<i32>argument(2) + WIDTH - 1) / WIDTH * WIDTH;
  const values: usize = argument(0) + (<usize>task * s * wide << 2);
  const blocks = (s + KEYS - 1) / KEYS;
  for (let block = 0; block < blocks; block++) {
    const n = min(KEYS, s - block * KEYS);
    let bits = i32x4.splat(0); // of the largest magnitude: magnitudes are ordered as their bits, infinity and NaN above all
    for (let j = 0; j < wide; j += WIDTH) {
      const at = valuesAt(values, s, wide, block * KEYS, j);
      for (let i: usize = 0; i < <usize>n << 5; i += 16) bits = i32x4.max_s(bits, f32x4.abs(v128.load(at + i)));
    }
    const infinite = v128.any_true(i32x4.ge_s(bits, i32x4.splat(0x7f800000)));
    const large = infinite || highest(bits) > f32.MAX_VALUE * share(s);
    store<i32>(argument(3) + (<usize>(task * blocks + block) << 2), (infinite ? 0 : FINITE) | (large ? LARGE : 0));
  }
}

/** A power of two that is at most 1 / 2s. */
export function share(s: i32): f32 {
  return reinterpret<f32>((94 + clz(s)) << 23);
}

/** The address of key k, columns j … j + 7, among packed values. */
export function valuesAt(values: usize, s: i32, wide: i32, k: i32, j: i32): usize {
  const from = k / DEPTH * DEPTH;
  const n = min(DEPTH, s - from);
  return values + ((<usize>from * wide + <usize>j * n + <usize>(k - from) * WIDTH) << 2);
}

// Arguments: 0 q, 1 k, 2 v (packed), 3 out, 4 l, 5 s, 6 d, 7 e, 8 the index of the k and v of each z, 9 mask or 0, 10 its starts, 11 bytes
// between its rows, 12 post-softmax mask or 0, 13 its starts, 14 bytes between its rows, 15 weight of an empty row, 16 flags,
// 17 bias or 0, 18 its starts, 19 floats between its rows, 20 floats between its columns
export function attend(task: i32, scratch: usize): void {
  const l = <i32>argument(4), s = <i32>argument(5), d = <i32>argument(6), e = <i32>argument(7);
  const tasks = (l + QUERIES - 1) / QUERIES;
  const z = task / tasks, top = (task % tasks) * QUERIES, rows = min(QUERIES, l - top);
  const wide = (e + WIDTH - 1) / WIDTH * WIDTH;
  const index = load<i32>(argument(8) + (<usize>z << 2));
  const q: usize = argument(0) + (<usize>z * ((l + TILE - 1) / TILE * TILE) * d << 2);
  const k: usize = argument(1) + (<usize>index * ((s + WIDTH - 1) / WIDTH * WIDTH) * d << 2);
  const v: usize = argument(2) + (<usize>index * s * wide << 2);
  const flags: usize = argument(16) + (<usize>index * ((s + KEYS - 1) / KEYS) << 2);
  const mask = maskAt(9, z, top), postMask = maskAt(12, z, top), bias = biasAt(17, z, top);

  const state = scratch, scores = state + (QUERIES << 4), panels = scores + (QUERIES * KEYS << 2);
  const list = panels + (QUERIES * KEYS << 2), out = list + (QUERIES << 2);
  memory.fill(out, 0, <usize>QUERIES * wide << 2);
  for (let i = 0; i < QUERIES; i++) store<i32>(list + (<usize>i << 2), i * KEYS);
  let fixed = false;
  for (let i = 0; i < rows; i++) fixed = begin(state + (<usize>i << 4), mask, postMask, i, s) || fixed;

  let factor: f32 = 1;
  for (let block = 0; block < (s + KEYS - 1) / KEYS; block++)
    if (load<i32>(flags + (<usize>block << 2)) & LARGE) factor = share(s);

  for (let from = 0; from < s; from += KEYS) {
    const finite = load<i32>(flags + (<usize>(from / KEYS) << 2)) & FINITE;
    let n = min(KEYS, s - from);
    if (mask && finite && !fixed) n = lastAllowed(mask, rows, from, n);
    if (n == 0) continue;
    for (let j = 0; j < n; j += WIDTH)
      for (let i = 0; i < rows; i += TILE) score(q, k, top + i, from + j, l, s, d, scores + (<usize>(i * KEYS + j) << 2), KEYS);
    for (let i = 0; i < rows; i++) {
      const row = scores + (<usize>i * KEYS << 2);
      if (bias) addBias(row, bias, 17, i, from, n);
      const by = weigh(state + (<usize>i << 4), row, mask, postMask, i, from, n);
      if (by != 1) scale(out + (<usize>i * wide << 2), wide, by);
      if (factor != 1 && load<i32>(state + (<usize>i << 4), 8) == LIVE) scale(row, n, factor);
    }
    for (let i = 0; i < rows; i += TILE) {
      const panel = panels + (<usize>i * KEYS << 2);
      along(scores, list + (<usize>i << 2), rows - i, 0, n, TILE, panel);
      for (let j = 0; j < wide; j += WIDTH)
        tile(panel, valuesAt(v, s, wide, from, j), n, out + (<usize>(i * wide + j) << 2), <usize>wide << 2, true);
    }
  }
  for (let i = 0; i < rows; i++) finish(state + (<usize>i << 4), factor, out + (<usize>i * wide << 2), argument(3) + (<usize>(z * l + top + i) * e << 2), wide, e);
}

export function maskAt(i: usize, z: i32, row: i32): usize {
  const base: usize = argument(i);
  return base ? base + <isize>load<i32>(argument(i + 1) + (<usize>z << 2)) + <isize>row * <i32>argument(i + 2) : 0;
}

/** The address of a row of the bias whose arguments begin at i; 0 if there is none. */
export function biasAt(i: usize, z: i32, row: i32): usize {
  const base: usize = argument(i);
  return base ? base + (<isize>(load<i32>(argument(i + 1) + (<usize>z << 2)) + row * <i32>argument(i + 2)) << 2) : 0;
}

/** Adds the bias to n scores, from the key `from` on, of the row `row` after the one at `bias`. */
export function addBias(x: usize, bias: usize, i: usize, row: i32, from: i32, n: i32): void {
  const step = <i32>argument(i + 3);
  const y = bias + (<isize>(row * <i32>argument(i + 2) + from * step) << 2);
  for (let j = 0; j < n; j += 4) {
    const at = x + (<usize>j << 2);
    v128.store(at, f32x4.add(v128.load(at), four(y, step, j, n)));
  }
}

/** Computes a tile of scores, queries from i on and keys from j on, into rows of `line` floats. */
export function score(q: usize, k: usize, i: i32, j: i32, l: i32, s: i32, d: i32, to: usize, line: i32): void {
  const high = (l + TILE - 1) / TILE * TILE, wide = (s + WIDTH - 1) / WIDTH * WIDTH;
  if (d == 0) for (let r = 0; r < TILE; r++) memory.fill(to + (<usize>(r * line) << 2), 0, WIDTH << 2);
  for (let p = 0; p < d; p += DEPTH) {
    const n = min(DEPTH, d - p);
    const a = q + ((<usize>p * high + <usize>i * n) << 2), b = k + ((<usize>p * wide + <usize>j * n) << 2);
    tile(a, b, n, to, <usize>line << 2, p > 0);
  }
}

// The state of a row, by byte offset: 0 running maximum, 4 running sum, 8 LIVE or FIXED, 12 the fixed weight.

/** Determines the kind of a row from the masks. Returns true for a FIXED row with a nonzero weight. */
export function begin(state: usize, mask: usize, postMask: usize, i: i32, s: i32): bool {
  const allowed = mask ? mask + <isize>i * <i32>argument(11) : 0, kept = postMask ? postMask + <isize>i * <i32>argument(14) : 0;
  let any = mask == 0, anyKept = false;
  if (mask) for (let j = 0; j < s && !any; j++) any = load<u8>(allowed + j) != 0;
  if (postMask) for (let j = 0; j < s && !anyKept; j++) anyKept = load<u8>(kept + j) != 0 && (!mask || !any || load<u8>(allowed + j) != 0);
  const weight: f32 = postMask && !anyKept ? 0 : number(15);
  store<f32>(state, -Infinity);
  store<f32>(state, 0, 4);
  store<i32>(state, any && (!postMask || anyKept) ? LIVE : FIXED, 8);
  store<f32>(state, weight, 12);
  return load<i32>(state, 8) == FIXED && weight != 0;
}

/** One more than the last of n keys to which any row may attend; 0 if there is none. */
function lastAllowed(mask: usize, rows: i32, from: i32, n: i32): i32 {
  const step = <i32>argument(11);
  let last = 0;
  for (let i = 0; i < rows && last < n; i++) {
    const row = mask + <isize>i * step + from;
    for (let j = n; j > last; j--)
      if (load<u8>(row + j - 1)) last = j;
    if (step == 0) return last;
  }
  return last;
}

/** Whether a row may attend to all of n keys. */
function allAllowed(row: usize, n: i32): bool {
  let j = 0;
  for (; j + 16 <= n; j += 16) if (!i8x16.all_true(v128.load(row + j))) return false;
  for (; j < n; j++) if (!load<u8>(row + j)) return false;
  return true;
}

/** Replaces scores of a row by weights relative to the running maximum. Returns the factor by which earlier sums have to be scaled. */
export function weigh(state: usize, x: usize, mask: usize, postMask: usize, i: i32, from: i32, n: i32): f32 {
  let allowed = mask ? mask + <isize>i * <i32>argument(11) + from : 0;
  const kept = postMask ? postMask + <isize>i * <i32>argument(14) + from : 0;
  if (allowed && allAllowed(allowed, n)) allowed = 0;
  for (let j = n; j & 3; j++) store<f32>(x + (<usize>j << 2), -Infinity);
  if (load<i32>(state, 8) == FIXED) {
    const weight = v128.load32_splat(state, 12);
    for (let j = 0; j < n; j += 4) v128.store(x + (<usize>j << 2), kept ? v128.and(weight, lanes(kept, 1, j, n)) : weight);
    return 1;
  }
  let tops = f32x4.splat(-Infinity);
  for (let j = 0; j < n; j += 4) {
    const at = x + (<usize>j << 2);
    let y = v128.load(at);
    if (allowed) {
      y = v128.bitselect(y, f32x4.splat(-Infinity), lanes(allowed, 1, j, n));
      v128.store(at, y);
    }
    tops = f32x4.max(tops, y);
  }
  const before = load<f32>(state);
  const top = max<f32>(before, highest(tops));
  store<f32>(state, top);
  if (top == -Infinity) {
    memory.fill(x, 0, <usize>n << 2);
    return 1;
  }
  const shift = f32x4.splat(top);
  let sums = f32x4.splat(0);
  for (let j = 0; j < n; j += 4) {
    const at = x + (<usize>j << 2);
    let weight = decay4(f32x4.sub(v128.load(at), shift));
    if (allowed) weight = v128.and(weight, lanes(allowed, 1, j, n));
    sums = f32x4.add(sums, weight);
    v128.store(at, kept ? v128.and(weight, lanes(kept, 1, j, n)) : weight);
  }
  const by = before == top ? <f32>1 : f32x4.extract_lane(decay4(f32x4.splat(before - top)), 0);
  const pairs = f32x4.add(sums, i32x4.shuffle(sums, sums, 2, 3, 0, 1));
  const sum = f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
  store<f32>(state, load<f32>(state, 4) * by + sum, 4);
  return by;
}

export function scale(x: usize, n: i32, by: f32): void {
  for (let j = 0; j < n; j += 4) {
    const at = x + (<usize>j << 2);
    v128.store(at, f32x4.mul(v128.load(at), f32x4.splat(by)));
  }
}

/** Divides by the sum, of which `factor` is taken. A row whose scores are all −∞ has the sum 0 and becomes NaN, as in the definition. */
export function finish(state: usize, factor: f32, from: usize, to: usize, wide: i32, e: i32): void {
  if (load<i32>(state, 8) == LIVE) scale(from, wide, <f32>1 / (load<f32>(state, 4) * factor));
  memory.copy(to, from, <usize>e << 2);
}
