// Convolution, pooling and unfolding of planes [b c h w], built of windows along height and width.
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { einsum, pad, rearrange, windows } from "../../tensor/ops/arrange.ts";
import { where } from "../../tensor/ops/functions.ts";
import { apply } from "../../tensor/ops/rules.ts";
import { named } from "../../tensor/pattern.ts";
import { checkTensors } from "../../tensor/program/apply.ts";
import { Bool, type Tensor } from "../../tensor/tensor.ts";
import { type Check, checked, optional, passing, whole } from "../options.ts";

/** Height and width, or one number for both. */
export type Sides = number | readonly [height: number, width: number];

/**
 * Rows and columns around the plane: as many before as after it, as in torch, or `"same"`, as TensorFlow's SAME: as many as make
 * ⌈n / stride⌉ windows, the odd one after the plane. With stride 1, torch's "same" is the same.
 */
export type Padding = Sides | "same";

/** Stride and padding of windows, in elements of the plane. The stride is 1 and the padding 0 unless given. */
export interface PlaneOptions {
  readonly stride?: Sides;
  readonly padding?: Padding;
}

/** One whole number of at least `low`, or two. */
export function sides(low: number): Check {
  const { wanted, accepts } = whole(low, 2 ** 24);
  const isPair = (value: unknown) => Array.isArray(value) && value.length === 2 && value.every(accepts);
  return passing(`${wanted}, or a height and a width`, (value) => accepts(value) || isPair(value));
}

const padding: Check = {
  wanted: `${sides(0).wanted}, or "same"`,
  accepts: (value) => value === "same" || sides(0).accepts(value),
};

/** The checks of the options of every function here. */
export const planeChecks = { stride: optional(sides(1)), padding: optional(padding) };

export const pair = (n: Sides): readonly [number, number] => (typeof n === "number" ? [n, n] : n);

/** The windows along one axis: their size and step, and the padding before and after the axis. */
interface Along {
  readonly size: number;
  readonly step: number;
  readonly before: number;
  readonly after: number;
}

function along(n: number, size: number, step: number, amount: number | "same"): Along {
  if (amount !== "same") return { size, step, before: amount, after: amount }; // [conv.padding]
  const missing = Math.max((Math.ceil(n / step) - 1) * step + size - n, 0);
  const before = Math.floor(missing / 2);
  return { size, step, before, after: missing - before }; // [conv.same]
}

/** The windows along height and width. Throws a ShapeError if x is no batch of planes, or is smaller than the kernel. */
function placed(caller: string, x: Tensor, kernel: Sides, options: PlaneOptions): readonly [Along, Along] {
  checkTensors(caller, x);
  const shape = `[${x.shape.join(" ")}]`;
  if (x.shape.length !== 4)
    throw new ShapeError(`planes are [b c h w], not ${shape}  [conv.windows]`, caller);
  const { stride = 1, padding = 0 } = checked(caller, options, planeChecks);
  const [[high, wide], [down, across]] = [pair(kernel), pair(stride)];
  const [top, left] = padding === "same" ? (["same", "same"] as const) : pair(padding);
  const [h = 0, w = 0] = x.shape.slice(2);
  const axes = [along(h, high, down, top), along(w, wide, across, left)] as const;
  const padded = [h + axes[0].before + axes[0].after, w + axes[1].before + axes[1].after] as const;
  if (padded[0] >= high && padded[1] >= wide) return axes;
  throw new ShapeError(
    `planes of ${padded.join(" × ")}, padding included, are smaller than the kernel of ${high} × ${wide}  [conv.windows]`,
    caller,
    { padded, kernel: [high, wide] },
  );
}

const padded = (x: Tensor, [h, w]: readonly [Along, Along]): Tensor =>
  [h, w].reduce((y, { before, after }, i) => (before + after > 0 ? pad(y, 2 + i, before, after) : y), x);

/** x [b c h w] as windows [b c h w y x]. */
const windowed = (x: Tensor, [h, w]: readonly [Along, Along]): Tensor<"b c h w y x"> =>
  windows(windows(x, 2, h.size, h.step), 3, w.size, w.step); // [conv.windows]

/**
 * The cross-correlation of planes [b c h w] with a weight [o c y x], as torch.nn.functional.conv2d computes it: [b o h w]. The
 * stride is 1 and the padding 0 unless given. Throws a ShapeError if the channels differ, or the planes are smaller than the
 * kernel.
 * Shapes: x `b c h w`, weight `o c k j` → `b o y x`, with ⌊(h + padding − k) / stride⌋ + 1 rows, and columns likewise.
 */
export function conv2d(
  x: Tensor<"b c h w">,
  weight: Tensor<"o c y x">,
  options: PlaneOptions = {},
): Tensor<"b c h w"> {
  checkTensors("conv2d", x, weight);
  const [, channels, high = 0, wide = 0] = weight.shape;
  if (weight.shape.length !== 4 || channels !== x.shape[1])
    throw new ShapeError(
      `a weight [${weight.shape.join(" ")}] needs planes with ${channels} channels, not [${x.shape.join(" ")}]  [conv.windows]`,
      "conv2d",
      { x: x.shape, weight: weight.shape },
    );
  const axes = placed("conv2d", x, [high, wide], options);
  const out = einsum("b c h w y x, o c y x -> b o h w", windowed(padded(x, axes), axes), weight); // [conv.correlation]
  return named("b c h w", out);
}

/** The size of the window, in elements of the plane. */
export interface PoolOptions extends PlaneOptions {
  readonly size: Sides;
}

/** A mask that is true inside the plane and false in its padding; every image and channel has the same. */
function inside({ shape }: Tensor, [h, w]: readonly [Along, Along]): Bool<"b c h w"> {
  const [b = 0, c = 0, high = 0, wide = 0] = shape;
  const size = { h: high + h.before + h.after, w: wide + w.before + w.after };
  const data = new Uint8Array(size.h * size.w);
  for (let i = h.before; i < h.before + high; i++)
    data.fill(1, i * size.w + w.before, i * size.w + w.before + wide);
  return new Bool([b, c, size.h, size.w], data, [0, 0, size.w, 1]);
}

/**
 * The maximum of each window of `size`, one every `stride` elements (`size` unless given). Padding never wins, as in torch and
 * TensorFlow; an integer padding is at most half the size, as torch requires, so that no window lies in the padding alone. Throws
 * a RuleError for a larger padding, and a ShapeError if the planes are smaller than a window.
 * Shapes: x `b c h w` → `b c y x`, a value for each place of the window.
 */
export function maxPool2d(x: Tensor<"b c h w">, options: PoolOptions): Tensor<"b c h w"> {
  const checks = { ...planeChecks, size: sides(1) };
  const { size, stride = size, padding = 0 } = checked("maxPool2d", options, checks);
  const kernel = pair(size);
  const around = padding === "same" ? [0, 0] : pair(padding);
  if (around.some((n, i) => n > (kernel[i] ?? 0) / 2))
    throw new RuleError(
      `maxPool2d: padding is ${around.join(" and ")}; it must be at most half of the size, ${kernel.join(" and ")}`,
      "conv.pool",
      { padding: around, size: kernel },
    );
  const axes = placed("maxPool2d", x, kernel, { stride, padding });
  const hasPadding = axes.some(({ before, after }) => before + after > 0);
  const all = windowed(hasPadding ? where(inside(x, axes), padded(x, axes), -Infinity) : x, axes); // [conv.pool]
  const top = apply("maxTo", { shape: [...all.shape.slice(0, 4), 1, 1] }, all);
  return rearrange("b c h w 1 1 -> b c h w", top);
}

/** The size of the window, in elements of the plane. */
export interface UnfoldOptions extends PlaneOptions {
  readonly size: Sides;
}

/**
 * The windows of planes as columns [b, c · y · x, h · w], in the order of torch.nn.Unfold. Throws a ShapeError as `conv2d` does.
 * Shapes: x `b c h w` → `b (c k j) n`, with windows of k × j elements at n places.
 */
export function unfold(x: Tensor<"b c h w">, options: UnfoldOptions): Tensor<"b (c y x) (h w)"> {
  const { size, ...rest } = checked("unfold", options, { ...planeChecks, size: sides(1) });
  const axes = placed("unfold", x, size, rest);
  return rearrange("b c h w y x -> b (c y x) (h w)", windowed(padded(x, axes), axes)); // [conv.unfold]
}
