// From what an adapter wrote to what reaches each row: the images that move it, whether its own text weighs them, whether
// the feed-forward runs. No mask of the adapter's is ever read.
import type { Stored } from "../io/safetensors.ts";
import { listed, quoted } from "../io/wording.ts";
import { EFFECT } from "../masks/effect.ts";
import { LoadError } from "../tensor/errors.ts";
import { flat, Tensor } from "../tensor/tensor.ts";
import {
  AGAIN,
  BASE,
  changedImage,
  IMAGES,
  LENGTH,
  type ProbeCall,
  rowOf,
  SPREAD,
  TEXT,
  VARIANTS,
} from "./probe-plan.ts";

/** Effects as masks/effect.ts has them, and beside each the bits that the outputs tell. */
export interface Measured {
  readonly effects: readonly (readonly number[])[];
  readonly known: readonly (readonly number[])[];
  /** attention: the output is what attention adds; block: text goes through, and a feed-forward may. */
  readonly kind: "attention" | "block" | "unclear";
}

/** Numbers with the axes b l d. */
class Rows {
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

  /** No number, as it is. */
  broken(p: number, l: number): boolean {
    return !this.of(BASE, p, l).every(Number.isFinite);
  }

  /** How far a change moves a row. */
  moved(variant: number, p: number, l: number): number {
    return distance(this.of(BASE, p, l), this.of(variant, p, l));
  }

  /** What is more than rounding: measured on equal inputs, and never less than a hundred thousandth. [probe.noise] */
  get least(): number {
    return Math.max(16 * this.noise, 1e-5 * this.scale); // [probe.noise]
  }
}

const distance = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, value, i) => {
    const gap = Math.abs(value - (b[i] ?? 0));
    return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : Math.max(most, gap);
  }, 0);

const OUT = ["outputs.out", "out"];
/** What attention adds, before gate and residual; optional. */
const ATTENDED = ["taps.attn", "outputs.attn", "attn"];

/** The adapter's tensors, or what is wrong with them and what to do. [probe.outputs] */
function rowsOf(outputs: ReadonlyMap<string, Stored>, keys: readonly string[], call: ProbeCall): Rows | null {
  const key = keys.find((name) => outputs.has(name));
  const tensor = key === undefined ? undefined : outputs.get(key);
  if (!tensor || !key) return null;
  const wanted = [VARIANTS * call.prompts.length, LENGTH];
  if (!(tensor instanceof Tensor))
    throw new LoadError(`${quoted(key)} holds no floats; write it as F32  [probe.outputs]`); // [probe.outputs]
  const { shape } = tensor;
  const fits = shape.length === 3 && shape[0] === wanted[0] && shape[1] === wanted[1] && (shape[2] ?? 0) > 0;
  if (!fits && keys === ATTENDED) return null; // a module's own weights may have that name
  if (!fits) {
    throw new LoadError(
      `${quoted(key)} has the shape ${listed(shape)}, not [${wanted.join(" ")} d]: give the rows of every position of x, in its order  [probe.outputs]`,
    ); // [probe.outputs]
  }
  const rows = new Rows(tensor, call);
  if (rows.scale === 0)
    throw new LoadError(
      `every number of ${quoted(key)} is 0 or none at all: set the gates away from 0, and fill the weights  [probe.outputs]`,
    ); // [probe.outputs]
  if (rows.noise > 1e-3 * rows.scale)
    throw new LoadError(
      `equal inputs gave unequal rows of ${quoted(key)}: switch dropout off (eval mode)  [probe.outputs]`,
    ); // [probe.outputs]
  return rows;
}

/** [probe.measure] */
export function measure(
  call: ProbeCall,
  inputs: ReadonlyMap<string, Stored>,
  outputs: ReadonlyMap<string, Stored>,
): Measured {
  const out = rowsOf(outputs, OUT, call);
  if (!out) {
    const names = [...outputs.keys()].slice(0, 5).map(quoted).join(", ") || "nothing";
    throw new LoadError(`there is no "outputs.out" among what was written (${names})  [probe.outputs]`); // [probe.outputs]
  }
  const tap = rowsOf(outputs, ATTENDED, call);
  const x = inputs.get("inputs.x");
  const text = x instanceof Tensor && x.shape[2] === out.d ? new Rows(x, call) : null;
  const attended = tap ?? out;

  const each = <T>(f: (p: number, l: number) => T): T[][] =>
    call.prompts.map((_, p) => Array.from({ length: LENGTH }, (_, l) => f(p, l)));
  const broken = each((p, l) => attended.broken(p, l) || out.broken(p, l));
  const images = each((p, l) =>
    Array.from({ length: IMAGES }, (_, i) => attended.moved(changedImage(i + 1), p, l)),
  );
  const reached = each((p, l) => (images[p]?.[l] ?? []).map((by) => by > attended.least)); // [probe.measure]
  const any = (p: number, l: number): boolean => reached[p]?.[l]?.includes(true) === true;
  if (call.name !== "without-locations" && !broken.flat().includes(true) && !reached.flat(2).includes(true)) {
    throw new LoadError(
      "no image moves any row: set the gates away from 0, and let the media reach the block  [probe.outputs]",
    ); // [probe.outputs]
  }

  const kind = tap ? "block" : kindOf(call, out, broken, any, images);
  const byText = tap !== null || kind === "attention";
  /** A plain average asks no text, and moves with the mean of what it averages alone. */
  const weighs = (p: number, l: number): boolean => {
    if (!any(p, l)) return false;
    if (byText) return attended.moved(TEXT, p, l) > attended.least; // [probe.weighs]
    const most = Math.max(...(images[p]?.[l] ?? []));
    return out.moved(SPREAD, p, l) > Math.max(out.least, 3e-3 * most); // [probe.weighs]
  };

  const fed = each((p, l) => {
    if (kind !== "block" || !text || broken[p]?.[l]) return null;
    return feedForward({ out, tap, text, p, l, moved: any(p, l), weighed: weighs(p, l) });
  });
  const hasFeedForward = fed.flat().includes(true); // a block without one is no block that skips it
  const effects = each((p, l) => {
    const runs = hasFeedForward && fed[p]?.[l] === true ? EFFECT.feedForward : 0;
    if (broken[p]?.[l]) return EFFECT.nan; // [probe.measure]
    const bits = (reached[p]?.[l] ?? []).reduce((sum, seen, i) => sum | (seen ? 1 << i : 0), 0); // [probe.measure]
    return bits | (weighs(p, l) ? EFFECT.weighs : 0) | runs;
  });
  const known = each((p, l) => {
    const told = hasFeedForward && fed[p]?.[l] !== null && !broken[p]?.[l];
    return told ? 0xff : 0xff & ~EFFECT.feedForward; // [probe.feed-forward]
  });
  return { effects, known, kind };
}

/** Does text go through, or is the output what attention adds? Rows that no image moves tell, and rows that text does not. */
function kindOf(
  call: ProbeCall,
  out: Rows,
  broken: readonly (readonly boolean[])[],
  any: (p: number, l: number) => boolean,
  images: readonly (readonly (readonly number[])[])[],
): Measured["kind"] {
  let kind: Measured["kind"] = "unclear";
  for (const [p] of call.prompts.entries()) {
    for (let l = 0; l < LENGTH; l++) {
      if (broken[p]?.[l]) continue;
      if (!any(p, l)) {
        if (Math.max(...out.of(BASE, p, l).map(Math.abs)) === 0) return "attention"; // [probe.kind]
        kind = "block";
      } else if (out.moved(TEXT, p, l) <= out.least)
        return "attention"; // [probe.kind]
      else if (out.moved(SPREAD, p, l) <= 3e-3 * Math.max(...(images[p]?.[l] ?? []))) kind = "block";
    }
  }
  return kind;
}

interface FedRow {
  readonly out: Rows;
  readonly tap: Rows | null;
  readonly text: Rows;
  readonly p: number;
  readonly l: number;
  readonly moved: boolean;
  readonly weighed: boolean;
}

/** Is there more in a row than its text and what attention adds? null: nobody can tell from these outputs. [probe.feed-forward] */
function feedForward({ out, tap, text, p, l, moved, weighed }: FedRow): boolean | null {
  const added = (variant: number): number[] => {
    const before = text.of(variant, p, l);
    return out.of(variant, p, l).map((value, i) => value - (before[i] ?? 0));
  };
  const now = added(BASE);
  const zero = now.map(() => 0);
  if (!moved) return distance(now, zero) > out.least; // [probe.feed-forward]
  if (tap) return offLine(now, tap.of(BASE, p, l)) > 1e-3; // [probe.feed-forward]
  return weighed ? null : distance(now, added(TEXT)) > out.least; // [probe.feed-forward]
}

/** How much of a is no multiple of b, from 0 to 1. */
function offLine(a: readonly number[], b: readonly number[]): number {
  const dot = (u: readonly number[], v: readonly number[]) =>
    u.reduce((sum, value, i) => sum + value * (v[i] ?? 0), 0);
  const along = dot(a, b) / (dot(b, b) || 1);
  const rest = a.map((value, i) => value - along * (b[i] ?? 0));
  return Math.sqrt(dot(rest, rest) / (dot(a, a) || 1));
}
