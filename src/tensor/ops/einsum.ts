// einsum("b l d, o d -> b l o") of two operands, in which every axis occurs in at least two of operands and result. (One operand is a
// rearrangement or a sum, see arrange.ts.)
import { ShapeError } from "../errors.ts";
import { axesOf, ellipsisRank, type Sizes, shapeOf, sidesOf, spread, unify } from "../pattern.ts";
import { offsets, type Shape, type View, zeros } from "../tensor.ts";
import { Located, matmul } from "./matmul.ts";
import type { Rule } from "./table.ts";

/** An einsum as batched matrix products: C[batch, m, n] = Σ_k A[batch, m, k] B[batch, k, n], each a list of axis names. */
export interface Contraction {
  readonly sizes: Sizes;
  readonly a: string;
  readonly b: string;
  readonly c: string;
  readonly batch: readonly string[];
  readonly m: readonly string[];
  readonly n: readonly string[];
  readonly k: readonly string[];
}

/** The two operands and the result of a pattern. */
export function placesOf(pattern: string): [string, string, string] {
  const [operands, c] = sidesOf(pattern);
  const [a, b, more] = operands.split(",").map((side) => side.trim()); // a scalar has an empty side
  if (a === undefined || b === undefined || more !== undefined) {
    throw new ShapeError(
      `the pattern must name one or two operands, "a -> c" or "a, b -> c"; contract more of them two at a time  [einsum.two-places]`,
      `einsum("${pattern}")`,
    );
  }
  return [a, b, c];
}

type Places = Omit<Contraction, "sizes">;
/** The roles of the axes of patterns, for each number of axes of an ellipsis. Patterns come from code, so there are few. */
const places = new Map<string, Places[]>();

export function contraction(pattern: string, shapeA: Shape, shapeB: Shape): Contraction {
  const [left, right] = placesOf(pattern);
  const extra = Math.max(0, ellipsisRank(left, shapeA.length), ellipsisRank(right, shapeB.length));
  const known = places.get(pattern) ?? [];
  const found = known[extra] ?? placesWith(pattern, extra);
  known[extra] = found;
  places.set(pattern, known);
  const sizes: Sizes = {};
  unify(`einsum("${pattern}")`, found.a, shapeA, sizes);
  unify(`einsum("${pattern}")`, found.b, shapeB, sizes);
  return { sizes, ...found };
}

/** The roles of the axes of a pattern whose ellipsis stands for `extra` axes. */
function placesWith(pattern: string, extra: number): Places {
  const [left, right, out] = placesOf(pattern);
  const [a, b, c] = [spread(left, extra), spread(right, extra), spread(out, extra)];
  if ([a, b, c].some((side) => axesOf(side).some((names) => names.length !== 1))) {
    throw new ShapeError(
      "axes stand alone here; split and join them with rearrange  [einsum.two-places]",
      `einsum("${pattern}")`,
    );
  }
  const [inA, inB, inC] = [a, b, c].map((side) => new Set(axesOf(side).flat())) as [
    Set<string>,
    Set<string>,
    Set<string>,
  ];
  checkPlaces(pattern, [inA, inB, inC]);
  return {
    ...{ a, b, c },
    batch: [...inC].filter((name) => inA.has(name) && inB.has(name)),
    m: [...inC].filter((name) => inA.has(name) && !inB.has(name)),
    n: [...inC].filter((name) => inB.has(name) && !inA.has(name)),
    k: [...inA].filter((name) => inB.has(name) && !inC.has(name)),
  };
}

const PLACES = ["the first operand", "the second operand", "the result"] as const;

/** Throws a ShapeError that names an axis which occurs once, and what to do with it. */
function checkPlaces(pattern: string, sides: readonly [Set<string>, Set<string>, Set<string>]): void {
  for (const [i, side] of sides.entries()) {
    const others = sides.filter((_, j) => j !== i);
    const alone = [...side].find((name) => !others.some((other) => other.has(name)));
    if (alone === undefined) continue;
    const remedy = i === 2 ? "add it with repeat afterwards" : "sum over it with sum first";
    throw new ShapeError(
      `axis "${alone}" occurs in ${PLACES[i]} only, and every axis must occur twice: ${remedy}  [einsum.two-places]`,
      `einsum("${pattern}")`,
    );
  }
}

/** The offsets of the elements along the named axes, in a view whose axes are `side`. */
export function axisOffsets(v: View, side: string, names: readonly string[], sizes: Sizes): Int32Array {
  const axes = axesOf(side).flat();
  return offsets(
    names.map((name) => sizes[name] ?? 1),
    names.map((name) => v.stride[axes.indexOf(name)] ?? 0),
  );
}

export const einsum: Rule<"einsum"> = {
  shape: ({ pattern }, a, b) => {
    const { c, sizes } = contraction(pattern, a, b);
    return shapeOf(c, sizes);
  },
  compute: ({ pattern }, a, b) => {
    const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
    const c = zeros(shapeOf(sides.c, sizes));
    const at = (v: View, side: string, names: readonly string[]) => axisOffsets(v, side, names, sizes);
    const [startsA, startsB, startsC] = [at(a, sides.a, batch), at(b, sides.b, batch), at(c, sides.c, batch)];
    const left = new Located(a.data, at(a, sides.a, m), at(a, sides.a, k));
    const right = new Located(b.data, at(b, sides.b, k), at(b, sides.b, n));
    const out = new Located(c.data, at(c, sides.c, m), at(c, sides.c, n));
    for (const [i, start] of startsC.entries()) {
      left.start = a.offset + (startsA[i] ?? 0);
      right.start = b.offset + (startsB[i] ?? 0);
      out.start = start;
      matmul(left, right, out); // [einsum.product]
    }
    return c;
  },
};
