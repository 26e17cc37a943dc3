// Softmax and layer normalisation on a graphics card, each as a sequence of kernels.
import { sameShape } from "../../../../tensor/ops/elementwise.ts";
import { emptyRowWeight, sumExp as sumExpRule } from "../../../../tensor/ops/reductions.ts";
import { rowMajor, sizeOf, type View } from "../../../../tensor/tensor.ts";
import type { AttentionAttrs, NormalizeAttrs } from "../../../backend.ts";
import { zerosOf } from "../device-buffers.ts";
import {
  dividedByRow,
  normalized,
  rowDeviations,
  rowExponentials,
  rowMaxima,
  rowMeanErrors,
  rowMeans,
  rowRootMeanSquares,
  rowSums,
  softmaxWeights,
} from "../kernels/rows.ts";
import { type Launcher, layoutKey, maskOfOnes } from "../launcher.ts";
import { gridOf, type Layout, offsetsOf } from "../offset-tables.ts";

/** The grid of a view, the grid of its row statistics (one number a row), and a table for both. */
function rowLayout(launcher: Launcher, { shape }: View) {
  const perRow = [...shape.slice(0, -1), 1];
  const grid = gridOf(shape);
  const statistics: Layout = { shape: perRow, stride: rowMajor(perRow), offset: 0 };
  const tableOf = (views: readonly Layout[], numbers: readonly number[]) => {
    const all = [...views, statistics];
    const lists = () => all.flatMap((v) => offsetsOf(grid, v).slice(0, 2));
    return launcher.table(`rows ${all.map(layoutKey).join(" ")}`, lists, numbers);
  };
  return { grid, rowGrid: gridOf(perRow), depth: shape.at(-1) ?? 1, tableOf };
}

const lastStride = ({ stride }: Layout): number => stride.at(-1) ?? 0;

/** The softmax op, and the softmax of the attention scope with its post-softmax mask. */
export async function softmax(
  launcher: Launcher,
  attrs: Omit<AttentionAttrs, "postSoftmaxMask"> & Partial<AttentionAttrs>,
  a: View,
): Promise<View> {
  const mask = attrs.mayAttend ?? maskOfOnes(a.shape);
  const postMask = attrs.postSoftmaxMask ?? maskOfOnes(a.shape);
  sameShape(a.shape, mask.shape);
  sameShape(a.shape, postMask.shape);
  if (sizeOf(a.shape) === 0) return zerosOf(a.shape);
  const { grid, rowGrid, depth, tableOf } = rowLayout(launcher, a);
  const table = await tableOf([a, mask, postMask], [emptyRowWeight(attrs.emptyRow, depth), depth]);
  const [allowed, kept] = [await launcher.mask(mask), await launcher.mask(postMask)];
  const constants = {
    stride: lastStride(a),
    maskStride: lastStride(mask),
    postMaskStride: lastStride(postMask),
  };
  return launcher.withTemporaries(async (temporary) => {
    const perRow = { constants, grid: rowGrid, table };
    const maxima = await temporary(launcher.run({ ...perRow, body: rowMaxima, operands: [a, allowed] }));
    const sums = await temporary(launcher.run({ ...perRow, body: rowSums, operands: [a, allowed, maxima] }));
    const operands = [a, allowed, kept, maxima, sums];
    return launcher.run({ body: softmaxWeights, constants, grid, operands, table });
  });
}

export async function normalize(
  launcher: Launcher,
  { epsilon, centred }: NormalizeAttrs,
  a: View,
): Promise<View> {
  if (sizeOf(a.shape) === 0) return zerosOf(a.shape);
  const { grid, rowGrid, depth, tableOf } = rowLayout(launcher, a);
  const table = await tableOf([a], [epsilon]);
  const constants = { depth, stride: lastStride(a) };
  return launcher.withTemporaries(async (temporary) => {
    const perRow = { constants, grid: rowGrid, table };
    if (!centred) {
      const roots = await temporary(launcher.run({ ...perRow, body: rowRootMeanSquares, operands: [a] }));
      return launcher.run({ body: dividedByRow, constants, grid, operands: [a, roots], table });
    }
    const means = await temporary(launcher.run({ ...perRow, body: rowMeans, operands: [a] }));
    const errors = await temporary(launcher.run({ ...perRow, body: rowMeanErrors, operands: [a, means] }));
    const operands = [a, means, errors];
    const deviations = await temporary(launcher.run({ ...perRow, body: rowDeviations, operands }));
    return launcher.run({ body: normalized, constants, grid, operands: [...operands, deviations], table });
  });
}

export async function sumExp(launcher: Launcher, a: View, shift: View): Promise<View> {
  const shape = sumExpRule.shape({}, a.shape, shift.shape);
  if (sizeOf(a.shape) === 0) return zerosOf(shape);
  const { rowGrid, depth, tableOf } = rowLayout(launcher, a);
  const table = await tableOf([a, shift], []);
  const constants = { depth, stride: lastStride(a) };
  return launcher.run({ body: rowExponentials, constants, grid: rowGrid, operands: [a, shift], table });
}
