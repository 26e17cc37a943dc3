// xPos: Sun et al., "A Length-Extrapolatable Transformer", arXiv 2212.10554, §3.2 and Algorithm 1, as torchscale computes it. Its
// released class is called XPOS.

import { ShapeError } from "../../tensor/errors.ts";
import { einsum, repeat } from "../../tensor/ops/arrange.ts";
import { exp, log, mul, neg } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { checkTensors } from "../../tensor/program/apply.ts";
import { constant } from "../../tensor/program/constants.ts";
import { Tensor, view } from "../../tensor/tensor.ts";
import { type Check, checked, checkNoMore, even, flag, inner, optional, positive } from "../options.ts";
import { Parameter, values } from "../parameter.ts";
import { type AnglePrecision, anglePrecision, frequencies, rounding } from "./angles.ts";
import { rotateBy } from "./rotary.ts";
import { table } from "./tables.ts";

const BASE = 10_000;
/** γ, the share of the scale that all dimensions have in common. */
const GAMMA = 0.4;

/** The width of a head, in features, and the scale. */
export interface XPosOptions {
  /** The width of a head, k. */
  readonly width: number;
  /** The number of positions over which the scale changes by one power of ζ. Default 512. */
  readonly scaleBase?: number | undefined;
  /** The arithmetic of frequencies and angles. Default "float32", as in torchscale. */
  readonly precision?: AnglePrecision | undefined;
}
const constructorChecks: { readonly [K in keyof XPosOptions]-?: Check } = {
  width: even,
  scaleBase: optional(positive),
  precision: optional(anglePrecision),
};

/** The place of the tokens, and whether they are queries or keys. */
export interface XPosCall {
  /** The number of tokens before the first one of x. */
  readonly offset?: number | undefined;
  /** Divides by the scale, as keys need it. */
  readonly downscale?: boolean | undefined;
}
const callChecks: { readonly [K in keyof XPosCall]-?: Check } = {
  offset: optional(inner),
  downscale: optional(flag),
};

/**
 * xPos: rotates neighbouring dimensions of queries and keys "… l k", and scales them by ζᵢ^(m/base) in queries and its reciprocal
 * in keys at the position m, so that scores decay with the distance.
 * Source: Sun et al., arXiv 2212.10554, §3.2 and Algorithm 1; XPOS of torchscale 0.3.0.
 */
export class XPos {
  static readonly buffers: readonly string[] = ["scale"];
  /** ζᵢ = (2i/k + γ) / (1 + γ), i = 0 … k/2 − 1. */
  scale: Parameter<"j">;
  readonly options: {
    readonly width: number;
    readonly scaleBase: number;
    readonly precision: AnglePrecision;
  };

  constructor(options: XPosOptions, ...surplus: readonly never[]) {
    checkNoMore("XPos", "an object of options", surplus);
    const { width, scaleBase = 512, precision = "float32" } = checked("XPos", options, constructorChecks); // [xpos.float32]
    this.options = { width, scaleBase, precision };
    const round = Math.fround; // [xpos.float32]
    const zeta = (i: number) => round(round(2 * i + round(GAMMA * width)) / round((1 + GAMMA) * width));
    this.scale = new Parameter("j", [width / 2], values(zeta)); // [xpos.scale]
  }

  /**
   * The queries, or with `downscale` the keys, rotated and scaled. Throws a ShapeError if the heads have another width.
   * Shapes: x `... l k` → `... l k`.
   */
  forward<A extends string>(x: Tensor<A>, options: XPosCall = {}): Tensor<A> {
    checkTensors("XPos", x);
    const { offset = 0, downscale = false } = checked("XPos.forward", options, callChecks);
    const { width, precision } = this.options;
    if (x.shape.length < 2 || x.shape.at(-1) !== width)
      throw new ShapeError(`[${x.shape.join(" ")}] are no heads of width ${width}  [xpos.rotate]`, "XPos");
    const length = x.shape.at(-2) ?? 0;
    const scale = this.#scaleOf(length, offset, downscale);
    const scaled = (f: (angle: number) => number) =>
      mul(rotationOf(f, offset, [length, width], precision), scale);
    return rotateBy(x, { cos: scaled(Math.cos), sin: scaled(Math.sin) }, "interleaved"); // [xpos.rotate]
  }

  /** ζ^(m/base), or its reciprocal, for the last `length` tokens of a text whose middle is m = 0. */
  #scaleOf(length: number, offset: number, downscale: boolean): Tensor<"l k"> {
    const total = length + offset;
    const first = Math.floor(-total / 2) + offset; // [xpos.centre]
    const m = Float64Array.from({ length }, (_, i) => (first + i) / this.options.scaleBase);
    const exponents = einsum("l, j -> l j", new Tensor<"l">([length], view(m, [length])), log(this.scale));
    const scale = exp(downscale ? neg(exponents) : exponents); // [xpos.downscale]
    return named("l k", repeat("l j -> l (j p)", scale, { p: 2 }));
  }
}

/** f of the angles of the positions from `offset` on. */
function rotationOf(
  f: (angle: number) => number,
  offset: number,
  shape: readonly [length: number, width: number],
  precision: AnglePrecision,
): Tensor<"l k"> {
  const [length, width] = shape;
  const theta = frequencies(width / 2, BASE, precision); // [xpos.float32]
  const make = () => {
    const positions = Array.from({ length }, (_, i) => offset + i);
    const asIs = (x: number): number => x;
    return view(
      table(f, positions, "interleaved", { theta, angle: rounding(precision), value: asIs }),
      shape,
    ); // [xpos.float32]
  };
  return constant(new Tensor<"l k">(shape, make));
}
