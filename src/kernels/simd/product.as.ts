// AssemblyScript. The matrix product: panels are packed from wherever the operands lie, then multiplied tile by tile.
//
// Packed layout of [outer, depth] with panels of `width`: for each block of DEPTH along depth, for each panel, [depth][width].
// Short panels end in zeros.
import { argument } from "./control.as.ts";
import { fma, TILE, tile, WIDTH } from "./tile.as.ts";

/** How much of the inner axis is multiplied at once: a panel of B of this depth stays in the first cache. */
export const DEPTH: i32 = 512;

/** Element (z, i, p) stands at source + 4 (starts[z] + outer[i] + p · innerStep), or inner[p] where there is no one step. */
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

/** Do the rows of a panel lie side by side? */
function adjacent(list: usize, width: i32): bool {
  for (let i = 1; i < width; i++)
    if (load<i32>(list + (<usize>i << 2)) - load<i32>(list) != i) return false;
  return true;
}

function side(from: usize, inner: usize, step: i32, k: i32, n: i32, width: i32, to: usize): void {
  for (let p = k; p < k + n; p++) {
    const at = from + offset(inner, step, p);
    v128.store(to, v128.load(at));
    if (width == 8) v128.store(to, v128.load(at, 16), 16);
    else if (width == 6) v128.store64_lane(to, v128.load64_zero(at, 16), 0, 16);
    to += <usize>width << 2;
  }
}

/** Rows that run along the inner axis: four by four are read and transposed. */
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
  for (; i < width; i++) {
    const at = i < left ? from + (<isize>(load<i32>(list + (<usize>i << 2)) + k) << 2) : 0;
    for (let p = 0; p < n; p++)
      store<f32>(to + (<usize>(p * width + i) << 2), at ? load<f32>(at + (<usize>p << 2)) : 0);
  }
}

function scattered(from: usize, list: usize, left: i32, inner: usize, step: i32, k: i32, n: i32, width: i32, to: usize): void {
  for (let p = 0; p < n; p++) {
    const at = from + offset(inner, step, k + p);
    for (let i = 0; i < width; i++) {
      store<f32>(to, i < left ? load<f32>(at + (<isize>load<i32>(list + (<usize>i << 2)) << 2)) : 0);
      to += 4;
    }
  }
}

/** C[z] = A[z] B[z]: one block of rows and columns of one matrix. */
export function multiply(task: i32, scratch: usize): void {
  const m = <i32>argument(3), n = <i32>argument(4), depth = <i32>argument(5);
  const high = <i32>argument(6), wide = <i32>argument(7);
  const down = (m + high - 1) / high, across = (n + wide - 1) / wide;
  const z = task / (down * across);
  const top = ((task / across) % down) * high, left = (task % across) * wide;
  const panelsA = (m + TILE - 1) / TILE, panelsB = (n + WIDTH - 1) / WIDTH;
  const a: usize = argument(0) + (<usize>z * argument(8) << 2), b: usize = argument(1) + (<usize>z * argument(9) << 2);
  const c: usize = argument(2) + (<usize>z * m * n << 2);
  const bottom = min(top + high, m), right = min(left + wide, n);
  for (let k = 0; k < depth; k += DEPTH) {
    const d = min(DEPTH, depth - k);
    const blockA = a + (<usize>k * panelsA * TILE << 2), blockB = b + (<usize>k * panelsB * WIDTH << 2);
    for (let j = left; j < right; j += WIDTH) {
      const panel = blockB + (<usize>j * d << 2);
      for (let i = top; i < bottom; i += TILE) {
        const at = c + ((<usize>i * n + j) << 2);
        if (i + TILE <= m && j + WIDTH <= n) tile(blockA + (<usize>i * d << 2), panel, d, at, <usize>n << 2, k > 0);
        else {
          tile(blockA + (<usize>i * d << 2), panel, d, scratch, <usize>WIDTH << 2, false);
          edge(scratch, at, min(TILE, m - i), min(WIDTH, n - j), n, k > 0);
        }
      }
    }
  }
}

function edge(from: usize, to: usize, rows: i32, columns: i32, n: i32, add: bool): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = to + (<usize>(i * n + j) << 2);
      const x = load<f32>(from + (<usize>(i * WIDTH + j) << 2));
      store<f32>(at, add ? load<f32>(at) + x : x);
    }
}

/** One row times packed panels: what decoding does, at the speed at which the panels can be read. */
export function rowTimesPanels(task: i32): void {
  const a: usize = argument(0), b: usize = argument(1);
  const n = <i32>argument(4), depth = <i32>argument(5), wide = <i32>argument(7);
  const panels = (n + WIDTH - 1) / WIDTH;
  const right = min((task + 1) * wide, n);
  for (let j = task * wide; j < right; j += WIDTH) {
    let low = f32x4.splat(0), high = f32x4.splat(0), low2 = f32x4.splat(0), high2 = f32x4.splat(0);
    for (let k = 0; k < depth; k += DEPTH) {
      const d = min(DEPTH, depth - k);
      let at = b + ((<usize>k * panels * WIDTH + <usize>j * d) << 2);
      let x = a + (<usize>k << 2);
      const end = x + (<usize>d << 2);
      for (; x + 4 < end; x += 8) {
        const s = v128.load32_splat(x), t = v128.load32_splat(x, 4);
        low = fma(s, v128.load(at), low);
        high = fma(s, v128.load(at, 16), high);
        low2 = fma(t, v128.load(at, 32), low2);
        high2 = fma(t, v128.load(at, 48), high2);
        at += 64;
      }
      if (x < end) {
        const s = v128.load32_splat(x);
        low = fma(s, v128.load(at), low);
        high = fma(s, v128.load(at, 16), high);
      }
    }
    low = f32x4.add(low, low2);
    high = f32x4.add(high, high2);
    const c: usize = argument(2) + (<usize>j << 2);
    if (j + WIDTH <= n) {
      v128.store(c, low);
      v128.store(c, high, 16);
    } else for (let i = 0; i < n - j; i++) store<f32>(c + (<usize>i << 2), lane(low, high, i));
  }
}

function lane(low: v128, high: v128, i: i32): f32 {
  const half = i < 4 ? low : high;
  const at = i & 3;
  if (at == 0) return f32x4.extract_lane(half, 0);
  if (at == 1) return f32x4.extract_lane(half, 1);
  return at == 2 ? f32x4.extract_lane(half, 2) : f32x4.extract_lane(half, 3);
}
