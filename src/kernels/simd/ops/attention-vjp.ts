// The derivative of the attention scope. The kernel recomputes the weights from q and k.
import { ShapeError } from "../../../tensor/errors.ts";
import { expand } from "../../../tensor/ops/reductions.ts";
import { type Shape, sizeOf, type View, view } from "../../../tensor/tensor.ts";
import type { AttentionAttrs, AttentionInputs } from "../../backend.ts";
import type { Engine } from "../engine.ts";
import {
  biasArguments,
  distinctMatrices,
  maskArguments,
  packColumns,
  packRows,
  sizesOf,
  startsOf,
} from "./attention.ts";
import { panelled, WIDTH } from "./pack.ts";
import { unbroadcast } from "./sums.ts";

/** The constant of attention-vjp.as.ts. */
const ROWS = 48;

type Inputs = AttentionInputs & { readonly g: View };

/** The derivatives of the inputs by their names; `g` is the derivative of the output. They share one block. */
export function attentionVjp(engine: Engine, inputs: Inputs, attrs: AttentionAttrs): AttentionInputs {
  const { q, k, v, g, bias } = inputs;
  const sizes = sizesOf(inputs);
  const { lead, l, s, e } = sizes;
  if (`${g.shape}` !== `${[...lead, l, e]}`)
    throw new ShapeError(`an output [${[...lead, l, e]}] has a gradient [${g.shape}]`);
  if (bias) expand.shape({ shape: [...lead, l, s] }, bias.shape);
  const perMatrix = bias ? [...lead, ...repeatedToOne(bias, [l, s])] : [0]; // of the derivative of the bias
  const out = engine.result([sizeOf(q.shape) + sizeOf(k.shape) + sizeOf(v.shape) + sizeOf(perMatrix)]);
  const [dq, dk, dv, db] = consecutive(out, [q.shape, k.shape, v.shape, perMatrix]) as [
    View,
    View,
    View,
    View,
  ];
  if (l * s === 0) out.data.fill(0);
  else if (sizeOf(out.shape) > 0) compute(engine, inputs, attrs, { ...sizes, out, db });
  return bias ? { q: dq, k: dk, v: dv, bias: summed(engine, db, bias.shape) } : { q: dq, k: dk, v: dv };
}

/** The sizes of the last two axes of a bias, 1 where the scores repeat it. */
const repeatedToOne = ({ shape }: View, [l, s]: readonly [number, number]): Shape => [
  shape.length > 1 && shape.at(-2) === l ? l : 1,
  shape.at(-1) === s ? s : 1,
];

/** Views of consecutive parts of an array. */
function consecutive({ data }: View, shapes: readonly Shape[]): View[] {
  let from = 0;
  return shapes.map((shape) => {
    const to = from + sizeOf(shape);
    const part = from === to ? new Float32Array(0) : data.subarray(from, to);
    from = to;
    return view(part, shape);
  });
}

/** The sum over the matrices that share a bias. */
function summed(engine: Engine, db: View, shape: Shape): View {
  if (sizeOf(db.shape) === sizeOf(shape)) return view(db.data, shape);
  try {
    return unbroadcast(engine, { shape }, db);
  } catch (error) {
    engine.heap.free(engine.heap.blockOf(db.data) ?? 0); // the derivatives of the other inputs are in the same block
    throw error;
  }
}

function compute(
  engine: Engine,
  { q, k, v, g, bias }: Inputs,
  attrs: AttentionAttrs,
  {
    lead,
    batch,
    l,
    s,
    d,
    e,
    out,
    db,
  }: ReturnType<typeof sizesOf> & { readonly out: View; readonly db: View },
): void {
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
      ...biasArguments(engine, bias, [...lead, l, s]),
      ...[db.data.byteOffset, ...db.shape.slice(-2)],
    ];
    const [line, wideD, wideE] = [s, d, e].map((n) => panelled(n, WIDTH)) as [number, number, number];
    const rows = 2 * ROWS * line + rowTile * Math.max(line, ROWS) + ROWS * (1 + wideD);
    const floats = rows + panelled(s, rowTile) * (wideD + wideE);
    const cost = (batch * l * s * (3 * d + 2 * e)) / 20;
    engine.threads.run("attendVjp", { tasks: batch, words, cost, scratch: 4 * floats + 64 });
  });
}
