// AssemblyScript. The derivative of attention. A task is a matrix; several rows of queries are processed at a time. Their weights are
// recomputed from q and k, so that memory does not grow with queries × keys (Dao et al., arXiv 2205.14135, §3.1 and appendix B.2).
//
//   P = softmax(q kᵀ + b), D = g vᵀ, S = P ⊙ (D − Σₛ P ⊙ D);   dq = S k, dk = Sᵀ q, dv = Pᵀ g, db = S
//
// S is summed over queries or keys where the bias is repeated along them. Sums over matrices that share a bias are left to the caller.
import { addBias, biasAt, maskAt, score, valuesAt } from "./attention.as.ts";
import { argument, number } from "./control.as.ts";
import { lanes, put } from "./elementwise.as.ts";
import { along, DEPTH, side } from "./pack.as.ts";
import { softmaxRow, total, wide } from "./rows.as.ts";
import { TILE, tile, WIDTH } from "./tile.as.ts";

/** Queries that are processed at a time; a multiple of both tile sizes. */
export const ROWS: i32 = 48;

/** n rounded up to a multiple. */
function up(n: i32, to: i32): i32 {
  return (n + to - 1) / to * to;
}

// Arguments as for attend, except: 2 v packed by keys, 3 dq, dk and dv one after another, 16 g, 17 k, 18 q and 19 g packed in columns,
// 20 the number of matrices, 21 to 24 the bias, 25 its derivative, 26 rows and 27 columns of the derivative of a matrix
export function attendVjp(task: i32, scratch: usize): void {
  const l = <i32>argument(4), s = <i32>argument(5), d = <i32>argument(6), e = <i32>argument(7);
  const index = load<i32>(argument(8) + (<usize>task << 2));
  const line = up(s, WIDTH), wideD = up(d, WIDTH), wideE = up(e, WIDTH);
  const q: usize = argument(0) + (<usize>task * up(l, TILE) * d << 2), g: usize = argument(16) + (<usize>task * up(l, TILE) * e << 2);
  const k: usize = argument(1) + (<usize>index * line * d << 2), v: usize = argument(2) + (<usize>index * line * e << 2);
  const keys: usize = argument(17) + (<usize>index * s * wideD << 2);
  const queries: usize = argument(18) + (<usize>task * l * wideD << 2), gradients: usize = argument(19) + (<usize>task * l * wideE << 2);
  const mask = maskAt(9, task, 0), postMask = maskAt(12, task, 0), bias = biasAt(21, task, 0);
  const biasRows = <i32>argument(26), biasColumns = <i32>argument(27);
  const db: usize = argument(25) + (<usize>task * biasRows * biasColumns << 2);
  if (bias) memory.fill(db, 0, <usize>biasRows * biasColumns << 2);

  const P = scratch, S = P + (<usize>ROWS * line << 2), panel = S + (<usize>ROWS * line << 2);
  const list = panel + (<usize>TILE * max(line, ROWS) << 2), dq = list + (ROWS << 2);
  const dk = dq + (<usize>ROWS * wideD << 2), dv = dk + (<usize>up(s, TILE) * wideD << 2);
  memory.fill(dk, 0, <usize>up(s, TILE) * (wideD + wideE) << 2);
  for (let i = 0; i < ROWS; i++) store<i32>(list + (<usize>i << 2), i * line);

  for (let top = 0; top < l; top += ROWS) {
    const rows = min(ROWS, l - top);
    for (let j = 0; j < s; j += WIDTH)
      for (let i = 0; i < rows; i += TILE) {
        const at = <usize>(i * line + j) << 2;
        score(q, k, top + i, j, l, s, d, P + at, line);
        score(g, v, top + i, j, l, s, e, S + at, line);
      }
    for (let i = 0; i < rows; i++) {
      const allowed = mask ? mask + <isize>(top + i) * <i32>argument(11) : 0, kept = postMask ? postMask + <isize>(top + i) * <i32>argument(14) : 0;
      const weights = P + (<usize>(i * line) << 2), gradient = S + (<usize>(i * line) << 2);
      if (bias) addBias(weights, bias, 21, top + i, 0, s);
      scoreGradient(weights, gradient, allowed, kept, s);
      if (bias) addRow(gradient, s, db + (<usize>(biasRows == 1 ? 0 : (top + i) * biasColumns) << 2), biasColumns);
    }
    for (let i = 0; i < rows; i += TILE) {
      along(S, list + (<usize>i << 2), rows - i, 0, s, TILE, panel);
      for (let j = 0; j < wideD; j += WIDTH) product(panel, keys, s, wideD, 0, s, j, dq + (<usize>(i * wideD + j) << 2), false);
    }
    out(dq, rows, wideD, d, argument(3) + (<usize>(task * l + top) * d << 2));
    for (let i = 0; i < s; i += TILE) {
      side(S + (<usize>i << 2), 0, line, 0, rows, TILE, panel);
      for (let j = 0; j < wideD; j += WIDTH) product(panel, queries, l, wideD, top, rows, j, dk + (<usize>(i * wideD + j) << 2), true);
      side(P + (<usize>i << 2), 0, line, 0, rows, TILE, panel);
      for (let j = 0; j < wideE; j += WIDTH) product(panel, gradients, l, wideE, top, rows, j, dv + (<usize>(i * wideE + j) << 2), true);
    }
  }
  const afterQ: usize = argument(3) + (<usize>argument(20) * l * d << 2), afterK = afterQ + (<usize>argument(20) * s * d << 2);
  out(dk, s, wideD, d, afterQ + (<usize>task * s * d << 2));
  out(dv, s, wideE, e, afterK + (<usize>task * s * e << 2));
}

/** Replaces the scores in x by P, and D in y by S. */
function scoreGradient(x: usize, y: usize, allowed: usize, kept: usize, s: i32): void {
  softmaxRow(x, 1, allowed, 1, s, x, number(15));
  let sums = f64x2.splat(0);
  for (let j = 0; j < s; j += 4) {
    const at = <usize>j << 2;
    let dy = v128.load(y + at);
    if (kept) dy = v128.and(dy, lanes(kept, 1, j, s));
    v128.store(y + at, dy);
    sums = f64x2.add(sums, wide(f32x4.mul(v128.load(x + at), dy))); // the padding after the last key is zero
  }
  const mean = f32x4.splat(<f32>total(sums));
  for (let j = 0; j < s; j += 4) {
    const at = <usize>j << 2, weight = v128.load(x + at);
    const dx = f32x4.mul(weight, f32x4.sub(v128.load(y + at), mean));
    v128.store(y + at, allowed ? v128.and(dx, lanes(allowed, 1, j, s)) : dx);
    if (kept) v128.store(x + at, v128.and(weight, lanes(kept, 1, j, s)));
  }
}

/** Adds a row of s floats to a row of as many, or their sum to a single float. */
function addRow(x: usize, s: i32, to: usize, columns: i32): void {
  if (columns == s) {
    for (let j = 0; j < s; j += 4) {
      const at = <usize>j << 2;
      put(to + at, f32x4.add(v128.load(to + at), v128.load(x + at)), s - j);
    }
    return;
  }
  let sum: f64 = load<f32>(to);
  for (let j = 0; j < s; j++) sum += load<f32>(x + (<usize>j << 2));
  store<f32>(to, <f32>sum);
}

/** The product of a panel and rows from … from + n, columns j … j + 7, of a packed matrix with `depth` rows. */
function product(panel: usize, b: usize, depth: i32, width: i32, from: i32, n: i32, j: i32, to: usize, add: bool): void {
  for (let p = 0; p < n; ) {
    const part = min(n - p, DEPTH - (from + p) % DEPTH);
    tile(panel + (<usize>(p * TILE) << 2), valuesAt(b, depth, width, from + p, j), part, to, <usize>width << 2, add || p > 0);
    p += part;
  }
}

/** Copies rows without their padding. */
function out(from: usize, rows: i32, width: i32, n: i32, to: usize): void {
  for (let i = 0; i < rows; i++)
    memory.copy(to + (<usize>(i * n) << 2), from + (<usize>(i * width) << 2), <usize>n << 2);
}
