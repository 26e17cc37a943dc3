// Derivatives. g is d loss / d y for y = op(x…); each entry gives d loss / d x… in terms of the same ops, so that gradients can be
// differentiated again. null: the derivative of this operand is zero.
import { einsum, pad, slice } from "../ops/arrange.ts";
import {
  addScalar,
  cos,
  div,
  equal,
  exp,
  expand,
  geluGrad,
  mul,
  mulScalar,
  neg,
  positive,
  sin,
  square,
  sub,
  sumLast,
  unbroadcast,
} from "../ops/functions.ts";
import { apply } from "../ops/rules.ts";
import type { Each, Mask, OpName, Ops } from "../ops/table.ts";
import { sidesOf } from "../pattern.ts";
import type { Tensor } from "../tensor.ts";

type Vjp<K extends OpName> = (
  g: Tensor,
  x: Ops[K]["in"],
  y: Tensor,
  attrs: Ops[K]["attrs"],
) => Each<Ops[K]["in"], Tensor | null>;

const flip = (pattern: string): string => [...sidesOf(pattern)].reverse().join(" -> ");
const rowSums = (x: Tensor): Tensor => expand(sumLast(x), x);
const normalPdf = (x: Tensor): Tensor =>
  mulScalar(exp(mulScalar(square(x), -0.5)), 1 / Math.sqrt(2 * Math.PI));
const oneMinus = (x: Tensor): Tensor => addScalar(neg(x), 1);
const allowed = (keep: Mask, g: Tensor): Tensor => apply("where", { keep, otherwise: 0 }, g);

/** The vector-Jacobian product of each op. [vjp.rules] */
export const vjp: { readonly [K in OpName]: Vjp<K> } = {
  add: (g) => [g, g],
  sub: (g) => [g, neg(g)],
  mul: (g, [a, b]) => [mul(g, b), mul(g, a)],
  div: (g, [, b], y) => [div(g, b), neg(div(mul(g, y), b))],
  equal: () => [null, null],
  neg: (g) => [neg(g)],
  exp: (g, _, y) => [mul(g, y)],
  log: (g, [x]) => [div(g, x)],
  sqrt: (g, _, y) => [mulScalar(div(g, y), 0.5)],
  sin: (g, [x]) => [mul(g, cos(x))],
  cos: (g, [x]) => [neg(mul(g, sin(x)))],
  tanh: (g, _, y) => [mul(g, oneMinus(square(y)))],
  sigmoid: (g, _, y) => [mul(g, mul(y, oneMinus(y)))],
  gelu: (g, [x]) => [mul(g, geluGrad(x))],
  geluGrad: (g, [x]) => [mul(g, mul(normalPdf(x), addScalar(neg(square(x)), 2)))], // φ(x)(2 − x²)
  relu: (g, [x]) => [mul(g, positive(x))], // [relu.slope]
  positive: () => [null],
  mulScalar: (g, _, __, { by }) => [mulScalar(g, by)],
  addScalar: (g) => [g],
  where: (g, _, __, { keep }) => [allowed(keep, g)],
  unbroadcast: (g, [x]) => [expand(g, x)],
  // Equal maxima share the derivative equally.
  maxTo: (g, [x], y) => {
    const top = equal(x, expand(y, x));
    return [mul(expand(div(g, unbroadcast(top, y.shape)), x), top)]; // [vjp.ties]
  },
  expand: (g, [x]) => [unbroadcast(g, x.shape)],
  sumExp: (g, [x, shift], y) => [mul(exp(sub(x, expand(shift, x))), expand(g, x)), neg(mul(g, y))],
  // y ⊙ (g − Σ y ⊙ g), and zero for masked entries, so that an empty row has a gradient of zero.
  softmax: (g, _, y, { mayAttend }) => {
    const d = mul(y, sub(g, rowSums(mul(g, y))));
    return [mayAttend ? allowed(mayAttend, d) : d]; // [softmax.empty-row-gradient]
  },
  // The derivative of a contraction is a contraction with operands and result exchanged.
  einsum: (g, [a, b], _, { pattern }) => {
    const [A, B, C] = sidesOf(pattern);
    return [einsum(`${C}, ${B} -> ${A}`, g, b), einsum(`${A}, ${C} -> ${B}`, a, g)];
  },
  rearrange: (g, _, __, { pattern, sizes }) => [apply("rearrange", { pattern: flip(pattern), sizes }, g)],
  repeat: (g, _, __, { pattern, sizes }) => [apply("sum", { pattern: flip(pattern), sizes }, g)],
  sum: (g, _, __, { pattern, sizes }) => [apply("repeat", { pattern: flip(pattern), sizes }, g)],
  concat: (g, xs, _, { axis }) => {
    let from = 0;
    return xs.map((x) => {
      const to = from + (x.shape[axis] ?? 0);
      const part = slice(g, axis, from, to);
      from = to;
      return part;
    });
  },
  slice: (g, [x], _, { axis, from, to }) => [pad(g, axis, from, (x.shape[axis] ?? 0) - to)],
  pad: (g, [x], _, { axis, before }) => [slice(g, axis, before, before + (x.shape[axis] ?? 0))],
  windows: (g, [x], _, { axis, step }) => [apply("overlap", { axis, step, length: x.shape[axis] ?? 0 }, g)],
  overlap: (g, [x], _, { axis, step }) => [apply("windows", { axis, step, size: x.shape.at(-1) ?? 0 }, g)],
  gather: (g, [table], _, { ids }) => [apply("scatter", { ids, rows: table.shape[0] ?? 0 }, g)],
  scatter: (g, _, __, { ids }) => [apply("gather", { ids }, g)],
  pick: (g, [x], _, { ids }) => [apply("place", { ids, width: x.shape.at(-1) ?? 0 }, g)],
  place: (g, _, __, { ids }) => [apply("pick", { ids }, g)],
  detach: () => [null],
  tap: (g) => [g],
};
