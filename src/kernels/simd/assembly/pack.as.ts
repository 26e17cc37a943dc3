// AssemblyScript. Packs strided operands of a product into panels.
//
// The packed layout of [outer, depth] with panels of `width` rows: for each block of DEPTH along depth, for each panel, [depth][width].
// The last panel is padded with zeros.
import { argument } from "./control.as.ts";

/** The block size along the inner axis. A panel of B of this depth fits the first-level cache. */
export const DEPTH: i32 = 1024;

/**
 * Element (z, i, p) is at source + 4 (starts[z] + outer[i] + p · step), with inner[p] in place of p · step if the step is not constant.
 * Arguments: 0 source, 1 starts, 2 outer, 3 rows, 4 inner, 5 step, 6 depth, 7 width, 8 destination, 9 panels of a task
 */
export function pack(task: i32): void {
  panels<f32>(task);
}

/** The same for elements of 16 bits, into panels of eight. */
export function pack16(task: i32): void {
  panels<u16>(task);
}

@inline
function panels<T>(task: i32): void {
  const source: usize = argument(0), starts: usize = argument(1);
  const outer: usize = argument(2), inner: usize = argument(4);
  const rows = <i32>argument(3), step = <i32>argument(5), depth = <i32>argument(6), width = <i32>argument(7);
  const perTask = <i32>argument(9);
  const panels = (rows + width - 1) / width;
  const tasks = (panels + perTask - 1) / perTask;
  const z = task / tasks;
  const first = (task % tasks) * perTask;
  const last = min(first + perTask, panels);
  const from = source + (<isize>load<i32>(starts + (<usize>z << 2)) << alignof<T>());
  const to: usize = argument(8) + (<usize>z * panels * width * depth << alignof<T>());
  for (let k = 0; k < depth; k += DEPTH) {
    const n = min(DEPTH, depth - k);
    for (let panel = first; panel < last; panel++) {
      const at = to + ((<usize>k * panels + <usize>panel * n) * width << alignof<T>());
      const list = outer + (<usize>panel * width << 2);
      const left = rows - panel * width;
      const full = left >= width;
      if (full && adjacent(list, width)) {
        const row = from + (<isize>load<i32>(list) << alignof<T>());
        if (sizeof<T>() == 4) side(row, inner, step, k, n, width, at);
        else side16(row, inner, step, k, n, at);
      } else if (step == 1) {
        if (sizeof<T>() == 4) along(from, list, left, k, n, width, at);
        else along16(from, list, left, k, n, at);
      } else scattered<T>(from, list, left, inner, step, k, n, width, at);
    }
  }
}

/** The offset of depth p, in elements. */
function offset(inner: usize, step: i32, p: i32): isize {
  return step != i32.MIN_VALUE ? p * step : load<i32>(inner + (<usize>p << 2));
}

/** Whether the elements of a panel's rows at one depth are contiguous. */
function adjacent(list: usize, width: i32): bool {
  for (let i = 1; i < width; i++)
    if (load<i32>(list + (<usize>i << 2)) - load<i32>(list) != i) return false;
  return true;
}

/** Packs a panel whose rows are adjacent: `width` contiguous floats are copied for each depth. */
export function side(from: usize, inner: usize, step: i32, k: i32, n: i32, width: i32, to: usize): void {
  for (let p = k; p < k + n; p++) {
    const at = from + (offset(inner, step, p) << 2);
    if (width == 1) store<f32>(to, load<f32>(at));
    else v128.store(to, v128.load(at));
    if (width == 8) v128.store(to, v128.load(at, 16), 16);
    else if (width == 6) v128.store64_lane(to, v128.load64_zero(at, 16), 0, 16);
    to += <usize>width << 2;
  }
}

function side16(from: usize, inner: usize, step: i32, k: i32, n: i32, to: usize): void {
  for (let p = k; p < k + n; p++) {
    v128.store(to, v128.load(from + (offset(inner, step, p) << 1)));
    to += 16;
  }
}

/** Packs rows that are contiguous along the inner axis, by transposing squares of four by four. */
export function along(from: usize, list: usize, left: i32, k: i32, n: i32, width: i32, to: usize): void {
  const row = <usize>width << 2;
  let i = 0;
  for (; i + 4 <= min(left, width); i += 4) {
    const at = list + (<usize>i << 2);
    let a = from + (<isize>(load<i32>(at) + k) << 2), b = from + (<isize>(load<i32>(at, 4) + k) << 2);
    let c = from + (<isize>(load<i32>(at, 8) + k) << 2), d = from + (<isize>(load<i32>(at, 12) + k) << 2);
    let out = to + (<usize>i << 2);
    let p = 0;
    for (; p + 4 <= n; p += 4) {
      const x = v128.load(a), y = v128.load(b), z = v128.load(c), w = v128.load(d);
      const xy = i32x4.shuffle(x, y, 0, 4, 1, 5), zw = i32x4.shuffle(z, w, 0, 4, 1, 5);
      const XY = i32x4.shuffle(x, y, 2, 6, 3, 7), ZW = i32x4.shuffle(z, w, 2, 6, 3, 7);
      v128.store(out, i64x2.shuffle(xy, zw, 0, 2));
      v128.store(out + row, i64x2.shuffle(xy, zw, 1, 3));
      v128.store(out + 2 * row, i64x2.shuffle(XY, ZW, 0, 2));
      v128.store(out + 3 * row, i64x2.shuffle(XY, ZW, 1, 3));
      a += 16; b += 16; c += 16; d += 16;
      out += 4 * row;
    }
    for (; p < n; p++) {
      v128.store(out, f32x4(load<f32>(a), load<f32>(b), load<f32>(c), load<f32>(d)));
      a += 4; b += 4; c += 4; d += 4;
      out += row;
    }
  }
  for (; i + 2 <= min(left, width); i += 2) {
    const at = list + (<usize>i << 2);
    let a = from + (<isize>(load<i32>(at) + k) << 2), b = from + (<isize>(load<i32>(at, 4) + k) << 2);
    let out = to + (<usize>i << 2);
    let p = 0;
    for (; p + 4 <= n; p += 4) {
      const x = v128.load(a), y = v128.load(b);
      const xy = i32x4.shuffle(x, y, 0, 4, 1, 5), XY = i32x4.shuffle(x, y, 2, 6, 3, 7);
      v128.store64_lane(out, xy, 0);
      v128.store64_lane(out + row, xy, 1);
      v128.store64_lane(out + 2 * row, XY, 0);
      v128.store64_lane(out + 3 * row, XY, 1);
      a += 16; b += 16;
      out += 4 * row;
    }
    for (; p < n; p++) {
      store<f32>(out, load<f32>(a));
      store<f32>(out, load<f32>(b), 4);
      a += 4; b += 4;
      out += row;
    }
  }
  for (; i < width; i++) {
    const at = i < left ? from + (<isize>(load<i32>(list + (<usize>i << 2)) + k) << 2) : 0;
    for (let p = 0; p < n; p++)
      store<f32>(to + (<usize>(p * width + i) << 2), at ? load<f32>(at + (<usize>p << 2)) : 0);
  }
}

/** The same for elements of 16 bits, by transposing squares of eight by eight. */
function along16(from: usize, list: usize, left: i32, k: i32, n: i32, to: usize): void {
  let p = 0;
  if (left >= 8)
    for (; p + 8 <= n; p += 8) {
      transpose16(from + (<usize>(k + p) << 1), list, to);
      to += 128;
    }
  for (; p < n; p++)
    for (let i = 0; i < 8; i++) {
      store<u16>(to, i < left ? load<u16>(from + (<isize>(load<i32>(list + (<usize>i << 2)) + k + p) << 1)) : 0);
      to += 2;
    }
}

function row16(from: usize, list: usize, i: usize): v128 {
  return v128.load(from + (<isize>load<i32>(list + (i << 2)) << 1));
}

function transpose16(from: usize, list: usize, to: usize): void {
  const a = row16(from, list, 0), b = row16(from, list, 1), c = row16(from, list, 2), d = row16(from, list, 3);
  const e = row16(from, list, 4), f = row16(from, list, 5), g = row16(from, list, 6), h = row16(from, list, 7);
  half16(low16(a, b), low16(c, d), low16(e, f), low16(g, h), to);
  half16(high16(a, b), high16(c, d), high16(e, f), high16(g, h), to + 64);
}

function low16(x: v128, y: v128): v128 {
  return i16x8.shuffle(x, y, 0, 8, 1, 9, 2, 10, 3, 11);
}

function high16(x: v128, y: v128): v128 {
  return i16x8.shuffle(x, y, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** Four columns from pairs of rows whose elements alternate. */
function half16(ab: v128, cd: v128, ef: v128, gh: v128, to: usize): void {
  const x = i32x4.shuffle(ab, cd, 0, 4, 1, 5), y = i32x4.shuffle(ef, gh, 0, 4, 1, 5);
  const z = i32x4.shuffle(ab, cd, 2, 6, 3, 7), w = i32x4.shuffle(ef, gh, 2, 6, 3, 7);
  v128.store(to, i64x2.shuffle(x, y, 0, 2));
  v128.store(to, i64x2.shuffle(x, y, 1, 3), 16);
  v128.store(to, i64x2.shuffle(z, w, 0, 2), 32);
  v128.store(to, i64x2.shuffle(z, w, 1, 3), 48);
}

/** Packs rows of any strides. */
function scattered<T>(from: usize, list: usize, left: i32, inner: usize, step: i32, k: i32, n: i32, width: i32, to: usize): void {
  for (let p = 0; p < n; p++) {
    const at = from + (offset(inner, step, k + p) << alignof<T>());
    for (let i = 0; i < width; i++) {
      store<T>(to, i < left ? load<T>(at + (<isize>load<i32>(list + (<usize>i << 2)) << alignof<T>())) : <T>0);
      to += sizeof<T>();
    }
  }
}
