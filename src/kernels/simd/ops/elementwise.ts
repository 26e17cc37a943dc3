// Elementwise ops.
import type { Ops } from "../../../tensor/ops/table.ts";
import { sizeOf, type View } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";

/** The position of a name is its number in elementwise.as.ts. All but `max`, of which maxTo is made, are ops. */
const NUMBERED = [
  ...(["neg", "exp", "sqrt", "sigmoid", "gelu", "geluGrad", "mulScalar", "addScalar"] as const),
  ...(["relu", "positive", "tanh", "sin", "cos", "log"] as const),
  ...(["add", "sub", "mul", "div", "equal", "max", "where"] as const),
] as const;
type Numbered = (typeof NUMBERED)[number];
export type Elementwise = Exclude<Numbered, "max">;
export const ELEMENTWISE = NUMBERED.filter((op): op is Elementwise => op !== "max");

/** Nanoseconds for one element; 0.4 for the ops that are not listed. */
const COST: Partial<Record<Numbered, number>> = {
  ...{ exp: 2, sqrt: 2, sigmoid: 2, gelu: 2, geluGrad: 2, tanh: 2 },
  ...{ sin: 4, cos: 4, log: 4 },
};

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

/** An op on one operand, or on two of the same shape. `out` is row-major, and may be an operand. */
export function elements(
  engine: Engine,
  op: Numbered,
  attrs: object,
  a: View,
  b: View = a,
  out: View = engine.result(a.shape),
): View {
  const { by, keep, otherwise }: Partial<Ops["mulScalar"]["attrs"] & Ops["where"]["attrs"]> = attrs;
  if (sizeOf(out.shape) > 0)
    engine.withTemporaries(() => {
      const x = engine.operand(a);
      const y = keep ? engine.maskOperand(keep) : b === a ? x : engine.operand(b);
      const { n, count, operands } = rowsOf(a.shape, [x.stride, y.stride, out.stride]);
      const { tasks, words } = divideRows(out, n, count);
      const [p, q] = operands;
      words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0);
      words.push(y.address, engine.list(q?.offsets ?? []), q?.stride ?? 0);
      words.push(NUMBERED.indexOf(op), bits(by ?? otherwise ?? 0));
      const cost = (COST[op] ?? 0.4) * sizeOf(out.shape);
      engine.threads.run("elements", { tasks, words, cost, scratch: SCRATCH });
    });
  return out;
}
