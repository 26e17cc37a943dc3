// The equations of papers as naive loops over plain numbers, with which modules are compared. Written from the papers, as cited
// at each function, independently of src and without regard to speed. Blocks and models are in blocks.ts and models.ts.

export type Vec = readonly number[];
/** A list of rows. */
export type Mat = readonly Vec[];
export type Nested = number | readonly Nested[];
/** Parameters as nested lists, by state-dict key. */
export type Weights = Readonly<Record<string, Nested>>;

/** The weights of one part, without its prefix. */
export const under = (w: Weights, part: string): Weights =>
  Object.fromEntries(
    Object.entries(w).flatMap(([key, value]) =>
      key.startsWith(`${part}.`) ? [[key.slice(part.length + 1), value]] : [],
    ),
  );

export function weight(w: Weights, key: string): Nested {
  const value = w[key];
  if (value === undefined) throw new Error(`the loop needs a weight "${key}"`);
  return value;
}
export const vec = (w: Weights, key: string): Vec => weight(w, key) as Vec;
export const mat = (w: Weights, key: string): Mat => weight(w, key) as Mat;

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** An element, or NaN outside of the list. */
export const at = (x: Vec, i: number): number => x[i] ?? Number.NaN;
export const row = (x: Mat, i: number): Vec => x[i] ?? [];
export function sum(n: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < n; i++) total += term(i);
  return total;
}
export const plus = (x: Mat, y: Mat): Mat => x.map((r, i) => r.map((v, j) => v + at(row(y, i), j)));
export const columns = (x: Mat, from: number, to: number): Mat => x.map((r) => r.slice(from, to));

/** y_o = Σ_i W_oi x_i + b_o */
export const linear = (w: Weights, x: Vec): Vec =>
  mat(w, "weight").map(
    (r, o) => sum(x.length, (i) => at(r, i) * at(x, i)) + ("bias" in w ? at(vec(w, "bias"), o) : 0),
  );

/** γ ⊙ (x − μ)/√(σ² + ε) + β        arXiv 1607.06450v1, equations (3) and (4); ε = 1e-5 unless given, as in torch */
export function layerNorm(gain: Vec, bias: Vec, x: Vec, epsilon = 1e-5): Vec {
  const n = x.length;
  const mean = sum(n, (i) => at(x, i)) / n;
  const variance = sum(n, (i) => (at(x, i) - mean) ** 2) / n;
  return x.map((value, i) => (at(gain, i) * (value - mean)) / Math.sqrt(variance + epsilon) + at(bias, i));
}
export const norm = (w: Weights, x: Vec): Vec => layerNorm(vec(w, "weight"), vec(w, "bias"), x);

/** erf: Abramowitz and Stegun, 7.1.5 (Taylor) for small x, 7.1.14 (continued fraction) for large. */
function erf(x: number): number {
  const [size, sign] = [Math.abs(x), Math.sign(x)];
  if (size < 1.5) {
    let [total, power] = [0, x];
    for (let n = 0; n < 40; n++) {
      total += power / (2 * n + 1);
      power *= (-x * x) / (n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  }
  let tail = size;
  for (let n = 100; n > 0; n--) tail = size + n / 2 / tail;
  return sign * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / tail);
}
/** x Φ(x)        arXiv 1606.08415v5, §2 */
export const gelu = (x: number): number => (x / 2) * (1 + erf(x / Math.SQRT2));
/** x σ(x)        arXiv 2002.05202v1, §2: Swish with β = 1 */
export const silu = (x: number): number => x / (1 + Math.exp(-x));

/** A mask (true: may attend) and the weights of a row without allowed entries. */
export interface Visibility {
  readonly allowed: (l: number, s: number) => boolean;
  readonly empty: "zero" | "uniform" | "nan";
  readonly zeroed: (l: number) => boolean;
  /** Added to the scaled score        arXiv 2108.12409v2, §3 (ALiBi) */
  readonly bias?: (l: number, s: number) => number;
}
export const everything: Visibility = { allowed: () => true, empty: "nan", zeroed: () => false };

/** a_ls = exp(q_l·k_s/√d) / Σ_t exp(q_l·k_t/√d) over the allowed t; out_l = Σ_s a_ls v_s        arXiv 1706.03762v7, equation (1) */
export function attention(
  q: Mat,
  k: Mat,
  v: Mat,
  { allowed, empty, zeroed, bias = () => 0 }: Visibility = everything,
): Mat {
  return q.map((query, l) => {
    const score = (s: number) =>
      sum(query.length, (c) => at(query, c) * at(row(k, s), c)) / Math.sqrt(query.length) + bias(l, s);
    const seen = range(k.length).filter((s) => allowed(l, s));
    const total = seen.reduce((z, s) => z + Math.exp(score(s)), 0);
    const weights = range(k.length).map((s) => {
      if (zeroed(l)) return 0;
      if (seen.length === 0) return { zero: 0, uniform: 1 / k.length, nan: Number.NaN }[empty];
      return seen.includes(s) ? Math.exp(score(s)) / total : 0;
    });
    return row(v, 0).map((_, c) => sum(k.length, (s) => at(weights, s) * at(row(v, s), c)));
  });
}

/** Heads are adjacent columns and are joined again (§3.2.2 there); all may share one key head (arXiv 1911.02150v1, §3). */
export function multiHead(
  q: Mat,
  k: Mat,
  v: Mat,
  heads: number,
  keyHeads: number,
  visibility?: Visibility,
): Mat {
  const width = row(q, 0).length / heads;
  const part = (x: Mat, h: number) => columns(x, h * width, (h + 1) * width);
  const outs = range(heads).map((h) => {
    const shared = keyHeads === 1 ? 0 : h;
    return attention(part(q, h), part(k, shared), part(v, shared), visibility);
  });
  return q.map((_, l) => outs.flatMap((out) => row(out, l)));
}

/** W₂ gelu(W₁ norm x), without biases */
export const feedForward = (w: Weights, x: Mat): Mat =>
  x.map((r) => linear(under(w, "3"), linear(under(w, "1"), norm(under(w, "0"), r)).map(gelu)));

/** Rotates the pairs (x_i, x_{i+d/2}) by the angles mθ_i        arXiv 2104.09864v5, §3.2.2, equation (15), where pairs are adjacent */
export function rotate(x: Vec, m: number, theta: Vec): Vec {
  const half = x.length / 2;
  const [cos, sin] = [(i: number) => Math.cos(m * at(theta, i)), (i: number) => Math.sin(m * at(theta, i))];
  const first = range(half).map((i) => at(x, i) * cos(i) - at(x, i + half) * sin(i));
  const second = range(half).map((i) => at(x, i) * sin(i) + at(x, i + half) * cos(i));
  return [...first, ...second];
}

/** silu(gate) ⊙ value        arXiv 2002.05202v1, equation (6); the value comes first, the gate second */
export const swiglu = (x: Vec): Vec =>
  range(x.length / 2).map((i) => silu(at(x, i + x.length / 2)) * at(x, i));
