// The attention scope for few rows of queries to each matrix of keys and values, which are read where they lie.
import type { View } from "../../../tensor/tensor.ts";
import type { AttentionAttrs, AttentionInputs } from "../../backend.ts";
import type { Engine } from "../engine.ts";
import { biasArguments, distinctMatrices, maskArguments, sizesOf, startsOf } from "./attention.ts";

/** The constant of attend-few.as.ts. */
const RANGE = 512;
const KEYS = 128;
/** With more rows to a matrix, packing the keys and values is faster. */
const MOST_ROWS = 16;

const hasContiguousRows = ({ shape, stride }: View): boolean => stride.at(-1) === 1 || shape.at(-1) === 1;
const fours = (n: number): number => Math.ceil(n / 4) * 4;

/** Matrices of keys and values, each with the z that attend to it: lists for the kernel. */
function matricesOf(k: View, v: View) {
  const [startsK, startsV] = [startsOf(k), startsOf(v)];
  const { index, first } = distinctMatrices([startsK, startsV]);
  const members = Array.from(first, (): number[] => []);
  index.forEach((matrix, z) => void members[matrix]?.push(z));
  let before = 0;
  const matrices = members.flatMap((list, matrix) => {
    const z = first[matrix] ?? 0;
    const entry = [startsK[z] ?? 0, startsV[z] ?? 0, before, list.length];
    before += list.length;
    return entry;
  });
  return { matrices, members: members.flat(), most: Math.max(0, ...members.map((list) => list.length)) };
}

/** Attention of few queries; null if there are too many, or if rows of keys or values are not contiguous. */
export function attendFew(engine: Engine, inputs: AttentionInputs, attrs: AttentionAttrs): View | null {
  const { q, k, v } = inputs;
  const { lead, batch, l, s, d, e } = sizesOf(inputs);
  if (l > MOST_ROWS || batch * l * s * e === 0 || !hasContiguousRows(k) || !hasContiguousRows(v)) return null;
  const { matrices, members, most } = matricesOf(k, v);
  if (most * l > MOST_ROWS) return null;
  const out = engine.result([...lead, l, e]);
  const ranges = Math.ceil(s / RANGE);
  engine.withTemporaries(() => {
    const [queries, keys, values] = [engine.operand(q), engine.operand(k), engine.operand(v)];
    const partial = engine.temporary(4 * batch * l * ranges * (4 + fours(e)));
    const words = [queries.address, keys.address, values.address, partial, l, s, d, e, engine.list(matrices)];
    words.push(...maskArguments(engine, attrs, [...lead, l, s]), engine.list(members));
    words.push(...biasArguments(engine, inputs.bias, [...lead, l, s]));
    words.push(engine.list(startsOf(q)), q.stride.at(-2) ?? 0, q.stride.at(-1) ?? 0);
    words.push(k.stride.at(-2) ?? 0, v.stride.at(-2) ?? 0, out.data.byteOffset);
    const tasks = (matrices.length / 4) * ranges;
    const cost = (batch * l * s * (d + e)) / 8;
    const scratch = 4 * (most * l * fours(d) + KEYS);
    engine.threads.run("attendFew", { tasks, words, cost, scratch });
    if (ranges > 1)
      engine.threads.run("combineFew", { tasks: batch * l, words, cost: batch * l * ranges * e });
  });
  return out;
}
