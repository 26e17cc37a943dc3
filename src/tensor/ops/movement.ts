// Ops that move elements without changing them, and sums over axes of a pattern. The result is a view where strides allow.
import nops from "ndarray-ops";
import { ShapeError } from "../errors.ts";
import { axesOf, type Sizes, shapeOf, sidesOf } from "../pattern.ts";
import { flat, type Shape, type Strided, sizeOf, type View, view, zeros } from "../tensor.ts";
import { fold, plus } from "./reductions.ts";
import type { Rule } from "./table.ts";

type Typed = Parameters<typeof flat>[0]["data"];

/** The stride of every named axis of one side, joined axes split. Axes that the side does not name have stride 0. */
function strides(a: Strided<unknown>, side: string, sizes: Sizes): (name: string) => number {
  const of: Record<string, number> = {};
  for (const [i, names] of axesOf(side).entries()) {
    let step = a.stride[i] ?? 0;
    for (const name of [...names].reverse()) {
      of[name] = step;
      step *= sizes[name] ?? 1; // [ops.rearrange]
    }
  }
  return (name) => of[name] ?? 0; // [ops.repeat]
}

/** Shape and groups of axes of the right side of a pattern, with the strides of the left side. */
function layoutOf(a: Strided<unknown>, pattern: string, sizes: Sizes) {
  const [before, after] = sidesOf(pattern);
  const size = (name: string) => sizes[name] ?? 1;
  return { stride: strides(a, before, sizes), size, groups: axesOf(after), shape: shapeOf(after, sizes) };
}

/** The strides of the rearranged view, or null if joined axes are not adjacent in memory. */
export function viewStride(a: Strided<unknown>, pattern: string, sizes: Sizes): number[] | null {
  const { stride, size, groups } = layoutOf(a, pattern, sizes);
  const nontrivial = (names: readonly string[]) => names.filter((name) => size(name) !== 1);
  const joins = (names: readonly string[]) =>
    nontrivial(names).every((name, i, all) => {
      const next = all[i + 1];
      return next === undefined || stride(name) === stride(next) * size(next);
    });
  const step = (names: readonly string[]) => stride(nontrivial(names).at(-1) ?? "");
  return groups.every(joins) ? groups.map(step) : null;
}

/**
 * Permutes, splits, joins and repeats axes: a view where strides allow. Joined axes that are not adjacent in memory
 * are copied, but axes that are repeated on their own stay repeated (stride 0).
 */
export function rearranged<D extends Typed>(a: Strided<D>, pattern: string, sizes: Sizes): Strided<D> {
  const { stride, size, groups, shape } = layoutOf(a, pattern, sizes);
  const joined = viewStride(a, pattern, sizes);
  if (joined) return { data: a.data, shape, stride: joined, offset: a.offset }; // [ops.no-copy]
  const repeated = (names: readonly string[]) => names.every((name) => stride(name) === 0);
  const parts = groups.flatMap((names) => (repeated(names) ? [] : names));
  const dense = flat({ data: a.data, shape: parts.map(size), stride: parts.map(stride), offset: a.offset });
  let step = sizeOf(parts.map(size));
  const denseStride = groups.map((names, i) => {
    if (repeated(names)) return 0;
    step = shape[i] === 0 ? 0 : step / (shape[i] ?? 1);
    return step;
  });
  return { data: dense, shape, stride: denseStride, offset: 0 };
}

const asView = ({ data, shape, stride, offset }: Strided<View["data"]>): View =>
  view(data, shape, stride, offset);

export const rearrange: Rule<"rearrange"> = {
  exact: true,
  view: true,
  shape: ({ pattern, sizes }) => shapeOf(sidesOf(pattern)[1], sizes),
  compute: ({ pattern, sizes }, a) => asView(rearranged(a, pattern, sizes)),
};

/** Sums over the axes that the right side of the pattern does not have. */
export const sum: Rule<"sum"> = {
  shape: ({ pattern, sizes }) => shapeOf(sidesOf(pattern)[1], sizes),
  compute: ({ pattern, sizes }, a) => {
    const [before, after] = sidesOf(pattern);
    const kept = axesOf(after).flat();
    const summed = axesOf(before)
      .flat()
      .filter((name) => !kept.includes(name)); // [ops.sum]
    const ordered = rearranged(a, `${before} -> ${[...summed, ...kept].join(" ")}`, sizes);
    const total = fold(
      asView(ordered),
      kept.map((name) => sizes[name] ?? 1),
      0,
      plus,
    );
    return view(total.data, shapeOf(after, sizes));
  },
};

const resized = (shape: Shape, axis: number, n: number): number[] =>
  shape.map((m, i) => (i === axis ? n : m));

const cut = (a: View, axis: number, from: number, to: number): View =>
  view(a.data, resized(a.shape, axis, to - from), a.stride, a.offset + from * (a.stride[axis] ?? 0));

const assign = (out: View, x: View): void => {
  if (x.size > 0) nops.assign(out, x);
};

export const concat: Rule<"concat"> = {
  exact: true,
  shape: ({ axis }, ...shapes) => {
    const first = shapes[0] ?? [];
    for (const shape of shapes) {
      const differs = shape.length !== first.length || shape.some((n, i) => i !== axis && n !== first[i]);
      if (differs || first[axis] === undefined) {
        throw new ShapeError(
          `[${first.join(" ")}] and [${shape.join(" ")}] do not join along axis ${axis}  [ops.concat]`,
        );
      }
    }
    return resized(
      first,
      axis,
      shapes.reduce((total, shape) => total + (shape[axis] ?? 0), 0),
    );
  },
  compute: ({ axis }, ...views) => {
    const out = zeros(concat.shape({ axis }, ...views.map((v) => v.shape)));
    let from = 0;
    for (const v of views) {
      const to = from + (v.shape[axis] ?? 0);
      assign(cut(out, axis, from, to), v);
      from = to; // [ops.concat]
    }
    return out;
  },
};

export const slice: Rule<"slice"> = {
  exact: true,
  view: true,
  shape: ({ axis, from, to }, a) => {
    const n = a[axis];
    const isWhole = Number.isInteger(from) && Number.isInteger(to);
    if (n === undefined || !isWhole || from < 0 || to < from || to > n) {
      throw new ShapeError(`slice ${from}..${to} of axis ${axis} is outside [${a.join(" ")}]  [ops.slice]`);
    }
    return resized(a, axis, to - from);
  },
  compute: ({ axis, from, to }, a) => cut(a, axis, from, to),
};

export const pad: Rule<"pad"> = {
  exact: true,
  shape: ({ axis, before, after }, a) => {
    const n = a[axis];
    if (n === undefined || ![before, after].every((m) => Number.isInteger(m) && m >= 0)) {
      throw new ShapeError(`pad ${before} and ${after} along axis ${axis} of [${a.join(" ")}]  [ops.pad]`);
    }
    return resized(a, axis, n + before + after);
  },
  compute: (attrs, a) => {
    const out = zeros(pad.shape(attrs, a.shape));
    assign(cut(out, attrs.axis, attrs.before, attrs.before + (a.shape[attrs.axis] ?? 0)), a);
    return out;
  },
};
