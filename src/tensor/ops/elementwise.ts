// Elementwise ops. ndarray-ops does the arithmetic, always into a new array.
import ndarray, { type NdArray } from "ndarray";
import nops from "ndarray-ops";
import { ShapeError } from "../errors.ts";
import { type Floats, flat, type Shape, sameSizes, shapeText, type View, viewOf, zeros } from "../tensor.ts";
import { erf } from "./erf.ts";
import type { Rule } from "./table.ts";

export function sameShape(a: Shape, b: Shape): Shape {
  if (!sameSizes(a, b))
    throw new ShapeError(
      `shapes ${shapeText(a)} and ${shapeText(b)} differ: nothing is broadcast, use expand(x, like)  [ops.no-broadcast]`,
    );
  return a;
}

/** The same numbers in the same memory, as an array that ndarray-ops takes. It keeps neither list. */
export const ndArray = ({ data, shape, stride, offset }: View): NdArray<Floats> =>
  ndarray(data, shape as number[], stride as number[], offset);

type Arithmetic = "add" | "sub" | "mul" | "div" | "eq" | "neg" | "exp" | "log" | "sqrt" | "sin" | "cos";

/** An op of ndarray-ops: on one array or two, or on an array and a number. */
function into(op: Arithmetic | "muls" | "adds", a: View, b?: View | number): View {
  const out = zeros(a.shape); // [ops.fresh]
  const f = nops[op as "add"] as (...operands: unknown[]) => void;
  f(ndArray(out), ndArray(a), typeof b === "object" ? ndArray(b) : b);
  return out;
}

/** An op of ndarray-ops on one array or two. */
// @__NO_SIDE_EFFECTS__
const arithmetic = (op: Arithmetic) => ({
  shape: (_: object, a: Shape, b = a): Shape => sameShape(a, b),
  compute: (_: object, a: View, b?: View): View => into(op, a, b),
});

/** Any other function of one number. */
// @__NO_SIDE_EFFECTS__
const map = (f: (x: number) => number): Rule<"exp"> => ({
  shape: (_, a) => a,
  compute: (_, a) => {
    const x = flat(a);
    const out = new Float64Array(x.length);
    for (let i = 0; i < out.length; i++) out[i] = f(x[i] ?? 0);
    return viewOf(out, a.shape);
  },
});

export const add = arithmetic("add");
export const sub = arithmetic("sub");
export const mul = arithmetic("mul");
export const div = arithmetic("div");
export const equal = arithmetic("eq");

export const neg = arithmetic("neg");
export const exp = arithmetic("exp");
export const log = arithmetic("log");
export const sqrt = arithmetic("sqrt");
export const sin = arithmetic("sin");
export const cos = arithmetic("cos");
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
export const relu = map((x) => (x < 0 ? 0 : x)); // [relu.slope]

/** The slope of relu: 1 where x > 0, else 0. */
export const positive = map((x) => (x > 0 ? 1 : 0)); // [relu.slope]

/** An op of ndarray-ops on an array and a number. */
// @__NO_SIDE_EFFECTS__
const byNumber = (op: "muls" | "adds"): Rule<"mulScalar"> => ({
  shape: ({ by }, a) => {
    if (typeof by !== "number")
      throw new ShapeError(`"by" is a number, not ${typeof by}  [notation.operands]`);
    return a;
  },
  compute: ({ by }, a) => into(op, a, by),
});

export const mulScalar = byNumber("muls");
export const addScalar = byNumber("adds");

/** x where the mask is true, a constant elsewhere. A replaced element has no effect, not even a NaN. */
export const where: Rule<"where"> = {
  shape: ({ keep }, a) => sameShape(a, keep.shape),
  compute: ({ keep, otherwise }, a) => {
    const [x, isKept] = [flat(a), flat(keep)];
    const out = new Float64Array(x.length).fill(otherwise);
    for (let i = 0; i < out.length; i++) if (isKept[i]) out[i] = x[i] ?? 0;
    return viewOf(out, a.shape);
  },
};

/** The operand itself: taps and detached tensors. */
export const identity: Rule<"tap"> = {
  shape: (_, a) => a,
  compute: (_, a) => a,
};
