// einsum("b l d, o d -> b l o") of two operands, in which every axis occurs in at least two of operands and result. (One operand is a
// rearrangement or a sum, see arrange.ts.)
import { ShapeError } from "../errors.ts";
import {
  axesOf,
  axisOffsets,
  callOf,
  kept,
  type Sizes,
  shapeOf,
  sidesOf,
  spread,
  unify,
} from "../pattern.ts";
import { type Shape, type View, zeros } from "../tensor.ts";
import { type Matrices, matmul } from "./matmul.ts";
import type { Rule } from "./table.ts";

/** The sides of a pattern and the roles of its axes: C[batch, m, n] = Σ_k A[batch, m, k] B[batch, k, n], each a list of names. */
interface Roles {
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly batch: readonly string[];
  readonly m: readonly string[];
  readonly n: readonly string[];
  readonly k: readonly string[];
}

/** An einsum as batched matrix products. */
export interface Contraction extends Roles {
  readonly sizes: Sizes;
}

const refused = (pattern: string, problem: string): ShapeError =>
  new ShapeError(`${problem}  [einsum.two-places]`, callOf("einsum", pattern));

/** The roles of the axes of a pattern with two operands and without "...". */
const rolesOf = kept((pattern): Roles => {
  const [a, b, c = ""] = sidesOf(pattern);
  const sides = [a, b, c].map(axesOf);
  if (sides.flat().some((names) => names.length !== 1))
    throw refused(pattern, "axes stand alone here; split and join them with rearrange");
  const names = sides.flat(2);
  const alone = names.find((name) => names.indexOf(name) === names.lastIndexOf(name));
  if (alone)
    throw refused(
      pattern,
      `axis "${alone}" occurs once: sum over it with sum first, or add it with repeat afterwards`,
    );
  const [inA = [], inB = [], inC = []] = sides.map((side) => side.flat());
  return {
    ...{ a, b, c },
    batch: inC.filter((name) => inA.includes(name) && inB.includes(name)),
    m: inC.filter((name) => !inB.includes(name)),
    n: inC.filter((name) => !inA.includes(name)),
    k: inA.filter((name) => !inC.includes(name)),
  };
});

export function contraction(pattern: string, shapeA: Shape, shapeB: Shape): Contraction {
  const [a, b, c, more] = spread(sidesOf(pattern), shapeA, shapeB);
  if (c === undefined || more !== undefined)
    throw refused(pattern, "einsum takes one or two operands; contract more of them two at a time");
  const roles = rolesOf(`${a}, ${b} -> ${c}`);
  const sizes: Sizes = {};
  const where = callOf("einsum", pattern);
  unify(where, a, shapeA, sizes);
  unify(where, b, shapeB, sizes);
  return { sizes, ...roles };
}

/** An array with the axes `side` as matrices, one for each element along the axes `batch`. */
export function matricesOf(
  v: View,
  side: string,
  sizes: Sizes,
  batch: readonly string[],
  rows: readonly string[],
  columns: readonly string[],
): Matrices {
  const at = (names: readonly string[]) => axisOffsets(v, side, names, sizes);
  return {
    data: v.data,
    starts: at(batch).map((start) => v.offset + start),
    rows: at(rows),
    columns: at(columns),
  };
}

export const einsum: Rule<"einsum"> = {
  shape: ({ pattern }, a, b) => {
    const { c, sizes } = contraction(pattern, a, b);
    return shapeOf(c, sizes);
  },
  compute: ({ pattern }, a, b) => {
    const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
    const c = zeros(shapeOf(sides.c, sizes));
    matmul(
      matricesOf(a, sides.a, sizes, batch, m, k),
      matricesOf(b, sides.b, sizes, batch, k, n),
      matricesOf(c, sides.c, sizes, batch, m, n),
    ); // [einsum.product]
    return c;
  },
};
