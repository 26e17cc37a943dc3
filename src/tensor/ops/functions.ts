// Functions for the ops without patterns. Operands have the same axis names; only `expand` broadcasts.
import { RuleError } from "../errors.ts";
import { applyRule, checkTensors } from "../program/apply.ts";
import { type Bool, checkShape, type Int, type Shape, Tensor, viewOf } from "../tensor.ts";
import * as elementwise from "./elementwise.ts";
import * as tables from "./gather.ts";
import * as reductions from "./reductions.ts";
import type { OpName, Rule, SoftmaxEmptyRow } from "./table.ts";

type Binary = <A extends string>(a: Tensor<A>, b: Tensor<NoInfer<A>>) => Tensor<A>;
type Unary = <A extends string>(x: Tensor<A>) => Tensor<A>;

/** The functions of ops without attributes, of one operand and of two: others, as reduce and map pass them, are ignored. */
// @__NO_SIDE_EFFECTS__
const unary =
  (op: OpName, rule: Rule<"exp">): Unary =>
  (x) =>
    applyRule(op as "exp", rule, {}, x);
// @__NO_SIDE_EFFECTS__
const binary =
  (op: OpName, rule: Rule<"add">): Binary =>
  (a, b) =>
    applyRule(op as "add", rule, {}, a, b);

/**
 * a + b of each element. Throws a ShapeError if the shapes differ.
 * Shapes: a `...`, b `...` → `...`.
 */
export const add: Binary = binary("add", elementwise.add);
/**
 * a − b of each element. Throws a ShapeError if the shapes differ.
 * Shapes: a `...`, b `...` → `...`.
 */
export const sub: Binary = binary("sub", elementwise.sub);
/**
 * a · b of each element. Throws a ShapeError if the shapes differ.
 * Shapes: a `...`, b `...` → `...`.
 */
export const mul: Binary = binary("mul", elementwise.mul);
/**
 * a / b of each element; x / 0 is ±∞ or NaN, as in IEEE 754. Throws a ShapeError if the shapes differ.
 * Shapes: a `...`, b `...` → `...`.
 */
export const div: Binary = binary("div", elementwise.div);
/**
 * 1 where equal, 0 elsewhere. Its derivative is 0. Throws a ShapeError if the shapes differ.
 * Shapes: a `...`, b `...` → `...`.
 */
export const equal: Binary = binary("equal", elementwise.equal);

/**
 * −x of each element.
 * Shapes: x `...` → `...`.
 */
export const neg: Unary = unary("neg", elementwise.neg);
/**
 * eˣ of each element.
 * Shapes: x `...` → `...`.
 */
export const exp: Unary = unary("exp", elementwise.exp);
/**
 * The natural logarithm of each element; −∞ at 0, NaN below.
 * Shapes: x `...` → `...`.
 */
export const log: Unary = unary("log", elementwise.log);
/**
 * The square root of each element; NaN below 0.
 * Shapes: x `...` → `...`.
 */
export const sqrt: Unary = unary("sqrt", elementwise.sqrt);
/**
 * The sine of each element, an angle in radians.
 * Shapes: x `...` → `...`.
 */
export const sin: Unary = unary("sin", elementwise.sin);
/**
 * The cosine of each element, an angle in radians.
 * Shapes: x `...` → `...`.
 */
export const cos: Unary = unary("cos", elementwise.cos);
/**
 * The hyperbolic tangent of each element.
 * Shapes: x `...` → `...`.
 */
export const tanh: Unary = unary("tanh", elementwise.tanh);
/**
 * 1 / (1 + e⁻ˣ) of each element.
 * Shapes: x `...` → `...`.
 */
export const sigmoid: Unary = unary("sigmoid", elementwise.sigmoid);
/**
 * x Φ(x), with the error function and not the tanh approximation.
 * Shapes: x `...` → `...`.
 * Source: Hendrycks and Gimpel, arXiv 1606.08415, §2.
 */
export const gelu: Unary = unary("gelu", elementwise.gelu);
/**
 * max(x, 0); its derivative at 0 is 0, as in torch.
 * Shapes: x `...` → `...`.
 */
export const relu: Unary = unary("relu", elementwise.relu);
/**
 * 1 where x > 0, 0 elsewhere: the derivative of `relu`. Its own derivative is 0.
 * Shapes: x `...` → `...`.
 */
export const positive: Unary = unary("positive", elementwise.positive);
export const geluGrad: Unary = unary("geluGrad", elementwise.geluGrad);
/**
 * x, through which no gradient flows.
 * Shapes: x `...` → `...`.
 */
export const detach: Unary = unary("detach", elementwise.identity);

/**
 * Each element times a number.
 * Shapes: x `...` → `...`.
 */
export const mulScalar = <A extends string>(x: Tensor<A>, by: number): Tensor<A> =>
  applyRule("mulScalar", elementwise.mulScalar, { by }, x);
/**
 * Each element plus a number.
 * Shapes: x `...` → `...`.
 */
export const addScalar = <A extends string>(x: Tensor<A>, by: number): Tensor<A> =>
  applyRule("addScalar", elementwise.addScalar, { by }, x);
/**
 * x² of each element.
 * Shapes: x `...` → `...`.
 */
export const square: Unary = (x) => mul(x, x);

/**
 * x where `keep` is true, `otherwise` elsewhere. Throws a ShapeError if the shapes differ.
 * Shapes: keep `...`, x `...` → `...`.
 */
export const where = <A extends string>(keep: Bool<NoInfer<A>>, x: Tensor<A>, otherwise = 0): Tensor<A> =>
  applyRule("where", elementwise.where, { keep, otherwise }, x);

/**
 * x as a view in the shape of `like`: trailing axes are aligned, axes of size 1 and missing leading axes are repeated. Throws a
 * ShapeError if an axis of x is neither 1 nor that of `like`.
 * Shapes: x, like `...` → `...`.
 */
export function expand<A extends string>(x: Tensor, like: Tensor<A>): Tensor<A> {
  checkTensors("expand", x, like);
  return applyRule("expand", reductions.expand, { shape: like.shape }, x);
}

/**
 * The sum over the axes that `expand` would repeat. Throws a ShapeError if `expand` could not make the shape of x of this
 * one, or this is not a shape.
 * Shapes: x → the axes of `shape`.
 */
export function unbroadcast(x: Tensor, shape: Shape): Tensor {
  checkShape(shape);
  return applyRule("unbroadcast", reductions.unbroadcast, { shape }, x);
}

const lastToOne = (x: Tensor): Shape => {
  checkTensors("an op over the last axis", x);
  return [...x.shape.slice(0, -1), 1];
};
/**
 * The sum over the last axis, which is kept with size 1.
 * Shapes: x `... n` → `... 1`.
 */
export const sumLast = (x: Tensor): Tensor =>
  applyRule("unbroadcast", reductions.unbroadcast, { shape: lastToOne(x) }, x);
/**
 * The maximum over the last axis, which is kept with size 1.
 * Shapes: x `... n` → `... 1`.
 */
export const maxLast = (x: Tensor): Tensor =>
  applyRule("maxTo", reductions.maxTo, { shape: lastToOne(x) }, x);
/**
 * The mean over the last axis, which is kept with size 1.
 * Shapes: x `... n` → `... 1`.
 */
export const meanLast = (x: Tensor): Tensor => mulScalar(sumLast(x), 1 / (x.shape.at(-1) ?? 1));
/**
 * The sum of all elements.
 * Shapes: x `...` → a scalar.
 */
export const sumAll = (x: Tensor): Tensor<""> => unbroadcast(x, []);

/**
 * Σ exp(x − shift) over the last axis, with one shift a row: `sumExp(x, detach(maxLast(x)))` does not overflow.
 * Shapes: x `... n`, shift `... 1` → `... 1`.
 */
export const sumExp = (x: Tensor, shift: Tensor): Tensor =>
  applyRule("sumExp", reductions.sumExp, {}, x, shift);

/**
 * softmax over the last axis. A row of −∞ alone becomes NaN, as in torch.
 * Shapes: x `... n` → `... n`.
 */
export const softmax: Unary = (x) =>
  applyRule("softmax", reductions.softmax, { mayAttend: null, emptyRow: "nan" }, x);

const EMPTY_ROWS: readonly SoftmaxEmptyRow[] = ["zero", "uniform", "nan"];

/**
 * softmax over the allowed entries of the last axis. `emptyRow` is the result for a row without allowed entries. Throws a
 * RuleError for any other `emptyRow`, and a ShapeError if the shapes differ.
 * Shapes: x `... n`, mayAttend `... n` → `... n`.
 */
export function maskedSoftmax<A extends string>(
  x: Tensor<A>,
  mayAttend: Bool<NoInfer<A>>,
  options: { emptyRow: SoftmaxEmptyRow },
): Tensor<A> {
  const emptyRow = options?.emptyRow;
  if (!EMPTY_ROWS.includes(emptyRow))
    throw new RuleError(
      `emptyRow is ${JSON.stringify(emptyRow)}; it must be one of ${EMPTY_ROWS.join(", ")}`,
      "softmax.empty-row",
    );
  return applyRule("softmax", reductions.softmax, { mayAttend, emptyRow }, x);
}

/**
 * Rows of a table: out[i…] = table[ids[i…]]. Throws a RuleError for an id that is no row of the table.
 * Shapes: table `n d`, ids `...` → `... d`.
 */
export const gather = <I extends string, D extends string>(
  table: Tensor<`${string} ${D}`>,
  ids: Int<I>,
): Tensor<`${I} ${D}`> => applyRule("gather", tables.gather, { ids }, table);

/**
 * Sums rows into a table of `rows` rows: out[r] = Σ x[i…] over ids[i…] = r. The adjoint of `gather`. Throws a RuleError for an
 * id that is no row of the table, and a ShapeError for a number of rows that is not a whole number from 0 up.
 * Shapes: x `... d`, ids `...` → `n d`, where n = rows.
 */
export const scatter = (x: Tensor, ids: Int, rows: number): Tensor =>
  applyRule("scatter", tables.scatter, { ids, rows }, x);

/**
 * One element of each row: out[i…] = x[i…, ids[i…]]. Throws a ShapeError if the shapes do not fit, and a RuleError
 * for an id outside of its row.
 * Shapes: x `... n`, ids `...` → `...`.
 */
export const pick = <I extends string>(x: Tensor<`${I} ${string}`>, ids: Int<I>): Tensor<I> =>
  applyRule("pick", tables.pick, { ids }, x);

/**
 * Rows of `width` zeros with one element each: out[i…, ids[i…]] = x[i…]. The adjoint of `pick`: `place(x, int("i", [2, 0]), 3)` of
 * [5, 6] is [[0, 0, 5], [6, 0, 0]]. Throws a ShapeError if the shapes
 * do not fit, and a RuleError for an id outside of its row.
 * Shapes: x `...`, ids `...` → `... w`, where w = width.
 */
export const place = <I extends string>(x: Tensor<I>, ids: Int<NoInfer<I>>, width: number): Tensor =>
  applyRule("place", tables.place, { ids, width }, x);

/**
 * n consecutive numbers: from, from + 1, …
 * Shapes: → `n`.
 */
export const arange = <A extends string>(_axis: A, n: number, from = 0): Tensor<A> =>
  new Tensor<A>(
    [n],
    viewOf(
      Float64Array.from({ length: n }, (_, i) => from + i),
      [n],
    ),
  );

export const zerosLike = <A extends string>(x: Tensor<A>): Tensor<A> =>
  expand(new Tensor([], viewOf(new Float64Array(1), [])), x);
