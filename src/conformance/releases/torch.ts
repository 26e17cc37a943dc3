// Errors of torch 2.13 and of Python, as functions of the shapes and numbers that they name.

const tuple = (shape: readonly number[]): string => shape.join(", ");

/** torch.nn.LayerNorm on an input whose last axis has another size. */
export const layerNormError = (dim: number, shape: readonly number[]): string =>
  `RuntimeError: Given normalized_shape=[${dim}], expected input with shape [*, ${dim}], but got input of size[${tuple(shape)}]`;

/** torch.nn.RMSNorm on an input whose last axis has another size. */
export const rmsNormError = (dim: number, shape: readonly number[]): string =>
  `RuntimeError: Given normalized_shape=[${dim}], expected input with shape [*${dim}], but got input of size[${tuple(shape)}]`;

/** torch.nn.BatchNorm2d on an input with another number of channels. */
export const batchNormError = (dim: number, channels: number): string =>
  `RuntimeError: running_mean should contain ${channels} elements not ${dim}`;

/** torch.nn.functional.conv2d on an input with another number of channels than the weight has. */
export const convolutionError = (weight: readonly number[], shape: readonly number[]): string =>
  `RuntimeError: Given groups=1, weight of size [${tuple(weight)}], expected input[${tuple(shape)}] to have ${weight[1]} channels, but got ${shape[1]} channels instead`;

/** torch.nn.functional.conv2d with a kernel that is larger than the padded input; both are height and width. */
export const kernelSizeError = (padded: readonly number[], kernel: readonly number[]): string =>
  `RuntimeError: Calculated padded input size per channel: (${padded.join(" x ")}). Kernel size: (${kernel.join(" x ")}). Kernel size can't be greater than actual input size`;

/** torch.nn.functional.max_pool2d with a padding of more than half of the kernel, whose height is checked before its width. */
export function paddingError(padding: readonly number[], kernel: readonly number[]): string | null {
  const axis = padding.findIndex((pad, i) => pad > (kernel[i] ?? 0) / 2);
  return axis < 0
    ? null
    : `RuntimeError: pad should be at most half of effective kernel size, but got pad=${padding[axis]}, kernel_size=${kernel[axis]} and dilation=1`;
}

/** torch.nn.functional.layer_norm over the input's own last axis, with a scale of another size. */
export const scaleError = (dim: number, width: number): string =>
  `RuntimeError: Expected weight to be of same shape as normalized_shape, but got weight of shape [${dim}] and normalized_shape = [${width}]`;

/** Two tensors whose sizes along an axis can neither be equal nor broadcast. */
export const broadcastError = (a: number, b: number, axis: number): string =>
  `RuntimeError: The size of tensor a (${a}) must match the size of tensor b (${b}) at non-singleton dimension ${axis}`;

/** A matrix product of [rows inner] and [width columns]. */
export const productError = (
  [rows, inner]: readonly [number, number],
  [width, columns]: readonly [number, number],
): string =>
  `RuntimeError: mat1 and mat2 shapes cannot be multiplied (${rows}x${inner} and ${width}x${columns})`;

/** torch.cat of two tensors that differ in another axis. */
export const concatError = (axis: number, expected: number, actual: number): string =>
  `RuntimeError: Sizes of tensors must match except in dimension ${axis}. Expected size ${expected} but got size ${actual} for tensor number 1 in the list.`;

/** The largest element of a row without elements: attention over nothing. */
export const EMPTY_ROW = "IndexError: amax(): Expected reduction dim -1 to have non-zero size.";

/** torch.nn.functional.embedding with an id outside the table. */
export const ID_OUT_OF_RANGE = "IndexError: index out of range in self";

/** torch.nn.Dropout with a number that is no probability; it accepts NaN. */
export const probabilityError = (p: unknown): string | null =>
  Number.isFinite(p) ? `ValueError: dropout probability has to be between 0 and 1, but got ${p}` : null;

/** Python's `x % 0`. */
export const MODULO_ZERO = "ZeroDivisionError: integer modulo by zero";
/** Python's `0 ** -0.5`. */
export const POWER_OF_ZERO = "ZeroDivisionError: 0.0 cannot be raised to a negative power";

/** Python's `range(n)` for an n that is not an integer. */
export function rangeError(n: unknown): string | null {
  const type =
    typeof n === "number" ? "float" : typeof n === "string" ? "str" : n === null ? "NoneType" : null;
  const isRange = typeof n === "number" && Number.isInteger(n);
  return type === null || isRange ? null : `TypeError: '${type}' object cannot be interpreted as an integer`;
}
