// Elementwise ops. ndarray-ops does the arithmetic, always into a new array.
import nops from "ndarray-ops";
import { ShapeError } from "../errors.ts";
import { flat, offsets, type Shape, type View, view, zeros } from "../tensor.ts";
import { erf } from "./erf.ts";
import type { Rule } from "./table.ts";

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
export const binary = (into: (out: View, a: View, b: View) => unknown): Rule<"add"> => ({
  shape: (_, a, b) => sameShape(a, b),
  compute: (_, a, b) => {
    const out = zeros(a.shape); // [ops.fresh]
    into(out, a, b);
    return out;
  },
});

/** An op on one array from ndarray-ops. */
export const unary = (into: (out: View, a: View) => unknown): Rule<"exp"> => ({
  shape: keepShape,
  compute: (_, a) => {
    const out = zeros(a.shape);
    into(out, a);
    return out;
  },
});

/** Any other function of one number. */
export const map = (f: (x: number) => number): Rule<"exp"> => ({
  shape: keepShape,
  compute: (_, a) => {
    const x = flat(a);
    const out = new Float64Array(x.length);
    for (let i = 0; i < out.length; i++) out[i] = f(x[i] ?? 0);
    return view(out, a.shape);
  },
});

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Φ(x), the standard normal distribution function. */
const normalCdf = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2));
const normalPdf = (x: number): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** gelu x = x Φ(x)     (Hendrycks and Gimpel, arXiv 1606.08415, §2) */
export const gelu = (x: number): number => x * normalCdf(x); // [gelu.erf]

/** d gelu / dx = Φ(x) + x φ(x) */
export const geluGrad = (x: number): number => normalCdf(x) + x * normalPdf(x);

/** max(x, 0). NaN stays NaN, and −0 stays −0. */
export const relu = (x: number): number => (x < 0 ? 0 : x); // [relu.slope]

/** The slope of relu: 1 where x > 0, else 0. */
export const positive = (x: number): number => (x > 0 ? 1 : 0); // [relu.slope]

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
