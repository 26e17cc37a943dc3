// AssemblyScript. The innermost loop: a tile of C, TILE rows by 8 columns, is the product of a panel of A and a panel of B.
//
// A panel of A is [depth][TILE], a panel of B [depth][8]. All sums are held in registers: V8 holds at most eight of f32x4 with a
// multiply and an add, and twelve with the fused instruction of relaxed SIMD. The loop is inlined into its callers' loops because V8
// unrolls deeper loops further, which makes the version without fused multiply-add a sixth faster than as a function of its own.

export const TILE: i32 = ASC_FEATURE_RELAXED_SIMD ? 6 : 4;
export const WIDTH: i32 = 8;

/** x · y + z, rounded once with relaxed SIMD and twice without. */
export function fma(x: v128, y: v128, z: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(x, y, z);
  return f32x4.add(f32x4.mul(x, y), z);
}

/** `c` is the address of the tile, `step` the bytes between its rows. With `add` the product is added to the tile's contents. */
@inline
export function tile(a: usize, b: usize, depth: i32, c: usize, step: usize, add: bool): void {
  if (ASC_FEATURE_RELAXED_SIMD) six(a, b, depth, c, step, add);
  else four(a, b, depth, c, step, add);
}

function put(c: usize, low: v128, high: v128, add: bool): void {
  if (add) {
    low = f32x4.add(low, v128.load(c));
    high = f32x4.add(high, v128.load(c, 16));
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}

@inline
function four(a: usize, b: usize, depth: i32, c: usize, step: usize, add: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  const end = a + (<usize>depth << 4);
  while (a < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let s = v128.load32_splat(a);
    c00 = f32x4.add(c00, f32x4.mul(s, b0)); c01 = f32x4.add(c01, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(s, b0)); c11 = f32x4.add(c11, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(s, b0)); c21 = f32x4.add(c21, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(s, b0)); c31 = f32x4.add(c31, f32x4.mul(s, b1));
    a += 16;
    b += 32;
  }
  put(c, c00, c01, add);
  put(c + step, c10, c11, add);
  put(c + 2 * step, c20, c21, add);
  put(c + 3 * step, c30, c31, add);
}

@inline
function six(a: usize, b: usize, depth: i32, c: usize, step: usize, add: bool): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0), c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let c40 = f32x4.splat(0), c41 = f32x4.splat(0), c50 = f32x4.splat(0), c51 = f32x4.splat(0);
  const end = a + <usize>depth * 24;
  while (a < end) {
    const b0 = v128.load(b), b1 = v128.load(b, 16);
    let s = v128.load32_splat(a);
    c00 = fma(s, b0, c00); c01 = fma(s, b1, c01);
    s = v128.load32_splat(a, 4);
    c10 = fma(s, b0, c10); c11 = fma(s, b1, c11);
    s = v128.load32_splat(a, 8);
    c20 = fma(s, b0, c20); c21 = fma(s, b1, c21);
    s = v128.load32_splat(a, 12);
    c30 = fma(s, b0, c30); c31 = fma(s, b1, c31);
    s = v128.load32_splat(a, 16);
    c40 = fma(s, b0, c40); c41 = fma(s, b1, c41);
    s = v128.load32_splat(a, 20);
    c50 = fma(s, b0, c50); c51 = fma(s, b1, c51);
    a += 24;
    b += 32;
  }
  put(c, c00, c01, add);
  put(c + step, c10, c11, add);
  put(c + 2 * step, c20, c21, add);
  put(c + 3 * step, c30, c31, add);
  put(c + 4 * step, c40, c41, add);
  put(c + 5 * step, c50, c51, add);
}
