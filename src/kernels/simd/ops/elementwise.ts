// Ops on every element alone.
import type { Ops } from "../../../tensor/ops/table.ts";
import type { View } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";

/** By number, as elementwise.as.ts has them. */
export const ELEMENTWISE = [
  ...(["neg", "exp", "sqrt", "sigmoid", "gelu", "geluGrad", "mulScalar", "addScalar"] as const),
  ...(["add", "sub", "mul", "div", "equal", "where"] as const),
] as const;
export type Elementwise = (typeof ELEMENTWISE)[number];
const SLOW: readonly Elementwise[] = ["exp", "sqrt", "sigmoid", "gelu", "geluGrad"];

/** Elements in a task. */
const CHUNK = 16384;
/** Bytes of scratch: three strips of elementwise.as.ts. */
const SCRATCH = 3 * 2048;

/** Rows and stretches of rows as tasks of about CHUNK elements: the first words of every job here. */
export function divided(out: View, n: number, rows: number) {
  const many = Math.max(1, Math.floor(CHUNK / n));
  const tasks = Math.ceil(rows / many) * Math.ceil(n / CHUNK);
  return { tasks, words: [out.data.byteOffset, n, rows, many, CHUNK] };
}

/** One op on every element of one operand or two, which have one shape. */
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
    engine.within(() => {
      const x = engine.place(a);
      const y = keep ? engine.placeMask(keep) : b === a ? x : engine.place(b);
      const { n, count, operands } = rowsOf(a.shape, [x.stride, y.stride, out.stride]);
      const { tasks, words } = divided(out, n, count);
      const [p, q] = operands;
      words.push(x.at, engine.list(p?.offsets ?? []), p?.step ?? 0);
      words.push(y.at, engine.list(q?.offsets ?? []), q?.step ?? 0);
      words.push(ELEMENTWISE.indexOf(op), bits(by ?? otherwise ?? 0));
      const cost = (SLOW.includes(op) ? 2 : 0.4) * out.size;
      engine.crew.run("elements", { tasks, words, cost, scratch: SCRATCH });
    });
  return out;
}
