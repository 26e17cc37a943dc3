// The derivative of the attention scope, without its intermediates.
import { ShapeError } from "../../../tensor/errors.ts";
import type { View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs } from "../../attention-attrs.ts";
import type { Engine } from "../engine.ts";
import {
  type AttentionInputs,
  alongRows,
  byRows,
  distinct,
  ruleWords,
  sizesOf,
  startsOf,
} from "./attention.ts";
import { panelled, WIDTH } from "./product.ts";

/** As in attention-vjp.as.ts. */
const ROWS = 48;

/** d loss / d q, k and v, one after another; `g` is d loss / d output. */
export function attentionVjp(
  engine: Engine,
  { g, ...inputs }: AttentionInputs & { readonly g: View },
  attrs: AttentionAttrs,
): View {
  const { q, k, v } = inputs;
  const { lead, batch, l, s, d, e } = sizesOf(inputs);
  if (`${g.shape}` !== `${[...lead, l, e]}`)
    throw new ShapeError(`the derivative of [${[...lead, l, e]}] is [${g.shape}]`);
  const out = engine.result([q.size + k.size + v.size]);
  if (out.size === 0) return out;
  if (l * s === 0) {
    out.data.fill(0);
    return out;
  }
  const { rowTile } = engine.crew;
  engine.within(() => {
    const { own, first } = distinct([startsOf(k), startsOf(v)]);
    const words = [
      byRows(engine, q, rowTile),
      byRows(engine, k, WIDTH, first),
      byRows(engine, v, WIDTH, first),
      out.data.byteOffset,
      ...[l, s, d, e, engine.list(own)],
      ...ruleWords(engine, attrs, [...lead, l, s]),
      byRows(engine, g, rowTile),
      alongRows(engine, k, first),
      alongRows(engine, q),
      alongRows(engine, g),
      batch,
    ];
    const [line, wideD, wideE] = [s, d, e].map((n) => panelled(n, WIDTH)) as [number, number, number];
    const rows = 2 * ROWS * line + rowTile * Math.max(line, ROWS) + ROWS * (1 + wideD);
    const floats = rows + panelled(s, rowTile) * (wideD + wideE);
    const cost = (batch * l * s * (3 * d + 2 * e)) / 20;
    engine.crew.run("attendVjp", { tasks: batch, words, cost, scratch: 4 * floats + 64 });
  });
  return out;
}
