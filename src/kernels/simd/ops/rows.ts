// Ops on every row alone.
import type { Ops } from "../../../tensor/ops/table.ts";
import type { View } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";
import { divided } from "./elementwise.ts";

export function softmax(engine: Engine, { mayAttend, emptyRow }: Ops["softmax"]["attrs"], a: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.within(() => {
      const x = engine.place(a);
      const mask = mayAttend && engine.placeMask(mayAttend);
      const { n, count, operands } = rowsOf(a.shape, [x.stride, mask?.stride ?? out.stride], { whole: true });
      const { tasks, words } = divided(out, n, count);
      const [p, q] = operands;
      words.push(x.at, engine.list(p?.offsets ?? []), p?.step ?? 0);
      words.push(mask?.at ?? 0, engine.list(q?.offsets ?? []), q?.step ?? 0);
      words.push(bits(emptyRow === "zero" ? 0 : emptyRow === "uniform" ? 1 / n : NaN));
      engine.crew.run("softmax", { tasks: Math.min(tasks, count), words, cost: 3 * out.size });
    });
  return out;
}

export function normalize(engine: Engine, epsilon: number, a: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.within(() => {
      const x = engine.place(a);
      const { n, count, operands } = rowsOf(a.shape, [x.stride], { whole: true });
      const { words } = divided(out, n, count);
      const [p] = operands;
      words.push(x.at, engine.list(p?.offsets ?? []), p?.step ?? 0, bits(epsilon));
      engine.crew.run("normalize", { tasks: Math.ceil(count / (words[3] ?? 1)), words, cost: 3 * out.size });
    });
  return out;
}
