// Elementwise ops.
import type { Ops } from "../../../tensor/ops/table.ts";
import type { View } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";

/** The position of a name is the op's number in elementwise.as.ts. */
export const ELEMENTWISE = [
  ...(["neg", "exp", "sqrt", "sigmoid", "gelu", "geluGrad", "mulScalar", "addScalar"] as const),
  ...(["add", "sub", "mul", "div", "equal", "where"] as const),
] as const;
export type Elementwise = (typeof ELEMENTWISE)[number];
const SLOW: readonly Elementwise[] = ["exp", "sqrt", "sigmoid", "gelu", "geluGrad"];

/** Elements of a task. */
const CHUNK = 16384;
/** Bytes of scratch memory: three strips of elementwise.as.ts. */
const SCRATCH = 3 * 2048;

/** Divides rows into tasks of about CHUNK elements, and returns the first arguments of every kernel that works on rows. */
export function divideRows(out: View, n: number, rows: number) {
  const rowsPerTask = Math.max(1, Math.floor(CHUNK / n));
  const tasks = Math.ceil(rows / rowsPerTask) * Math.ceil(n / CHUNK);
  return { tasks, words: [out.data.byteOffset, n, rows, rowsPerTask, CHUNK] };
}

/** An op on one operand, or on two of the same shape. */
export function elements<K extends Elementwise>(
  engine: Engine,
  op: K,
  attrs: Ops[K]["attrs"],
  a: View,
  b: View = a,
): View {
  const { by, keep, otherwise }: Partial<Ops["mulScalar"]["attrs"] & Ops["where"]["attrs"]> = attrs;
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.withTemporaries(() => {
      const x = engine.operand(a);
      const y = keep ? engine.maskOperand(keep) : b === a ? x : engine.operand(b);
      const { n, count, operands } = rowsOf(a.shape, [x.stride, y.stride, out.stride]);
      const { tasks, words } = divideRows(out, n, count);
      const [p, q] = operands;
      words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0);
      words.push(y.address, engine.list(q?.offsets ?? []), q?.stride ?? 0);
      words.push(ELEMENTWISE.indexOf(op), bits(by ?? otherwise ?? 0));
      const cost = (SLOW.includes(op) ? 2 : 0.4) * out.size;
      engine.threads.run("elements", { tasks, words, cost, scratch: SCRATCH });
    });
  return out;
}
