// Softmax, layer normalisation, maxima and sums of exponentials.
import { emptyRowWeight, maxTo as maxToRule, sumExp as sumExpRule } from "../../../tensor/ops/reductions.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import { flat, type Shape, sizeOf, type View, view } from "../../../tensor/tensor.ts";
import type { NormalizeAttrs } from "../../backend.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";
import { divideRows, elements } from "./elementwise.ts";

export function softmax(engine: Engine, { mayAttend, emptyRow }: Ops["softmax"]["attrs"], a: View): View {
  const out = engine.result(a.shape);
  if (sizeOf(out.shape) > 0)
    engine.withTemporaries(() => {
      const x = engine.operand(a);
      const mask = mayAttend && engine.maskOperand(mayAttend);
      const { n, count, operands } = rowsOf(a.shape, [x.stride, mask?.stride ?? out.stride], {
        keepLastAxis: true,
      });
      const { tasks, words } = divideRows(out, n, count);
      const [p, q] = operands;
      words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0);
      words.push(mask?.address ?? 0, engine.list(q?.offsets ?? []), q?.stride ?? 0);
      words.push(bits(emptyRowWeight(emptyRow, n)));
      engine.threads.run("softmax", { tasks: Math.min(tasks, count), words, cost: 3 * sizeOf(out.shape) });
    });
  return out;
}

export function normalize(engine: Engine, { epsilon, centred }: NormalizeAttrs, a: View): View {
  const out = engine.result(a.shape);
  if (sizeOf(out.shape) > 0)
    engine.withTemporaries(() => {
      const x = engine.operand(a);
      const { n, count, operands } = rowsOf(a.shape, [x.stride], { keepLastAxis: true });
      const { words } = divideRows(out, n, count);
      const [p] = operands;
      words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0, bits(epsilon), Number(centred));
      engine.threads.run("normalize", {
        tasks: Math.ceil(count / (words[3] ?? 1)),
        words,
        cost: 3 * sizeOf(out.shape),
      });
    });
  return out;
}

/** Up to this size, an axis is reduced slice by slice, with vectors along the other axes. */
const FEW = 16;

/** The maximum along one axis, which the result does not have. A view where the axis has size 1. */
function maxAlong(engine: Engine, a: View, axis: number): View {
  const n = a.shape[axis] ?? 0;
  const without = <T>(list: readonly T[]): T[] => list.filter((_, i) => i !== axis);
  const [shape, stride] = [without(a.shape), without(a.stride)];
  const step = a.stride[axis] ?? 0;
  const slice = (i: number): View => view(a.data, shape, stride, a.offset + i * step);
  if (n === 1) return slice(0);
  const out = engine.result(shape);
  if (n === 0) out.data.fill(-Infinity);
  else if (n <= FEW) {
    elements(engine, "max", {}, slice(0), slice(1), out);
    for (let i = 2; i < n; i++) elements(engine, "max", {}, out, slice(i), out);
  } else reduceRows(engine, "maxima", view(a.data, [...shape, n], [...stride, step], a.offset), out);
  return out;
}

/** A number for each row of x (its last axis), into `out`. `more` are further arguments of the kernel. */
function reduceRows(
  engine: Engine,
  kernel: "maxima" | "sumExp",
  a: View,
  out: View,
  more: () => readonly number[] = () => [],
): void {
  if (sizeOf(out.shape) === 0) return;
  engine.withTemporaries(() => {
    const x = engine.operand(a);
    const { n, count, operands } = rowsOf(a.shape, [x.stride], { keepLastAxis: true });
    const { words } = divideRows(out, Math.max(n, 1), count);
    const [p] = operands;
    words[1] = n;
    words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0, ...more());
    const cost = (kernel === "maxima" ? 0.3 : 2) * sizeOf(a.shape);
    engine.threads.run(kernel, { tasks: Math.ceil(count / (words[3] ?? 1)), words, cost });
  });
}

export function maxTo(engine: Engine, { shape }: Ops["maxTo"]["attrs"], a: View): View {
  maxToRule.shape({ shape }, a.shape);
  const leading = a.shape.length - shape.length;
  let out = a;
  for (let axis = a.shape.length - 1; axis >= 0; axis--) {
    if (axis >= leading && shape[axis - leading] === a.shape[axis]) continue;
    out = replaced(engine, out, a, (before) => maxAlong(engine, before, axis));
  }
  return expanded(out, shape);
}

/** The result of a step on an intermediate result, which is freed unless it is the operand or the step returns a view of it. */
function replaced(engine: Engine, before: View, operand: View, step: (v: View) => View): View {
  let after: View | undefined;
  try {
    after = step(before);
    return after;
  } finally {
    if (before.data !== operand.data && before.data !== after?.data) engine.heap.free(before.data.byteOffset);
  }
}

/** The view with its axes of size 1 that `shape` has in addition. */
function expanded(v: View, shape: Shape): View {
  let axis = 0;
  const kept = (n: number) => n === v.shape[axis];
  const stride = shape.map((n) => (kept(n) ? (v.stride[axis++] ?? 0) : 0));
  return view(v.data, shape, stride, v.offset);
}

export function sumExp(engine: Engine, a: View, shift: View): View {
  const out = engine.result(sumExpRule.shape({}, a.shape, shift.shape));
  const shifts = view(flat(shift), [sizeOf(shift.shape)]);
  reduceRows(engine, "sumExp", a, out, () => [engine.operand(shifts).address]);
  return out;
}
