// Rotary position embedding: Su et al., arXiv 2104.09864, §3.2.2. `rotary` is the general form, which language models use;
// `RotaryEmbedding` and `rotate` are the form of PaLM, whose frequencies are a buffer of the state dict.
import { RuleError, ShapeError } from "../../tensor/errors.ts";
import { chunk, concatLast, einsum, rearrange, slice } from "../../tensor/ops/arrange.ts";
import { add, arange, cos, expand, mul, neg, sin } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { checkTensors, tap } from "../../tensor/program/apply.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import {
  type Check,
  checked,
  checkNoMore,
  checkValue,
  count,
  even,
  inner,
  nullable,
  oneOf,
  optional,
  positive,
} from "../options.ts";
import { Parameter, values } from "../parameter.ts";
import { type AnglePrecision, anglePrecision, type Positions, positions } from "./angles.ts";
import { checkScaling, type RopeScaling, ropeScaling } from "./scaling.ts";
import { type Pairing, tablesOf } from "./tables.ts";

const BASE = 10_000;

/**
 * PaLM's rotary embedding, with the buffer `inv_freq`: angles m θᵢ of every position m, for both halves of the features. See
 * `rotary`. Throws a RuleError for an odd width.
 * Source: Su et al., arXiv 2104.09864, §3.2.2; RotaryEmbedding of flamingo-pytorch 0.1.2.
 */
export class RotaryEmbedding {
  static readonly buffers: readonly string[] = ["inv_freq"];
  inv_freq: Parameter<"j">;

  constructor(dim: number, ...surplus: readonly never[]) {
    checkNoMore("RotaryEmbedding", "a width", surplus);
    checkValue("RotaryEmbedding", "dim", dim, count());
    if (dim % 2 !== 0)
      throw new RuleError(
        `the width of a head is ${dim}, but rotary embeddings need an even one`,
        "rotary.halves",
        { dim },
      );
    // The source packages compute θ in float32, which differs from float64 by up to 4.7e-8; parameters are drawn in float32 as well.
    this.inv_freq = new Parameter(
      "j",
      [dim / 2],
      values((i) => 1 / Math.fround(BASE ** Math.fround((2 * i) / dim))),
    ); // [rotary.float32]
  }

  /** The angles of positions that begin at `from`. */
  forward(positions: number, from = 0): Tensor<"l k"> {
    checkValue("RotaryEmbedding.forward", "positions", positions, inner);
    checkValue("RotaryEmbedding.forward", "from", from, inner);
    const angles = einsum("l, j -> l j", arange("l", positions, from), this.inv_freq); // [rotary.angles]
    return tap(this, "", named("l k", concatLast(angles, angles)));
  }
}

/** (x₁, x₂) -> (−x₂, x₁), by halves of the last axis. */
function rotateHalf<A extends string>(x: Tensor<A>): Tensor<A> {
  const [first, second] = chunk(x);
  return concatLast(neg(second), first); // [rotary.halves]
}

/** (x₁, x₂, x₃, x₄ …) -> (−x₂, x₁, −x₄, x₃ …), by neighbours of the last axis. */
function rotateNeighbours<A extends string>(x: Tensor<A>): Tensor<A> {
  const pairs = rearrange("... (j p) -> ... j p", x, { p: 2 });
  return rearrange("... j p -> ... (j p)", rotateHalf(pairs)); // [rotary.interleaved]
}

/** x cos mθ + rotateHalf(x) sin mθ: each pair of dimensions is rotated by its angle. */
export function rotate<A extends string>(x: Tensor<A>, angles: Tensor<"l k">): Tensor<A> {
  return add(mul(x, expand(cos(angles), x)), mul(rotateHalf(x), expand(sin(angles), x))); // [rotary.rotate]
}

/** The same with cosines and sines that are given, of all pairs of dimensions. */
export function rotateBy<A extends string>(
  x: Tensor<A>,
  { cos, sin }: { readonly cos: Tensor; readonly sin: Tensor },
  pairing: Pairing,
): Tensor<A> {
  const turned = pairing === "halves" ? rotateHalf(x) : rotateNeighbours(x);
  return add(mul(x, expand(cos, x)), mul(turned, expand(sin, x))); // [rotary.rotate]
}

/** Width, frequencies and positions of a rotary embedding. */
export interface RotaryOptions {
  /** How many of a head's dimensions are rotated, from the first one on: an even number. The others pass unchanged. */
  readonly width: number;
  /** "halves" pairs dimensions i and i + width/2 (LLaMA, GPT-NeoX), "interleaved" 2i and 2i + 1 (the paper, GPT-J). */
  readonly pairing?: Pairing | undefined;
  /** θᵢ = base^(−2i/width). */
  readonly base?: number | undefined;
  /** The position of the first token, or positions "b l" of all tokens. */
  readonly from?: Positions | undefined;
  /** The arithmetic of frequencies, angles, cosines and sines, in replays of every precision. */
  readonly precision?: AnglePrecision | undefined;
  /** Other frequencies than θᵢ, of models whose context was lengthened. Default: null. */
  readonly scaling?: RopeScaling | null | undefined;
}

const checks: { readonly [K in keyof RotaryOptions]-?: Check } = {
  width: even(),
  pairing: optional(oneOf(["halves", "interleaved"])),
  base: optional(positive),
  from: optional(positions),
  precision: optional(anglePrecision),
  scaling: optional(nullable(ropeScaling)),
};

/**
 * Rotates each pair of a head's dimensions by the angle m θᵢ of its token's position m. x: "… l k" if `from` is a number, "b … l
 * k" if it has positions for each row; k ≥ width. Cosines and sines are computed once for all calls with the same object `from`
 * and the same options, so that a model gives every layer the same positions. Throws a RuleError where an option is refused, and
 * a ShapeError where x is narrower than `width` or has other rows than `from`.
 * Shapes: x `... l k` → `... l k`.
 * Source: Su et al., arXiv 2104.09864, §3.2.2.
 */
export function rotary<A extends string>(x: Tensor<A>, options: RotaryOptions): Tensor<A> {
  checkTensors("rotary", x);
  const {
    width,
    pairing = "halves",
    base = BASE,
    from = 0,
    precision = "float64",
    scaling = null,
  } = checked("rotary", options, checks);
  checkScaling("rotary", scaling);
  const k = x.shape.at(-1) ?? 0;
  if (x.shape.length < 2 || k < width)
    throw new ShapeError(
      `[${x.shape.join(" ")}] has no ${width} dimensions to rotate  [rotary.width]`,
      "rotary",
    );
  const tables = tablesOf(x, { width, pairing, base, from, precision, scaling });
  if (k === width) return rotateBy(x, tables, pairing);
  const rotated = rotateBy(slice(x, -1, 0, width), tables, pairing);
  return concatLast(rotated, slice(x, -1, width, k)); // [rotary.width]
}
