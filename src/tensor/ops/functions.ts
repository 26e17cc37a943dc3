// Functions for the ops without patterns. Operands have the same axis names; only `expand` broadcasts.
import { RuleError } from "../errors.ts";
import { apply } from "../program/record.ts";
import { type Bool, type Int, type Shape, Tensor, view } from "../tensor.ts";
import type { EmptyRow } from "./table.ts";

type Binary = <A extends string>(a: Tensor<A>, b: Tensor<NoInfer<A>>) => Tensor<A>;
type Unary = <A extends string>(x: Tensor<A>) => Tensor<A>;

export const add: Binary = (a, b) => apply("add", {}, a, b);
export const sub: Binary = (a, b) => apply("sub", {}, a, b);
export const mul: Binary = (a, b) => apply("mul", {}, a, b);
export const div: Binary = (a, b) => apply("div", {}, a, b);
/** 1 where equal, 0 elsewhere. */
export const equal: Binary = (a, b) => apply("equal", {}, a, b);

export const neg: Unary = (x) => apply("neg", {}, x);
export const exp: Unary = (x) => apply("exp", {}, x);
export const log: Unary = (x) => apply("log", {}, x);
export const sqrt: Unary = (x) => apply("sqrt", {}, x);
export const sin: Unary = (x) => apply("sin", {}, x);
export const cos: Unary = (x) => apply("cos", {}, x);
export const tanh: Unary = (x) => apply("tanh", {}, x);
export const sigmoid: Unary = (x) => apply("sigmoid", {}, x);
/** x Φ(x), with the error function and not the tanh approximation. */
export const gelu: Unary = (x) => apply("gelu", {}, x);
/** max(x, 0); its derivative at 0 is 0, as in torch. */
export const relu: Unary = (x) => apply("relu", {}, x);
/** 1 where x > 0, 0 elsewhere. */
export const positive: Unary = (x) => apply("positive", {}, x);
export const geluGrad: Unary = (x) => apply("geluGrad", {}, x);
/** x, through which no gradient flows. */
export const detach: Unary = (x) => apply("detach", {}, x);

export const mulScalar = <A extends string>(x: Tensor<A>, by: number): Tensor<A> =>
  apply("mulScalar", { by }, x);
export const addScalar = <A extends string>(x: Tensor<A>, by: number): Tensor<A> =>
  apply("addScalar", { by }, x);
export const square: Unary = (x) => mul(x, x);

/** x where `keep` is true, `otherwise` elsewhere. */
export const where = <A extends string>(keep: Bool<NoInfer<A>>, x: Tensor<A>, otherwise = 0): Tensor<A> =>
  apply("where", { keep, otherwise }, x);

/** x as a view in the shape of `like`: trailing axes are aligned, axes of size 1 and missing leading axes are repeated. */
export const expand = <A extends string>(x: Tensor, like: Tensor<A>): Tensor<A> =>
  apply("expand", { shape: like.shape }, x);

/** The sum over the axes that `expand` would repeat. */
export const unbroadcast = (x: Tensor, shape: Shape): Tensor => apply("unbroadcast", { shape }, x);

const lastToOne = (x: Tensor): Shape => [...x.shape.slice(0, -1), 1];
/** The sum over the last axis, which is kept with size 1. */
export const sumLast = (x: Tensor): Tensor => apply("unbroadcast", { shape: lastToOne(x) }, x);
/** The maximum over the last axis, which is kept with size 1. */
export const maxLast = (x: Tensor): Tensor => apply("maxTo", { shape: lastToOne(x) }, x);
/** The mean over the last axis, which is kept with size 1. */
export const meanLast = (x: Tensor): Tensor => mulScalar(sumLast(x), 1 / (x.shape.at(-1) ?? 1));
/** The sum of all elements. */
export const sumAll = (x: Tensor): Tensor<""> => unbroadcast(x, []);

/** Σ exp(x − shift) over the last axis, with one shift a row: `sumExp(x, detach(maxLast(x)))` does not overflow. */
export const sumExp = (x: Tensor, shift: Tensor): Tensor => apply("sumExp", {}, x, shift);

/** softmax over the last axis. */
export const softmax: Unary = (x) => apply("softmax", { mayAttend: null, emptyRow: "nan" }, x);

/** softmax over the allowed entries of the last axis. `emptyRow` is the result for a row without allowed entries. */
export function maskedSoftmax<A extends string>(
  x: Tensor<A>,
  mayAttend: Bool<NoInfer<A>>,
  options: { emptyRow: EmptyRow },
): Tensor<A> {
  const emptyRow = options?.emptyRow;
  if (emptyRow !== "zero" && emptyRow !== "uniform" && emptyRow !== "nan")
    throw new RuleError(
      `emptyRow is ${JSON.stringify(emptyRow)}; it must be "zero", "uniform" or "nan"`,
      "softmax.empty-row",
    );
  return apply("softmax", { mayAttend, emptyRow }, x);
}

/** Rows of a table: out[i…] = table[ids[i…]]. */
export const gather = <I extends string, D extends string>(
  table: Tensor<`${string} ${D}`>,
  ids: Int<I>,
): Tensor<`${I} ${D}`> => apply("gather", { ids }, table);

/** Sums rows into a table of `rows` rows: out[r] = Σ x[i…] over ids[i…] = r. The adjoint of `gather`. */
export const scatter = (x: Tensor, ids: Int, rows: number): Tensor => apply("scatter", { ids, rows }, x);

/** One element of each row: out[i…] = x[i…, ids[i…]]. */
export const pick = <I extends string>(x: Tensor<`${I} ${string}`>, ids: Int<I>): Tensor<I> =>
  apply("pick", { ids }, x);

/** Rows of `width` zeros with one element each: out[i…, ids[i…]] = x[i…]. The adjoint of `pick`. */
export const place = <I extends string>(x: Tensor<I>, ids: Int<NoInfer<I>>, width: number): Tensor =>
  apply("place", { ids, width }, x);

/** n consecutive numbers: from, from + 1, … */
export const arange = <A extends string>(_axis: A, n: number, from = 0): Tensor<A> =>
  new Tensor<A>(
    [n],
    view(
      Float64Array.from({ length: n }, (_, i) => from + i),
      [n],
    ),
  );

export const zerosLike = <A extends string>(x: Tensor<A>): Tensor<A> =>
  expand(new Tensor([], view(new Float64Array(1), [])), x);
