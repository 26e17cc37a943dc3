// Patterns of axes: "b l (h k) -> b h l k". Axis names are words; (h k) is one axis joined from two; 1 is an axis of
// size one; "..." matches any leading axes, and is checked at run time, not by tsc.
import { ShapeError } from "./errors.ts";
import { type Any, type Bool, type Int, offsets, type Shape, shapeText, type Tensor } from "./tensor.ts";

export type Sizes = Record<string, number>;
/** A list of names for each axis: "b 1 (h k)" -> [[b], [], [h, k]]. */
type Axes = readonly (readonly string[])[];

/** A function of texts that keeps its results. Patterns come from code, so there are few. */
// @__NO_SIDE_EFFECTS__
export function kept<T>(parse: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    let found = known.get(text);
    if (found === undefined) {
      if (typeof text !== "string")
        throw new ShapeError(
          `a pattern is a text such as "b l (h k) -> b h l k", not ${typeof text}  [notation.pattern]`,
        );
      found = parse(text);
      known.set(text, found);
    }
    return found;
  };
}

/** A call in messages, with control characters of its pattern escaped: einsum("b l -> l b"). */
export const callOf = (op: string, pattern: string): string => `${op}(${JSON.stringify(String(pattern))})`;

/** Parses one side of a pattern. */
export const axesOf = kept((side): Axes => {
  const group = /\([^()]*\)|[^\s()]+/g;
  const axes = (side.match(group) ?? []).map((axis) =>
    (axis.match(/[^\s()]+/g) ?? []).filter((name) => name !== "1"),
  );
  const names = axes.flat();
  const rest = side.replace(group, "").trim();
  if (rest !== "" || names.some((name) => !/^([A-Za-z]\w*|\.\.\.|~\d+)$/.test(name)))
    throw new ShapeError(`${JSON.stringify(side)} is not a valid pattern  [notation.pattern]`);
  if (new Set(names).size < names.length)
    throw new ShapeError(
      `"${side}" names an axis twice; use two names, and for a diagonal multiply by an identity matrix  [notation.pattern]`,
    );
  return axes;
});

type Sides = readonly [string, string, ...string[]];

/** "a, b -> c" -> [a, b, c]: the operands and the result. */
export const sidesOf = kept((pattern): Sides => {
  const [operands, result, more] = pattern.split(" -> ");
  if (operands === undefined || result === undefined || more !== undefined)
    throw new ShapeError(`${JSON.stringify(pattern)} needs one arrow: "before -> after"  [notation.pattern]`);
  return [...operands.split(","), result].map((side) => side.trim()) as unknown as Sides;
});

/** The sides of a pattern, with ~0 ~1 … in place of "...", as many as the first operand with "..." has there. */
export function spread<S extends readonly string[]>(sides: S, ...shapes: readonly Shape[]): S {
  const i = sides.findIndex((side) => side.includes("..."));
  if (i < 0) return sides;
  const matched = (shapes[i] ?? []).slice(axesOf(sides[i] ?? "").length - 1);
  const names = matched.map((_, n) => `~${n}`).join(" ");
  return sides.map((side) => side.replace("...", names).trim()) as readonly string[] as S;
}

/** The shape that one side of a pattern describes. */
export function shapeOf(side: string, sizes: Sizes): number[] {
  return axesOf(side).map((names) =>
    names.reduce((product, name) => {
      const n = sizes[name];
      if (n === undefined) throw new ShapeError(`"${side}": axis "${name}" has no size  [notation.origin]`);
      return product * n;
    }, 1),
  );
}

/** The stride of every named axis of one side, joined axes split. */
export function namedStrides(stride: readonly number[], side: string, sizes: Sizes): Sizes {
  const strides: Sizes = {};
  for (const [i, names] of axesOf(side).entries()) {
    let step = stride[i] ?? 0;
    for (const name of names.toReversed()) {
      strides[name] = step;
      step *= sizes[name] ?? 1; // [ops.rearrange]
    }
  }
  return strides;
}

/** The sizes or strides of some axes; an axis that is not there has the stride 0. */
export const valuesAt = (values: Sizes, names: readonly string[]): number[] =>
  names.map((name) => values[name] ?? 0); // [ops.repeat]

/** The offsets of the elements along the named axes, in an array whose axes are `side`. */
export function axisOffsets(
  { stride }: { readonly stride: readonly number[] },
  side: string,
  names: readonly string[],
  sizes: Sizes,
): Int32Array {
  return offsets(valuesAt(sizes, names), valuesAt(namedStrides(stride, side, sizes), names));
}

/** The reason why a shape does not fit a side, given the known sizes, or null. Adds the sizes that the shape determines. */
function mismatch(side: string, shape: Shape, sizes: Sizes): string | null {
  const axes = axesOf(side);
  if (axes.length !== shape.length) return `"${side}" has ${axes.length} axes, the shape ${shape.length}`;
  for (const [i, names] of axes.entries()) {
    const n = shape[i] ?? 0;
    const unknown = names.filter((name) => sizes[name] === undefined);
    const known = names.reduce((product, name) => product * (sizes[name] ?? 1), 1);
    const [name, another] = unknown;
    if (another !== undefined) return `the sizes of ${unknown.join(" and ")} are ambiguous: give one of them`;
    if (name === undefined) {
      if (known !== n) return `axis "${names.join(" ") || "1"}" disagrees: ${n}, was ${known}`;
    } else if (n % known === 0) sizes[name] = n / known;
    else return `axis "${names.join(" ")}" of size ${n} is not a multiple of ${known}`;
  }
  return null;
}

/** Unifies the shape of an operand with a side of a pattern; throws a ShapeError whose place is `where`. */
export function unify(where: string, side: string, shape: Shape, sizes: Sizes): void {
  const reason = mismatch(side, shape, sizes);
  if (reason) throw new ShapeError(`${reason} (shape ${shapeText(shape)})  [notation.unify]`, where);
}

/** "b l (h k)" -> "b" | "l" | "h" | "k" */
export type Words<S extends string> = S extends `${infer A} ${infer B}`
  ? Words<A> | Words<B>
  : S extends `(${infer A}`
    ? Words<A>
    : S extends `${infer A})`
      ? Words<A>
      : S;

type Arguments<P extends Record<string, string>> = {
  readonly [K in keyof P]: readonly [{ readonly shape: Shape; readonly axes: NoInfer<P[K]> }, P[K]];
};

/**
 * Checks all arguments of a forward pass against their patterns and returns the sizes of their axes. Throws a ShapeError if an
 * argument is no array or the shapes disagree; its facts are all shapes by name then.
 *
 *     const { b, r } = shapes("MaskedCrossAttention", { x: [x, "b l d"], media: [media, "b m r e"] });
 */
export function shapes<const P extends Record<string, string>>(
  caller: string,
  args: Arguments<P>,
): Record<Words<P[keyof P]>, number> {
  const rows = Object.entries<readonly [{ readonly shape: Shape }, string]>(args);
  for (const [name, [argument, side]] of rows) checkArgument(caller, name, argument, side);
  const sizes: Sizes = {};
  for (const [, [{ shape }, side]] of rows) {
    if (mismatch(side, shape, sizes)) {
      const facts = Object.fromEntries(rows.map(([name, [{ shape }]]) => [name, shape]));
      throw new ShapeError(disagreement(rows), caller, facts); // [notation.unify]
    }
  }
  return sizes as Record<Words<P[keyof P]>, number>; // [types.patterns]
}

function checkArgument(caller: string, name: string, argument: unknown, side: string): void {
  if (Array.isArray((argument as { shape?: unknown } | null | undefined)?.shape)) return;
  const given = argument === null || argument === undefined ? "missing" : "no array";
  throw new ShapeError(`${name} is ${given}; give a tensor with the axes ${side}  [notation.unify]`, caller);
}

/** The message of `shapes`: every argument with its pattern, its shape and the sizes of its axes, and what is wrong with it. */
function disagreement(rows: [string, readonly [{ readonly shape: Shape }, string]][]): string {
  const sizes: Sizes = {};
  let title = "";
  const table = rows.map(([name, [{ shape }, side]]) => {
    const wrong = mismatch(side, shape, sizes);
    title ||= wrong ?? "";
    const bound = shape.flatMap((n, i) => {
      const [axis, joined] = axesOf(side)[i] ?? [];
      return axis && !joined ? `${axis}=${n}` : [];
    });
    return [name, side, shape.join(" "), [...bound, ...(wrong ? [` <- ${wrong}`] : [])].join(" ")];
  });
  const width = (column: number) => Math.max(...table.map((row) => row[column]?.length ?? 0));
  const lines = table.map((row) => row.map((cell, column) => cell.padEnd(width(column))).join("  "));
  return [`${title}  [notation.unify]`, ...lines.map((line) => line.trimEnd())].join("\n  ");
}

/**
 * The same array under other axis names, where two modules meet: `named("b s d", x)`. Throws a ShapeError if the number of axes
 * differs, which is all that can be checked.
 * Shapes: x `...` → `...`, with the axes of `to`.
 */
export function named<A extends string>(to: A, x: Tensor): Tensor<A>;
export function named<A extends string>(to: A, x: Bool): Bool<A>;
export function named<A extends string>(to: A, x: Int): Int<A>;
export function named(to: string, x: { shape: Shape }): Any {
  const call = callOf("named", to);
  checkArgument(call, "the operand", x, "named here");
  if (axesOf(to).length !== x.shape.length) {
    throw new ShapeError(`the shape is ${shapeText(x.shape)}  [notation.named]`, call);
  }
  return x;
}
