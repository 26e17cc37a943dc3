// The derivative of the attention scope. The kernel recomputes the weights from q and k.
import { ShapeError } from "../../../tensor/errors.ts";
import type { View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs, AttentionInputs } from "../../backend.ts";
import type { Engine } from "../engine.ts";
import { distinctMatrices, maskArguments, packColumns, packRows, sizesOf, startsOf } from "./attention.ts";
import { panelled, WIDTH } from "./product.ts";

/** The constant of attention-vjp.as.ts. */
const ROWS = 48;

/** The gradients of q, k and v one after another in one array; `g` is the gradient of the output. */
export function attentionVjp(
  engine: Engine,
  { g, ...inputs }: AttentionInputs & { readonly g: View },
  attrs: AttentionAttrs,
): View {
  const { q, k, v } = inputs;
  const { lead, batch, l, s, d, e } = sizesOf(inputs);
  if (`${g.shape}` !== `${[...lead, l, e]}`)
    throw new ShapeError(`an output [${[...lead, l, e]}] has a gradient [${g.shape}]`);
  const out = engine.result([q.size + k.size + v.size]);
  if (out.size === 0) return out;
  if (l * s === 0) {
    out.data.fill(0);
    return out;
  }
  const { rowTile } = engine.threads;
  engine.withTemporaries(() => {
    const { index, first } = distinctMatrices([startsOf(k), startsOf(v)]);
    const words = [
      packRows(engine, q, rowTile),
      packRows(engine, k, WIDTH, first),
      packRows(engine, v, WIDTH, first),
      out.data.byteOffset,
      ...[l, s, d, e, engine.list(index)],
      ...maskArguments(engine, attrs, [...lead, l, s]),
      packRows(engine, g, rowTile),
      packColumns(engine, k, first),
      packColumns(engine, q),
      packColumns(engine, g),
      batch,
    ];
    const [line, wideD, wideE] = [s, d, e].map((n) => panelled(n, WIDTH)) as [number, number, number];
    const rows = 2 * ROWS * line + rowTile * Math.max(line, ROWS) + ROWS * (1 + wideD);
    const floats = rows + panelled(s, rowTile) * (wideD + wideE);
    const cost = (batch * l * s * (3 * d + 2 * e)) / 20;
    engine.threads.run("attendVjp", { tasks: batch, words, cost, scratch: 4 * floats + 64 });
  });
  return out;
}
