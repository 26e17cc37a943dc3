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
  const source: usize = argument(0), starts: usize = argument(1);
  const outer: usize = argument(2), inner: usize = argument(4);
  const rows = <i32>argument(3), step = <i32>argument(5), depth = <i32>argument(6), width = <i32>argument(7);
  const perTask = <i32>argument(9);
  const panels = (rows + width - 1) / width;
  const tasks = (panels + perTask - 1) / perTask;
  const z = task / tasks;
  const first = (task % tasks) * perTask;
  const last = min(first + perTask, panels);
  const from = source + (<isize>load<i32>(starts + (<usize>z << 2)) << 2);
  const to: usize = argument(8) + (<usize>z * panels * width * depth << 2);
  for (let k = 0; k < depth; k += DEPTH) {
    const n = min(DEPTH, depth - k);
    for (let panel = first; panel < last; panel++) {
      const at = to + ((<usize>k * panels + <usize>panel * n) * width << 2);
      const list = outer + (<usize>panel * width << 2);
      const full = panel * width + width <= rows;
      if (full && adjacent(list, width)) side(from + (<isize>load<i32>(list) << 2), inner, step, k, n, width, at);
      else if (step == 1) along(from, list, rows - panel * width, k, n, width, at);
      else scattered(from, list, rows - panel * width, inner, step, k, n, width, at);
    }
  }
}

function offset(inner: usize, step: i32, p: i32): usize {
  return <isize>(step != i32.MIN_VALUE ? p * step : load<i32>(inner + (<usize>p << 2))) << 2;
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
    const at = from + offset(inner, step, p);
    if (width == 1) store<f32>(to, load<f32>(at));
    else v128.store(to, v128.load(at));
    if (width == 8) v128.store(to, v128.load(at, 16), 16);
    else if (width == 6) v128.store64_lane(to, v128.load64_zero(at, 16), 0, 16);
    to += <usize>width << 2;
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

/** Packs rows of any strides. */
function scattered(from: usize, list: usize, left: i32, inner: usize, step: i32, k: i32, n: i32, width: i32, to: usize): void {
  for (let p = 0; p < n; p++) {
    const at = from + offset(inner, step, k + p);
    for (let i = 0; i < width; i++) {
      store<f32>(to, i < left ? load<f32>(at + (<isize>load<i32>(list + (<usize>i << 2)) << 2)) : 0);
      to += 4;
    }
  }
}
