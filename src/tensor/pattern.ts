// Patterns of axes: "b l (h k) -> b h l k". Axis names are words; (h k) is one axis joined from two; 1 is an axis of
// size one; "..." matches any leading axes and is used in library code (nn) only.
import { ShapeError } from "./errors.ts";
import type { Any, Bool, Int, Shape, Tensor } from "./tensor.ts";

export type Sizes = Record<string, number>;
/** A list of names for each axis: "b 1 (h k)" -> [[b], [], [h, k]]. */
type Axes = readonly (readonly string[])[];

const parsed = new Map<string, Axes>();

/** Parses one side of a pattern. */
export function axesOf(side: string): Axes {
  if (typeof side !== "string") throw notText(side);
  let axes = parsed.get(side);
  if (axes === undefined) {
    const word = /\([^()]*\)|[^\s()]+/g;
    const groups = side.match(word) ?? [];
    axes = groups.map((group) =>
      group
        .replace(/[()]/g, "")
        .split(" ")
        .filter((name) => name !== "" && name !== "1"),
    );
    const names = axes.flat();
    const malformed = side.replace(word, "").trim() !== "";
    if (malformed || names.some((name) => !/^([A-Za-z]\w*|\.\.\.|~\d+)$/.test(name))) {
      throw new ShapeError(`"${side}" is not a valid pattern  [notation.pattern]`);
    }
    if (new Set(names).size < names.length) {
      throw new ShapeError(
        `"${side}" names an axis twice; give the second another name, and multiply by an identity matrix first where a diagonal is meant  [notation.pattern]`,
      );
    }
    parsed.set(side, axes);
  }
  return axes;
}

const notText = (pattern: unknown): ShapeError =>
  new ShapeError(
    `a pattern is a text such as "b l (h k) -> b h l k", not ${typeof pattern}  [notation.pattern]`,
  );

const sides = new Map<string, readonly [string, string]>();

/** "a -> b" -> [a, b] */
export function sidesOf(pattern: string): readonly [string, string] {
  if (typeof pattern !== "string") throw notText(pattern);
  const known = sides.get(pattern);
  if (known) return known;
  const [left, right, more] = pattern.split(" -> ");
  if (left === undefined || right === undefined || more !== undefined) {
    throw new ShapeError(`"${pattern}" needs one arrow: "before -> after"  [notation.pattern]`);
  }
  const both = [left.trim(), right.trim()] as const;
  sides.set(pattern, both);
  return both;
}

/** Replaces "..." by ~0 ~1 … for `extra` leading axes. */
export function spread(side: string, extra: number): string {
  if (!side.includes("...")) return side.trim();
  return side.replace("...", Array.from({ length: extra }, (_, i) => `~${i}`).join(" ")).trim();
}

/** The number of axes that "..." matches in an operand of this rank. */
export const ellipsisRank = (side: string, rank: number): number =>
  side.includes("...") ? rank - axesOf(side).length + 1 : 0;

/** A pattern with its ellipsis replaced for an operand of this rank. */
export function spreadPattern(pattern: string, rank: number): [string, string] {
  const [left, right] = sidesOf(pattern);
  const extra = ellipsisRank(left, rank);
  return [spread(left, extra), spread(right, extra)];
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

/** The reason why a shape does not fit a side, given the known sizes, or null. Adds the sizes that the shape determines. */
function mismatch(side: string, shape: Shape, sizes: Sizes): string | null {
  const axes = axesOf(side);
  if (axes.length !== shape.length) return `"${side}" has ${axes.length} axes, the shape ${shape.length}`;
  for (const [i, names] of axes.entries()) {
    const n = shape[i] ?? 0;
    const unknown = names.filter((name) => sizes[name] === undefined);
    const known = names.reduce((product, name) => product * (sizes[name] ?? 1), 1);
    const [name] = unknown;
    if (unknown.length > 1) return `the sizes of ${unknown.join(" and ")} are ambiguous: give one of them`;
    if (name === undefined) {
      if (known !== n) return `axis "${names.join(" ") || "1"}" disagrees: ${n}, was ${known}`;
    } else {
      if (known === 0 || n % known !== 0)
        return `axis "${names.join(" ")}" of size ${n} is not a multiple of ${known}`;
      sizes[name] = n / known;
    }
  }
  return null;
}

/** Unifies the shape of an operand with a side of a pattern; throws a ShapeError whose place is `where`. */
export function unify(where: string, side: string, shape: Shape, sizes: Sizes): void {
  const reason = mismatch(side, shape, sizes);
  if (reason) throw new ShapeError(`${reason} (shape [${shape.join(" ")}])  [notation.unify]`, where);
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
      throw new ShapeError(disagreement(caller, rows), caller, facts); // [notation.unify]
    }
  }
  return sizes as Record<Words<P[keyof P]>, number>; // [types.patterns]
}

function checkArgument(caller: string, name: string, argument: unknown, side: string): void {
  const hasShape = typeof argument === "object" && argument !== null && "shape" in argument;
  if (hasShape && Array.isArray(argument.shape)) return;
  const given = argument === null || argument === undefined ? `missing (${argument})` : "no array";
  throw new ShapeError(
    `${name} is ${given}; it must be a tensor with the axes ${side}  [notation.unify]`,
    caller,
  );
}

/** The axes of one row with their sizes as text, up to the first that differs from an earlier row; `clash` is its name. */
function bindings(side: string, shape: Shape, sizes: Sizes): { text: string; clash: string | null } {
  const axes = axesOf(side);
  const parts: string[] = [];
  if (axes.length === shape.length) {
    for (const [i, [axis, ...joined]] of axes.entries()) {
      if (axis === undefined || joined.length > 0) continue;
      parts.push(`${axis}=${shape[i]}`);
      if ((sizes[axis] ?? shape[i]) !== shape[i]) return { text: parts.join(" "), clash: axis };
    }
  }
  return { text: parts.join(" "), clash: null };
}

/** Spaces after the columns name, pattern and shape. The rule's id ends in column 80. */
const GAPS = [2, 4, 5];
const TITLE = 80 - "ShapeError [notation.unify]".length;

/** The message of `shapes`: every argument with its pattern, shape and bindings, and the argument that it disagrees with. */
function disagreement(
  caller: string,
  rows: [string, readonly [{ readonly shape: Shape }, string]][],
): string {
  const sizes: Sizes = {};
  const origin: Record<string, string> = {};
  let title = "";
  const table = rows.map(([name, [{ shape }, side]]) => {
    const { text, clash } = bindings(side, shape, sizes);
    const was = clash && `was ${sizes[clash]} (from ${origin[clash]})`;
    const wrong = mismatch(side, shape, sizes);
    for (const axis of Object.keys(sizes)) origin[axis] ??= name;
    title ||= clash ? `axis "${clash}" disagrees` : (wrong ?? "");
    return [name, side, shape.join(" "), wrong ? `${text}  <- ${was ?? wrong}`.trim() : text];
  });
  const width = (column: number) => Math.max(...table.map((row) => row[column]?.length ?? 0));
  const padded = (cell: string, column: number) => cell.padEnd(width(column) + (GAPS[column] ?? 0));
  const lines = table.map((row) => row.map(padded).join("").trimEnd());
  const room = TITLE - `in ${caller}: `.length;
  return [`${`${title}  `.padEnd(room)}[notation.unify]`, ...lines].join("\n  ");
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
  checkArgument(`named("${to}")`, "the operand", x, `"${to}"`);
  if (axesOf(to).length !== x.shape.length) {
    throw new ShapeError(`the shape is [${x.shape.join(" ")}]  [notation.named]`, `named("${to}")`);
  }
  return x;
}
