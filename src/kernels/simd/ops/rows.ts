// Softmax and layer normalisation.
import { emptyRowWeight } from "../../../tensor/ops/reductions.ts";
import type { Ops } from "../../../tensor/ops/table.ts";
import type { View } from "../../../tensor/tensor.ts";
import { type Engine, rowsOf } from "../engine.ts";
import { bits } from "../thread-pool.ts";
import { divideRows } from "./elementwise.ts";

export function softmax(engine: Engine, { mayAttend, emptyRow }: Ops["softmax"]["attrs"], a: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
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
      engine.threads.run("softmax", { tasks: Math.min(tasks, count), words, cost: 3 * out.size });
    });
  return out;
}

export function normalize(engine: Engine, epsilon: number, a: View): View {
  const out = engine.result(a.shape);
  if (out.size > 0)
    engine.withTemporaries(() => {
      const x = engine.operand(a);
      const { n, count, operands } = rowsOf(a.shape, [x.stride], { keepLastAxis: true });
      const { words } = divideRows(out, n, count);
      const [p] = operands;
      words.push(x.address, engine.list(p?.offsets ?? []), p?.stride ?? 0, bits(epsilon));
      engine.threads.run("normalize", {
        tasks: Math.ceil(count / (words[3] ?? 1)),
        words,
        cost: 3 * out.size,
      });
    });
  return out;
}
