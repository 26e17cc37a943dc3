// An adapter's outputs as rows, with the distance between copies of a row; outputs of the wrong form are refused.
import type { Stored } from "../../io/safetensors/read.ts";
import { listed, quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { type Floats, Tensor } from "../../tensor/tensor.ts";
import { AGAIN, BASE, changedImage, IMAGES, LENGTH, type ProbeCall, rowOf, VARIANTS } from "./plan.ts";

/** Numbers with the axes b l d. */
export class Rows {
  readonly d: number;
  /** The root mean square of the finite numbers. */
  readonly scale: number;
  readonly #values: Floats;
  readonly #call: ProbeCall;
  /** The place in the batch of each change of each prompt. */
  readonly #places: ReadonlyMap<number, number>;
  #noise: number | null = null;
  #effect: number | null = null;

  constructor(tensor: Tensor, call: ProbeCall) {
    this.d = tensor.shape[2] ?? 0;
    this.#values = tensor.flat();
    this.#call = call;
    this.#places = new Map(
      call.rows.flatMap((row, i) => (row.otherImages ? [] : [[rowOf(call, row.variant, row.prompt), i]])),
    );
    let [most, sum, n] = [0, 0, 0];
    for (const value of this.#values) if (Number.isFinite(value)) most = Math.max(most, Math.abs(value));
    for (const value of this.#values)
      if (Number.isFinite(value)) [sum, n] = [sum + (value / (most || 1)) ** 2, n + 1]; // squares of large numbers overflow
    this.scale = most * Math.sqrt(sum / Math.max(1, n));
  }

  /** Position l of a row of the batch. */
  at(row: number, l: number): Floats {
    const from = (row * LENGTH + l) * this.d;
    return this.#values.subarray(from, from + this.d);
  }

  /** Position l of a prompt with one change; empty where the call does not hold it. */
  of(variant: number, p: number, l: number): Floats {
    const place = this.#places.get(rowOf(this.#call, variant, p));
    return place === undefined ? new Float64Array(0) : this.at(place, l);
  }

  /** Whether a copy of the row holds a number that is not finite. */
  broken(p: number, l: number): boolean {
    const variants = Array.from({ length: VARIANTS }, (_, variant) => variant);
    return variants.some((variant) => !this.of(variant, p, l).every(Number.isFinite));
  }

  get hasBroken(): boolean {
    return this.#call.prompts.some((_, p) =>
      Array.from({ length: LENGTH }).some((_, l) => this.broken(p, l)),
    );
  }

  /** The distance that a change moves a row. */
  moved(variant: number, p: number, l: number): number {
    return distance(this.of(BASE, p, l), this.of(variant, p, l));
  }

  /** The largest distance between equal rows of the batch. */
  get noise(): number {
    this.#noise ??= this.#furthest([AGAIN]);
    return this.#noise;
  }

  /** The largest distance that a change of one image moves a row. */
  get effect(): number {
    this.#effect ??= this.#furthest(Array.from({ length: IMAGES }, (_, i) => changedImage(i + 1)));
    return this.#effect;
  }

  /** The smallest distance that counts as an effect: above the noise of equal inputs and 1e-5 of the scale. [probe.noise] */
  get least(): number {
    return Math.max(16 * this.noise, 1e-5 * this.scale); // [probe.noise]
  }

  /** The relative spacing of the numbers, if all of them are bfloat16 or float16; otherwise 0. */
  get spacing(): number {
    const [word] = [new Uint32Array(1)];
    const float = new Float32Array(word.buffer);
    let bits = 0;
    for (const value of this.#values) {
      float[0] = value;
      bits |= word[0] ?? 0;
    }
    return (bits & 0xffff) === 0 ? 2 ** -7 : (bits & 0x1fff) === 0 ? 2 ** -10 : 0;
  }

  /** How far each image moves each row without broken numbers: prompt, position, image, distance. */
  *changes(): Generator<[p: number, l: number, image: number, by: number]> {
    for (const [p] of this.#call.prompts.entries())
      for (let l = 0; l < LENGTH; l++) {
        if (this.broken(p, l)) continue;
        for (let image = 1; image <= IMAGES; image++)
          yield [p, l, image, this.moved(changedImage(image), p, l)];
      }
  }

  #furthest(variants: readonly number[]): number {
    let most = 0;
    for (const [p] of this.#call.prompts.entries())
      for (let l = 0; l < LENGTH; l++) {
        if (this.broken(p, l)) continue;
        for (const variant of variants) most = Math.max(most, this.moved(variant, p, l));
      }
    return most;
  }
}

/** The largest difference of two numbers; infinite where only one of them is finite. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [one = 0, other = 0] = [a[i], b[i]];
    if (Object.is(one, other)) continue;
    const gap = Math.abs(one - other);
    most = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(most, gap);
  }
  return most;
}

/** Outputs that cannot be used, whatever the prompts are. */
export class UnusableOutputs extends LoadError {}

export const OUT = ["outputs.out", "out"];
/** The attention's output, before gate and residual; optional. */
export const ATTENDED = ["taps.attn", "outputs.attn", "attn"];

/** An adapter's answer to a call. */
export interface Outputs {
  readonly call: ProbeCall;
  readonly out: Rows;
  readonly attended: Rows | null;
}

/** The rows of an output; throws a LoadError with the remedy where the tensor cannot be used. [probe.outputs] */
function rowsOf(outputs: ReadonlyMap<string, Stored>, keys: readonly string[], call: ProbeCall): Rows | null {
  const key = keys.find((name) => outputs.has(name));
  const tensor = key === undefined ? undefined : outputs.get(key);
  if (!tensor || !key) return null;
  const wanted = [call.rows.length, LENGTH];
  if (!(tensor instanceof Tensor))
    throw new UnusableOutputs(`${quoted(key)} holds no floats; write it as F32  [probe.outputs]`);
  const { shape } = tensor;
  const fits = shape.length === 3 && shape[0] === wanted[0] && shape[1] === wanted[1] && (shape[2] ?? 0) > 0;
  if (!fits && keys === ATTENDED) return null; // a module's own weights may have that name
  if (!fits) {
    throw new UnusableOutputs(
      `${quoted(key)} has the shape ${listed(shape)}, not [${wanted.join(" ")} d]: give the rows of every position of x, in its order  [probe.outputs]`,
    );
  }
  return new Rows(tensor, call);
}

/** The rows of what an adapter wrote. Throws a LoadError if they are missing or have another form. [probe.outputs] */
export function readOutputs(call: ProbeCall, outputs: ReadonlyMap<string, Stored>): Outputs {
  const out = rowsOf(outputs, OUT, call);
  if (out) return { call, out, attended: rowsOf(outputs, ATTENDED, call) };
  throw noOutput([...outputs.keys()]);
}

export function noOutput(written: readonly string[]): UnusableOutputs {
  const names = written.slice(0, 5).map(quoted).join(", ") || "nothing";
  return new UnusableOutputs(
    `there is no "outputs.out" among the written tensors (${names})  [probe.outputs]`,
  );
}

/** Throws a LoadError with the remedy if no change of an image changes any row by enough to be told from rounding. [probe.outputs] */
export function checkReached({ out, attended }: Outputs): void {
  const named = [
    ["taps.attn", attended],
    ["outputs.out", out],
  ] as const;
  for (const [key, rows] of named)
    if (rows?.scale === 0)
      throw new UnusableOutputs(
        `every number of "${key}" is 0 or not finite: set the gates away from 0, and fill the weights  [probe.outputs]`,
      );
  for (const [key, rows] of named) {
    if (!rows || rows.effect > rows.least || rows.hasBroken) continue;
    const { effect, noise, scale } = rows;
    const [what, remedy] =
      effect > 16 * noise
        ? [
            `images change "${key}" by at most ${effect.toExponential(1)}, less than 1e-5 of its scale ${scale.toExponential(1)}`,
            "set the gates further from 0, or leave out large numbers that are added to the rows",
          ]
        : ["no image changes any row", "set the gates away from 0, and let the media reach the block"];
    throw new UnusableOutputs(`${what}: ${remedy}  [probe.outputs]`);
  }
  if (attended) checkAttended(out, attended);
}

/** Throws a LoadError where an image changes the attention's output by far and not the row to which that is added. [probe.attended] */
function checkAttended(out: Rows, attended: Rows): void {
  if (out.effect < 1e3 * out.least) return; // rounding can hide the change of a row
  for (const [p, l, image, by] of attended.changes())
    if (by > 0.1 * attended.effect && out.moved(changedImage(image), p, l) <= out.least)
      throw new UnusableOutputs(
        `image ${image} changes position ${l} of "taps.attn" in prompt ${p}, but not of "outputs.out": write the attention whose output these rows contain, or leave "taps.attn" out  [probe.attended]`,
      ); // [probe.attended]
}
