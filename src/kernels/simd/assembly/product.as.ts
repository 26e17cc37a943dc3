// AssemblyScript. The matrix product of packed operands, computed in tiles.
import { argument } from "./control.as.ts";
import { DEPTH } from "./pack.as.ts";
import { fma, TILE, tile, WIDTH } from "./tile.as.ts";

/**
 * C[z] = A[z] B[z]. A task computes one block of rows and columns of one matrix.
 * Arguments: 0 packed A, 1 packed B, 2 C, 3 m, 4 n, 5 depth, 6 rows of a task, 7 columns of a task, 8 floats of an A, 9 floats of a B
 */
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

/** Copies or adds the valid part of a tile at the edge of C. */
function edge(from: usize, to: usize, rows: i32, columns: i32, n: i32, add: bool): void {
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = to + (<usize>(i * n + j) << 2);
      const x = load<f32>(from + (<usize>(i * WIDTH + j) << 2));
      store<f32>(at, add ? load<f32>(at) + x : x);
    }
}

/** One row times packed panels, as in decoding, where reading the panels limits the speed. Arguments as for multiply. */
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
