// Elementwise ops. ndarray-ops does the arithmetic, always into a new array.
import nops from "ndarray-ops";
import { ShapeError } from "../errors.ts";
import { flat, offsets, type Shape, type View, view, zeros } from "../tensor.ts";
import { erf } from "./erf.ts";
import type { OpName, Rule } from "./table.ts";

export function sameShape(a: Shape, b: Shape): Shape {
  if (a.length !== b.length || a.some((n, i) => n !== b[i])) {
    throw new ShapeError(
      `shapes [${a.join(" ")}] and [${b.join(" ")}] differ: there is no implicit broadcasting, use expand(x, like)  [ops.no-broadcast]`,
    );
  }
  return a;
}

const keepShape = (_: object, a: Shape): Shape => a;

/** An op on two arrays from ndarray-ops. */
// @__NO_SIDE_EFFECTS__
const binary = (into: (out: View, a: View, b: View) => unknown): Rule<"add"> => ({
  shape: (_, a, b) => sameShape(a, b),
  compute: (_, a, b) => {
    const out = zeros(a.shape); // [ops.fresh]
    into(out, a, b);
    return out;
  },
});

/** An op on one array from ndarray-ops. */
// @__NO_SIDE_EFFECTS__
const unary = (into: (out: View, a: View) => unknown): Rule<"exp"> => ({
  shape: keepShape,
  compute: (_, a) => {
    const out = zeros(a.shape);
    into(out, a);
    return out;
  },
});

/** Any other function of one number. */
// @__NO_SIDE_EFFECTS__
const map = (f: (x: number) => number): Rule<"exp"> => ({
  shape: keepShape,
  compute: (_, a) => {
    const x = flat(a);
    const out = new Float64Array(x.length);
    for (let i = 0; i < out.length; i++) out[i] = f(x[i] ?? 0);
    return view(out, a.shape);
  },
});

/** The same rule for an op whose results hold only numbers of the operands, or 0 and 1. */
// @__NO_SIDE_EFFECTS__
const exact = <K extends OpName>(rule: Rule<K>): Rule<K> => ({ ...rule, exact: true });

export const add = binary((out, a, b) => nops.add(out, a, b));
export const sub = binary((out, a, b) => nops.sub(out, a, b));
export const mul = binary((out, a, b) => nops.mul(out, a, b));
export const div = binary((out, a, b) => nops.div(out, a, b));
export const equal = exact(binary((out, a, b) => (nops.eq as unknown as typeof nops.add)(out, a, b)));

export const neg = exact(unary((out, a) => nops.neg(out, a)));
export const exp = unary((out, a) => nops.exp(out, a));
export const log = unary((out, a) => nops.log(out, a));
export const sqrt = unary((out, a) => nops.sqrt(out, a));
export const sin = unary((out, a) => nops.sin(out, a));
export const cos = unary((out, a) => nops.cos(out, a));
export const tanh = map(Math.tanh);
export const sigmoid = map((x) => 1 / (1 + Math.exp(-x)));

/** Φ(x), the standard normal distribution function. */
const normalCdf = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
const normalPdf = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** gelu x = x Φ(x)     (Hendrycks and Gimpel, arXiv 1606.08415, §2) */
export const gelu = map((x) => x * normalCdf(x)); // [gelu.erf]

/** d gelu / dx = Φ(x) + x φ(x) */
export const geluGrad = map((x) => normalCdf(x) + x * normalPdf(x));

/** max(x, 0). NaN stays NaN, and −0 stays −0. */
export const relu = exact(map((x) => (x < 0 ? 0 : x))); // [relu.slope]

/** The slope of relu: 1 where x > 0, else 0. */
export const positive = exact(map((x) => (x > 0 ? 1 : 0))); // [relu.slope]

export const mulScalar: Rule<"mulScalar"> = {
  shape: keepShape,
  compute: ({ by }, a) => {
    const out = zeros(a.shape);
    nops.muls(out, a, by);
    return out;
  },
};

export const addScalar: Rule<"addScalar"> = {
  shape: keepShape,
  compute: ({ by }, a) => {
    const out = zeros(a.shape);
    nops.adds(out, a, by);
    return out;
  },
};

/** x where the mask is true, a constant elsewhere. A replaced element has no effect, not even a NaN. */
export const where: Rule<"where"> = {
  shape: ({ keep }, a) => sameShape(a, keep.shape),
  compute: ({ keep, otherwise }, a) => {
    const x = flat(a);
    const at = offsets(keep.shape, keep.stride, keep.offset);
    const out = new Float64Array(x.length).fill(otherwise);
    for (let i = 0; i < out.length; i++) if (keep.data[at[i] ?? 0]) out[i] = x[i] ?? 0;
    return view(out, a.shape);
  },
};

/** The operand itself: taps and detached tensors. */
export const identity: Rule<"tap"> = {
  exact: true,
  view: true,
  shape: keepShape,
  compute: (_, a) => a,
};
