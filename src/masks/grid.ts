// Masks as plain data: zeros and ones in row-major order, with their shape. They become tensors where a block uses them.
import { shown } from "./conventions/check.ts";
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

/** The values of a matrix, a list for each prompt. Throws a RangeError where the data does not fit the shape, or a value is not wanted. */
function valuesOf(matrix: Matrix, isWanted: (value: unknown) => boolean, wanted: string): number[][] {
  const { shape, data, stride, offset = 0 }: Partial<Matrix> = matrix ?? {};
  const strides = stride ?? [shape?.[1], 1];
  const numbers = [shape?.[0], shape?.[1], strides[0], strides[1], offset];
  const [b, l, down, across] = numbers as [number, number, number, number];
  const hasAxes = shape?.length === 2 && strides.length === 2 && numbers.every(Number.isInteger);
  const isView = stride || offset; // then a value that the data does not have is found below
  if (!(hasAxes && b >= 0 && l >= 0 && data && (isView || data.length === b * l)))
    throw new RangeError(
      `Ids and locations are { shape: [prompts, positions], data }; the shape ${shown(shape)}, strides ${shown(strides)} and offset ${shown(offset)} do not fit ${data?.length} values.`,
    ); // [mask.input]
  const valueAt = (i: number, j: number): number => {
    const value = data[offset + i * down + j * across];
    if (isWanted(value)) return value as number;
    throw new RangeError(`${wanted}, but prompt ${i}, position ${j} has ${shown(value)}.`); // [mask.input]
  };
  return Array.from({ length: b }, (_, i) => Array.from({ length: l }, (_, j) => valueAt(i, j)));
}

/** The ids of each prompt. Throws a RangeError for axes other than b l, and for numbers that are not whole. */
export const promptsOf = (ids: Matrix): number[][] =>
  valuesOf(ids, Number.isInteger, "Ids are whole numbers");

const KINDS: readonly unknown[] = /* @__PURE__ */ Object.values(TOKEN);

/** The kinds of the tokens of each prompt. Throws a RangeError for axes other than b l, and for numbers that are no kinds. */
export const kindsOf = (locations: Matrix): number[][] =>
  valuesOf(
    locations,
    (kind) => KINDS.includes(kind),
    "Locations are 0 (text), 1 (image), 2 (end token) or 3 (further token of an image), from mediaLocations()",
  );

/**
 * 1 at every media token, and 2 at every end token if its id is given. b l -> b l Throws a RangeError for ids that are no whole
 * numbers or have other axes than b l.
 */
export function mediaLocations(ids: Matrix, mediaTokenId: number, endTokenId?: number): Grid {
  // #region locate
  const isImage = (id: number): boolean => id === mediaTokenId; // [mask.location]
  // #endregion
  const kindOf = (id: number) => (isImage(id) ? TOKEN.image : id === endTokenId ? TOKEN.end : TOKEN.text); // [mask.end-token]
  const data = Uint8Array.from(promptsOf(ids).flat(), kindOf);
  return { shape: [...ids.shape], data };
}

/** The causal mask of a language model: position l may attend to the positions s ≤ l. -> l s */
export function causalMask(n: number): Grid {
  const data = new Uint8Array(n * n);
  for (let l = 0; l < n; l++) data.fill(1, l * n, l * n + l + 1); // [mask.causal]
  return { shape: [n, n], data };
}
