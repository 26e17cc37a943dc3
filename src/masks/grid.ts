// Masks as plain data: zeros and ones in row-major order, with their shape. They become tensors where a block uses them.
import { TOKEN } from "./counting/counted-text.ts";

/** Zeros and ones in row-major order. As a mask: 1 = may attend. */
export interface Grid {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Numbers with the axes b l (prompts, positions), row-major unless strides are given: token ids, or kinds of tokens. */
export interface Matrix {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
  readonly stride?: readonly number[];
  readonly offset?: number;
}

/** The prompts of a batch, one list of numbers each. */
export function promptsOf(matrix: Matrix): number[][] {
  if (!Array.isArray(matrix?.shape) || typeof matrix.data !== "object" || matrix.data === null)
    throw new RangeError(
      "Ids and locations are { shape: [prompts, positions], data }, such as int() and mediaLocations() make.",
    ); // [mask.input]
  const { shape, data, stride = [shape[1] ?? 0, 1], offset = 0 } = matrix;
  const [b = -1, l = -1] = shape;
  const [down = 0, across = 0] = stride;
  if (shape.length !== 2 || ![b, l].every((n) => Number.isInteger(n) && n >= 0)) {
    throw new RangeError(`Ids and locations have the two axes b l, but the shape is [${shape.join(" ")}].`); // [mask.input]
  }
  if (stride.length !== 2 || ![...stride, offset].every(Number.isInteger)) {
    throw new RangeError(
      `The strides are two whole numbers and the offset is one, but they are [${stride.join(" ")}] and ${offset}.`,
    ); // [mask.input]
  }
  if (matrix.stride === undefined && offset === 0 && data.length > b * l) {
    throw new RangeError(`The shape [${b} ${l}] has ${b * l} values, but the data has ${data.length}.`); // [mask.input]
  }
  const corners = [0, (b - 1) * down].flatMap((row) =>
    [0, (l - 1) * across].map((column) => offset + row + column),
  );
  const [first, last] = [Math.min(...corners), Math.max(...corners)];
  if (b * l > 0 && (first < 0 || last >= data.length)) {
    throw new RangeError(
      `The shape [${b} ${l}] reaches from ${first} to ${last} in data of length ${data.length}.`,
    ); // [mask.input]
  }
  const valueAt = (i: number, j: number): number => {
    const value: unknown = data[offset + i * down + j * across];
    if (Number.isInteger(value)) return value as number;
    throw new RangeError(
      `Ids and locations are whole numbers, but prompt ${i}, position ${j} has ${String(value)}.`,
    ); // [mask.input]
  };
  return Array.from({ length: b }, (_, i) => Array.from({ length: l }, (_, j) => valueAt(i, j)));
}

/** The kinds of the tokens of each prompt. */
export function kindsOf(locations: Matrix): number[][] {
  const prompts = promptsOf(locations);
  prompts.forEach((kinds, b) => {
    const l = kinds.findIndex((kind) => kind < TOKEN.text || kind > TOKEN.more);
    if (l >= 0)
      throw new RangeError(
        `Locations are 0 (text), 1 (image), 2 (end token) or 3 (a further token of an image), but prompt ${b}, position ${l} has ${kinds[l]}; mediaLocations() makes them from ids.`,
      ); // [mask.input]
  });
  return prompts;
}

/**
 * 1 at every media token, and 2 at every end token if its id is given. b l -> b l Throws a RangeError for ids that are no whole
 * numbers or have other axes than b l.
 */
export function mediaLocations(ids: Matrix, mediaTokenId: number, endTokenId?: number): Grid {
  // #region locate
  const isImage = promptsOf(ids).flatMap((prompt) => prompt.map((id) => id === mediaTokenId)); // [mask.location]
  // #endregion
  const data = Uint8Array.from(isImage, Number);
  promptsOf(ids)
    .flat()
    .forEach((id, i) => {
      if (id === endTokenId && !data[i]) data[i] = 2; // [mask.end-token]
    });
  return { shape: [...ids.shape], data };
}

/** The causal mask of a language model: position l may attend to the positions s ≤ l. -> l s */
export function causalMask(n: number): Grid {
  const data = new Uint8Array(n * n);
  for (let l = 0; l < n; l++) data.fill(1, l * n, l * n + l + 1); // [mask.causal]
  return { shape: [n, n], data };
}
