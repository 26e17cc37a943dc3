// AssemblyScript. The matrix product of packed operands, computed in tiles. Panels of B may hold 16-bit floats, which are widened to
// float32 exactly: in registers for one row, in a thread's scratch memory for many.
import { argument } from "./control.as.ts";
import { DEPTH } from "./pack.as.ts";
import { fma, TILE, tile, WIDTH } from "./tile.as.ts";

/**
 * The dtypes of panels: the numbers that product.ts passes. Functions that differ by dtype have a type parameter, so that each is
 * compiled by itself: f32, u16 for bfloat16, i16 for float16.
 */
const FLOAT32: i32 = 0;
const BFLOAT16: i32 = 1;

/**
 * Along depth, the products of so many elements are summed by themselves before they are added to the others, so that the error of a sum
 * grows with this number and the number of parts (Higham, section 3.1) in place of the depth.
 */
const PART: i32 = 128;

/**
 * C[z] = A[z] B[z]. A task computes one block of rows and columns of one matrix.
 * Arguments: 0 packed A, 1 packed B, 2 C, 3 m, 4 n, 5 depth, 6 rows of a task, 7 columns of a task, 8 floats of an A,
 * 9 elements of a B, 10 dtype of B
 */
export function multiply(task: i32, scratch: usize): void {
  const m = <i32>argument(3), n = <i32>argument(4), depth = <i32>argument(5);
  const tall = <i32>argument(6), wide = <i32>argument(7), dtype = <i32>argument(10);
  const down = (m + tall - 1) / tall, across = (n + wide - 1) / wide;
  const z = task / (down * across);
  const top = ((task / across) % down) * tall, left = (task % across) * wide;
  const panelsA = (m + TILE - 1) / TILE, panelsB = (n + WIDTH - 1) / WIDTH;
  const a: usize = argument(0) + (<usize>z * argument(8) << 2), b = argument(1);
  const size: usize = dtype == FLOAT32 ? 2 : 1, strip = scratch + (TILE * WIDTH << 2);
  const c: usize = argument(2) + (<usize>z * m * n << 2);
  const bottom = min(top + tall, m), right = min(left + wide, n);
  for (let k = 0; k < depth; k += DEPTH) {
    const d = min(DEPTH, depth - k);
    const blockA = a + (<usize>k * panelsA * TILE << 2), blockB = <usize>z * argument(9) + <usize>k * panelsB * WIDTH;
    for (let j = left; j < right; j += WIDTH) {
      let panel = b + ((blockB + <usize>j * d) << size);
      if (dtype != FLOAT32) {
        if (dtype == BFLOAT16) widen<u16>(panel, d, strip);
        else widen<i16>(panel, d, strip);
        panel = strip;
      }
      for (let i = top; i < bottom; i += TILE) {
        const at = c + ((<usize>i * n + j) << 2);
        const whole = i + TILE <= m && j + WIDTH <= n, to = whole ? at : scratch;
        const step: usize = <usize>(whole ? n : WIDTH) << 2;
        for (let p = 0; p < d; p += PART)
          tile(blockA + (<usize>(i * d + p * TILE) << 2), panel + (<usize>(p * WIDTH) << 2), min(PART, d - p), to, step, p > 0 || (whole && k > 0));
        if (!whole) edge(scratch, at, min(TILE, m - i), min(WIDTH, n - j), n, k > 0);
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

/**
 * One row times packed panels, as in decoding, where reading the panels limits the speed: they are read in the order in which they lie
 * in memory. Arguments as for multiply.
 */
export function rowTimesPanels(task: i32): void {
  const n = <i32>argument(4), depth = <i32>argument(5), wide = <i32>argument(7), dtype = <i32>argument(10);
  const left = task * wide, right = min(left + wide, n);
  for (let k = 0; k < depth; k += DEPTH)
    for (let j = left; j < right; j += WIDTH) {
      if (dtype == FLOAT32) rowTimesPanel<f32>(j, k);
      else if (dtype == BFLOAT16) rowTimesPanel<u16>(j, k);
      else rowTimesPanel<i16>(j, k);
    }
}

/**
 * The products of at most DEPTH elements of the row, from element k on, with the panel of column j, added to C. The sums are those of the
 * columns 0 to 3 and 4 to 7 of float32; with 16 bits, of the even and the odd columns, which are ordered at the end.
 */
function rowTimesPanel<T>(j: i32, k: i32): void {
  const n = <i32>argument(4), depth = <i32>argument(5);
  const panels = (n + WIDTH - 1) / WIDTH, d = min(DEPTH, depth - k);
  const step: usize = 8 * sizeof<T>();
  let at: usize = argument(1) + (<usize>k * panels * WIDTH + <usize>j * d) * sizeof<T>();
  let x: usize = argument(0) + (<usize>k << 2);
  let sum0 = f32x4.splat(0), sum1 = f32x4.splat(0);
  const last = x + (<usize>d << 2);
  while (x < last) {
    const end = min(last, x + (PART << 2));
    let c0 = f32x4.splat(0), c1 = f32x4.splat(0), d0 = f32x4.splat(0), d1 = f32x4.splat(0);
    for (; x + 4 < end; x += 8) {
      const s = v128.load32_splat(x), t = v128.load32_splat(x, 4);
      const p = v128.load(at), q = v128.load(at + step);
      c0 = fma(s, first<T>(p), c0);
      c1 = fma(s, second<T>(p, at), c1);
      d0 = fma(t, first<T>(q), d0);
      d1 = fma(t, second<T>(q, at + step), d1);
      at += 2 * step;
    }
    if (x < end) {
      const s = v128.load32_splat(x), p = v128.load(at);
      c0 = fma(s, first<T>(p), c0);
      c1 = fma(s, second<T>(p, at), c1);
      x += 4;
    }
    sum0 = f32x4.add(sum0, f32x4.add(c0, d0));
    sum1 = f32x4.add(sum1, f32x4.add(c1, d1));
  }
  const low = sizeof<T>() == 4 ? sum0 : i32x4.shuffle(sum0, sum1, 0, 4, 1, 5);
  const high = sizeof<T>() == 4 ? sum1 : i32x4.shuffle(sum0, sum1, 2, 6, 3, 7);
  const c: usize = argument(2) + (<usize>j << 2);
  if (j + WIDTH <= n) {
    v128.store(c, k > 0 ? f32x4.add(low, v128.load(c)) : low);
    v128.store(c, k > 0 ? f32x4.add(high, v128.load(c, 16)) : high, 16);
  } else
    for (let i = 0; i < n - j; i++) {
      const to = c + (<usize>i << 2), sum = lane(low, high, i);
      store<f32>(to, k > 0 ? load<f32>(to) + sum : sum);
    }
}

function lane(low: v128, high: v128, i: i32): f32 {
  const half = i < 4 ? low : high;
  const at = i & 3;
  if (at == 0) return f32x4.extract_lane(half, 0);
  if (at == 1) return f32x4.extract_lane(half, 1);
  return at == 2 ? f32x4.extract_lane(half, 2) : f32x4.extract_lane(half, 3);
}

/** The first four columns of float32, or the even ones of 16 bits as float32. */
@inline
function first<T>(bits: v128): v128 {
  if (sizeof<T>() == 4) return bits;
  if (!isSigned<T>()) return i32x4.shl(bits, 16);
  const digits = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  return half(digits, i32x4.shl(bits, 16));
}

/** The other four columns. */
@inline
function second<T>(bits: v128, at: usize): v128 {
  if (sizeof<T>() == 4) return v128.load(at, 16);
  if (!isSigned<T>()) return v128.and(bits, i32x4.splat(<i32>0xffff0000));
  return half(v128.and(i32x4.shr_u(bits, 3), i32x4.splat(0x0fffe000)), bits);
}

/**
 * Four float16. Their exponent and digits, moved to the place of float32's, are the number times 2^−112, also for subnormal ones, so
 * the product with 2^112 (0x77800000) is exact. Infinities and NaN get the exponent of float32's. `sign`: other bits are ignored.
 */
@inline
function half(digits: v128, sign: v128): v128 {
  const special = v128.and(i32x4.gt_s(digits, i32x4.splat(0x0f7fffff)), i32x4.splat(0x7f800000));
  const number = v128.or(f32x4.mul(digits, i32x4.splat(0x77800000)), special);
  return v128.or(number, v128.and(sign, i32x4.splat(<i32>0x80000000)));
}

/** Widens a panel of eight columns. */
function widen<T>(from: usize, depth: i32, to: usize): void {
  const end = from + (<usize>depth << 4);
  for (; from < end; from += 16) {
    const bits = v128.load(from);
    const even = first<T>(bits), odd = second<T>(bits, from);
    v128.store(to, i32x4.shuffle(even, odd, 0, 4, 1, 5));
    v128.store(to, i32x4.shuffle(even, odd, 2, 6, 3, 7), 16);
    to += 32;
  }
}
