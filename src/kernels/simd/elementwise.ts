// Ops on every element alone.
import type { Ops } from "../../tensor/ops.ts";
import type { View } from "../../tensor/tensor.ts";
import { bits } from "./crew.ts";
import { type Engine, rowsOf } from "./engine.ts";

/** By number, as elementwise.as.ts has them. */
const UNARY = ["neg", "exp", "sqrt", "sigmoid", "gelu", "geluSlope", "scale", "shift"] as const;
const BINARY = ["add", "sub", "mul", "div", "equal"] as const;
export type Unary = (typeof UNARY)[number];
export type Binary = (typeof BINARY)[number];

/** Elements in a task. */
const CHUNK = 16384;

/** Rows and stretches of rows as tasks of about CHUNK elements: the first words of every job here. */
export function divided(out: View, n: number, rows: number) {
  const many = Math.max(1, Math.floor(CHUNK / n));
  const tasks = Math.ceil(rows / many) * Math.ceil(n / CHUNK);
  return { tasks, words: [out.data.byteOffset, n, rows, many, CHUNK] };
}

export function unary(engine: Engine, op: Unary, a: View, by = 0): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.within(() => {
      const { at, shape, stride } = engine.place(a);
      const { n, count, operands } = rowsOf(shape, [stride, out.stride]);
      const { tasks, words } = divided(out, n, count);
      const [x] = operands;
      words.push(at, engine.list(x?.offsets ?? []), x?.step ?? 0, UNARY.indexOf(op), bits(by));
      const slow = op === "neg" || op === "scale" || op === "shift" ? 0.5 : 2;
      engine.crew.run("unary", { tasks, words, cost: slow * out.size }); // [simd.elements]
    });
  return out;
}

export function binary(engine: Engine, op: Binary, a: View, b: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.within(() => {
      const [left, right] = [engine.place(a), engine.place(b)];
      const { n, count, operands } = rowsOf(a.shape, [left.stride, right.stride, out.stride]);
      const { tasks, words } = divided(out, n, count);
      const [x, y] = operands;
      words.push(left.at, engine.list(x?.offsets ?? []), x?.step ?? 0);
      words.push(right.at, engine.list(y?.offsets ?? []), y?.step ?? 0, BINARY.indexOf(op));
      engine.crew.run("binary", { tasks, words, cost: 0.7 * out.size }); // [simd.elements]
    });
  return out;
}

export function where(engine: Engine, { keep, otherwise }: Ops["where"]["attrs"], a: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.within(() => {
      const [x, mask] = [engine.place(a), engine.placeMask(keep)];
      const { n, count, operands } = rowsOf(a.shape, [x.stride, mask.stride, out.stride]);
      const { tasks, words } = divided(out, n, count);
      const [p, q] = operands;
      words.push(x.at, engine.list(p?.offsets ?? []), p?.step ?? 0);
      words.push(mask.at, engine.list(q?.offsets ?? []), q?.step ?? 0, bits(otherwise));
      engine.crew.run("select", { tasks, words, cost: out.size });
    });
  return out;
}
