// An adapter's outputs as rows, with the distance between copies of a row; outputs of the wrong form are refused.
import type { Stored } from "../../io/safetensors/read.ts";
import { listed, quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { flat, Tensor } from "../../tensor/tensor.ts";
import { AGAIN, BASE, LENGTH, type ProbeCall, rowOf, VARIANTS } from "./plan.ts";

/** Numbers with the axes b l d. */
export class Rows {
  readonly d: number;
  readonly scale: number;
  readonly noise: number;
  readonly #values: ArrayLike<number>;
  readonly #call: ProbeCall;

  constructor(tensor: Tensor, call: ProbeCall) {
    this.d = tensor.shape[2] ?? 0;
    this.#values = flat(tensor.data);
    this.#call = call;
    let [sum, n] = [0, 0];
    for (const value of Array.from(this.#values))
      if (Number.isFinite(value)) [sum, n] = [sum + value * value, n + 1];
    this.scale = Math.sqrt(sum / Math.max(1, n));
    const places = call.prompts.flatMap((_, p) => Array.from({ length: LENGTH }, (_, l) => [p, l] as const));
    this.noise = Math.max(0, ...places.map(([p, l]) => (this.broken(p, l) ? 0 : this.moved(AGAIN, p, l))));
  }

  of(variant: number, p: number, l: number): number[] {
    const at = (rowOf(this.#call, variant, p) * LENGTH + l) * this.d;
    return Array.from({ length: this.d }, (_, i) => this.#values[at + i] ?? 0);
  }

  /** Whether the unchanged row holds a number that is not finite. */
  broken(p: number, l: number): boolean {
    return !this.of(BASE, p, l).every(Number.isFinite);
  }

  /** The distance that a change moves a row. */
  moved(variant: number, p: number, l: number): number {
    return distance(this.of(BASE, p, l), this.of(variant, p, l));
  }

  /** The smallest distance that counts as an effect: above the noise of equal inputs and 1e-5 of the scale. [probe.noise] */
  get least(): number {
    return Math.max(16 * this.noise, 1e-5 * this.scale); // [probe.noise]
  }
}

export const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => {
    const gap = Math.abs(value - (b[i] ?? 0));
    return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(most, gap);
  }, 0);

export const OUT = ["outputs.out", "out"];
/** The attention's output, before gate and residual; optional. */
export const ATTENDED = ["taps.attn", "outputs.attn", "attn"];

/** The rows of an output; throws a LoadError with the remedy where the tensor cannot be used. [probe.outputs] */
export function rowsOf(
  outputs: ReadonlyMap<string, Stored>,
  keys: readonly string[],
  call: ProbeCall,
): Rows | null {
  const key = keys.find((name) => outputs.has(name));
  const tensor = key === undefined ? undefined : outputs.get(key);
  if (!tensor || !key) return null;
  const wanted = [VARIANTS * call.prompts.length, LENGTH];
  if (!(tensor instanceof Tensor))
    throw new LoadError(`${quoted(key)} holds no floats; write it as F32  [probe.outputs]`);
  const { shape } = tensor;
  const fits = shape.length === 3 && shape[0] === wanted[0] && shape[1] === wanted[1] && (shape[2] ?? 0) > 0;
  if (!fits && keys === ATTENDED) return null; // a module's own weights may have that name
  if (!fits) {
    throw new LoadError(
      `${quoted(key)} has the shape ${listed(shape)}, not [${wanted.join(" ")} d]: give the rows of every position of x, in its order  [probe.outputs]`,
    );
  }
  const rows = new Rows(tensor, call);
  if (rows.scale === 0)
    throw new LoadError(
      `every number of ${quoted(key)} is 0 or not finite: set the gates away from 0, and fill the weights  [probe.outputs]`,
    );
  if (rows.noise > 1e-3 * rows.scale)
    throw new LoadError(
      `equal inputs gave unequal rows of ${quoted(key)}: switch dropout off (eval mode)  [probe.outputs]`,
    );
  return rows;
}
