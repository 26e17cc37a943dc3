// Ops that move elements and cannot be expressed as views.

import { gather as gatherRule } from "../../../tensor/ops/gather.ts";
import { concat as concatRule, pad as padRule } from "../../../tensor/ops/movement.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { flat, sizeOf, type View, view } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { divideRows } from "./elementwise.ts";

/** Copies `a` into `out`, a view of the same shape whose last axis is contiguous. */
function copyInto(engine: Engine, out: View, a: View): void {
  if (a.size === 0) return;
  engine.withTemporaries(() => {
    const from = engine.operand(a);
    const to = engine.operand(out);
    const { n, count, operands } = rowsOf(a.shape, [from.stride, to.stride], { keepLastAxis: true });
    const { tasks, words } = divideRows(out, n, count);
    const [x, y] = operands;
    words[0] = to.address;
    words.push(from.address, engine.list(x?.offsets ?? []), x?.stride ?? 0, engine.list(y?.offsets ?? []));
    engine.threads.run("copy", { tasks, words, cost: 0.5 * a.size });
  });
}

/** The part of `out` that begins at index `from` of an axis and has the shape of `a`. */
function part(out: View, axis: number, from: number, a: View): View {
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

export function gather(engine: Engine, attrs: Ops["gather"]["attrs"], table: View): View {
  const out = engine.result(gatherRule.shape(attrs, table.shape));
  const width = sizeOf(table.shape.slice(1));
  const rows = flat(table);
  flat(attrs.ids).forEach((id, i) => {
    out.data.set(rows.subarray(id * width, (id + 1) * width), i * width);
  });
  return out;
}
