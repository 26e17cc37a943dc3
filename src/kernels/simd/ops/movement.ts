// Ops that move elements and cannot be expressed as views, and the sum of rows that move to one place.

import {
  gather as gatherRule,
  pick as pickRule,
  place as placeRule,
  scatter as scatterRule,
} from "../../../tensor/ops/gather.ts";
import { concat as concatRule, pad as padRule } from "../../../tensor/ops/movement.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { contiguous, type Floats, flat, offsets, sizeOf, type View, view } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { divideRows } from "./elementwise.ts";

/** The same elements with an axis along which `out` is contiguous as the last one; a new axis of size 1 if there is none. */
function byRows(out: View, a: View): readonly [out: View, a: View] {
  const axis = out.stride.lastIndexOf(1);
  if (axis >= 0 && axis === out.stride.length - 1) return [out, a];
  const moved = <T>(list: readonly T[], one: T): T[] => [
    ...list.filter((_, i) => i !== axis),
    list[axis] ?? one,
  ];
  const one = ({ data, shape, stride, offset }: View): View =>
    view(data, moved(shape, 1), moved(stride, 1), offset);
  return [one(out), one(a)];
}

/**
 * Copies `a` into `out`, a view of the same shape, with any strides. `result` is the block to free if this fails, by default the one
 * reserved last.
 */
export function copyInto(engine: Engine, out: View, a: View, result?: number): void {
  if (sizeOf(a.shape) === 0) return;
  engine.withTemporaries(() => {
    const [rows, elements] = byRows(out, a);
    const from = engine.operand(elements);
    const to = engine.operand(rows);
    const { n, count, operands } = rowsOf(elements.shape, [from.stride, to.stride], { keepLastAxis: true });
    const { tasks, words } = divideRows(out, n, count);
    const [x, y] = operands;
    words[0] = to.address;
    words.push(from.address, engine.list(x?.offsets ?? []), x?.stride ?? 0, engine.list(y?.offsets ?? []));
    engine.threads.run("copy", { tasks, words, cost: 0.5 * sizeOf(a.shape) });
  }, result);
}

/** The part of `out` that begins at index `from` of an axis and has the shape of `a`. */
export function part(out: View, axis: number, from: number, a: View): View {
  return view(out.data, a.shape, out.stride, out.offset + from * (out.stride[axis] ?? 0));
}

export function concat(engine: Engine, { axis }: Ops["concat"]["attrs"], views: readonly View[]): View {
  const out = engine.result(concatRule.shape({ axis }, ...views.map((v) => v.shape)));
  let from = 0;
  for (const v of views) {
    copyInto(engine, part(out, axis, from, v), v);
    from += v.shape[axis] ?? 0;
  }
  return out;
}

export function pad(engine: Engine, attrs: Ops["pad"]["attrs"], a: View): View {
  const out = engine.result(padRule.shape(attrs, a.shape));
  out.data.fill(0);
  copyInto(engine, part(out, attrs.axis, attrs.before, a), a);
  return out;
}

/** Stored weights of which rows can be looked up. */
export interface Lookups {
  /** Copies rows to `out`; false if `table` is an ordinary view. */
  lookUp(table: View, ids: Int32Array, out: Floats): boolean;
}

export function gather(
  engine: Engine,
  attrs: Ops["gather"]["attrs"],
  table: View,
  weights: Lookups = { lookUp: () => false },
): View {
  const out = engine.result(gatherRule.shape(attrs, table.shape));
  const ids = flat(attrs.ids);
  const width = sizeOf(table.shape.slice(1));
  engine.withTemporaries(() => {
    if (sizeOf(out.shape) === 0 || weights.lookUp(table, ids, out.data)) return;
    const rows = flat(table);
    ids.forEach((id, i) => {
      out.data.set(rows.subarray(id * width, (id + 1) * width), i * width);
    });
  });
  return out;
}

/** The positions of rows in the order of their targets, each target that occurs, and where its rows begin in that order. */
function byTarget(ids: Int32Array, rows: number) {
  const ends = new Int32Array(rows + 1);
  for (const id of ids) ends[id + 1] = (ends[id + 1] ?? 0) + 1;
  const targets = [...ends.keys()].filter((row) => row < rows && (ends[row + 1] ?? 0) > 0);
  for (let row = 1; row <= rows; row++) ends[row] = (ends[row] ?? 0) + (ends[row - 1] ?? 0);
  const begins = [...targets.map((row) => ends[row] ?? 0), ids.length];
  const order = new Int32Array(ids.length);
  for (const [i, id] of ids.entries()) {
    order[ends[id] ?? 0] = i;
    ends[id] = (ends[id] ?? 0) + 1;
  }
  return { order, targets, begins };
}

/** The view itself if each of its rows is contiguous, otherwise a copy of it. `axes` is the number of axes before a row's. */
function withContiguousRows(engine: Engine, a: View, axes: number): View {
  const row = { ...a, shape: a.shape.slice(axes), stride: a.stride.slice(axes) };
  if (contiguous(row)) return a;
  const copy = engine.result(a.shape);
  copyInto(engine, copy, a);
  return copy;
}

export function scatter(engine: Engine, attrs: Ops["scatter"]["attrs"], a: View): View {
  const source = withContiguousRows(engine, a, attrs.ids.shape.length);
  try {
    return addedRows(engine, attrs, source);
  } finally {
    if (source !== a) engine.heap.free(source.data.byteOffset);
  }
}

function addedRows(engine: Engine, attrs: Ops["scatter"]["attrs"], source: View): View {
  const { ids, rows } = attrs;
  const axes = ids.shape.length;
  const out = engine.result(scatterRule.shape(attrs, source.shape));
  out.data.fill(0);
  if (sizeOf(source.shape) === 0 || sizeOf(out.shape) === 0) return out;
  engine.withTemporaries(() => {
    const x = engine.operand(source);
    const { order, targets, begins } = byTarget(flat(ids), rows);
    const starts = offsets(source.shape.slice(0, axes), source.stride.slice(0, axes));
    const n = sizeOf(source.shape.slice(axes));
    const { words } = divideRows(out, n, targets.length);
    words.push(x.address, engine.list(order.map((i) => starts[i] ?? 0)));
    words.push(engine.list(targets), engine.list(begins));
    engine.threads.run("scatter", {
      tasks: Math.ceil(targets.length / (words[3] ?? 1)),
      words,
      cost: 0.5 * sizeOf(source.shape),
    });
  });
  return out;
}

export function pick(engine: Engine, attrs: Ops["pick"]["attrs"], a: View): View {
  const out = engine.result(pickRule.shape(attrs, a.shape));
  const rows = offsets(a.shape.slice(0, -1), a.stride.slice(0, -1), a.offset);
  const step = a.stride.at(-1) ?? 0;
  for (const [i, id] of flat(attrs.ids).entries()) out.data[i] = a.data[(rows[i] ?? 0) + id * step] ?? 0;
  return out;
}

export function place(engine: Engine, attrs: Ops["place"]["attrs"], a: View): View {
  const out = engine.result(placeRule.shape(attrs, a.shape));
  const values = flat(a);
  out.data.fill(0);
  for (const [i, id] of flat(attrs.ids).entries()) out.data[i * attrs.width + id] = values[i] ?? 0;
  return out;
}
