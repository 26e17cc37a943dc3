// Measures the effect on each row from an adapter's outputs: which images move it, whether its text weights them, whether the
// feed-forward runs. The adapter's own mask is not read.
import { EFFECT } from "../../masks/exhaustive/effect.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { BASE, changedImage, IMAGES, LENGTH, type ProbeCall, SPREAD, TEXT } from "./plan.ts";
import { distance, type Outputs, Rows } from "./rows.ts";

/** Effects as bits (masks/exhaustive/effect.ts), and for each the bits that the outputs determine. */
export interface Measured {
  readonly effects: readonly (readonly number[])[];
  readonly known: readonly (readonly number[])[];
  /** attention: the outputs are the attention's; block: they contain the text, and perhaps a feed-forward. */
  readonly kind: "attention" | "block" | "unclear";
}

/** The effects in the answer to a call that holds every change of every prompt. `texts`: its inputs.x. [probe.measure] */
export function measure(texts: Tensor, { call, out, attended: tap }: Outputs): Measured {
  const text = texts.shape[2] === out.d ? new Rows(texts, call) : null;
  const attended = tap ?? out;

  const each = <T>(f: (p: number, l: number) => T): T[][] =>
    call.prompts.map((_, p) => Array.from({ length: LENGTH }, (_, l) => f(p, l)));
  const broken = each((p, l) => attended.broken(p, l) || out.broken(p, l));
  const movedBy = (rows: Rows, p: number, l: number): number[] =>
    Array.from({ length: IMAGES }, (_, i) => rows.moved(changedImage(i + 1), p, l));
  const images = each((p, l) => movedBy(attended, p, l));
  const reached = each((p, l) => {
    const inRow = movedBy(out, p, l);
    return (images[p]?.[l] ?? []).map((by, i) => by > attended.least || (inRow[i] ?? 0) > out.least); // [probe.measure]
  });
  const any = (p: number, l: number): boolean => reached[p]?.[l]?.includes(true) === true;
  const kind = tap ? "block" : kindOf(call, out, broken, any, images);
  const byText = tap !== null || kind === "attention";
  /** A plain average does not depend on the text, and changes only with the mean of the latents. */
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
  const hasFeedForward = fed.flat().includes(true); // a block without a feed-forward does not skip it
  const effects = each((p, l) => {
    const runs = hasFeedForward && fed[p]?.[l] === true ? EFFECT.feedForward : 0;
    if (broken[p]?.[l]) return EFFECT.nan; // [probe.measure]
    const bits = (reached[p]?.[l] ?? []).reduce((sum, seen, i) => sum | (seen ? 1 << i : 0), 0); // [probe.measure]
    return bits | (weighs(p, l) ? EFFECT.weighs : 0) | runs;
  });
  const known = each((p, l) => {
    const isKnown = hasFeedForward && fed[p]?.[l] !== null && !broken[p]?.[l];
    return isKnown ? 0xff : 0xff & ~EFFECT.feedForward; // [probe.feed-forward]
  });
  return { effects, known, kind };
}

/** Whether the outputs contain the text: decided by rows that no image moves, and by rows that their text does not move. */
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
        if (out.of(BASE, p, l).every((value) => value === 0)) return "attention"; // [probe.kind]
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

/** Whether a row is more than its text and the attention's output; null where the outputs do not show it. [probe.feed-forward] */
function feedForward({ out, tap, text, p, l, moved, weighed }: FedRow): boolean | null {
  const added = (variant: number): number[] => {
    const before = text.of(variant, p, l);
    return Array.from(out.of(variant, p, l), (value, i) => value - (before[i] ?? 0));
  };
  const base = added(BASE);
  const zero = base.map(() => 0);
  if (!moved) return distance(base, zero) > out.least; // [probe.feed-forward]
  if (tap) return orthogonalShare(base, tap.of(BASE, p, l)) > 1e-3; // [probe.feed-forward]
  return weighed ? null : distance(base, added(TEXT)) > out.least; // [probe.feed-forward]
}

/** The share of a that is orthogonal to b, from 0 to 1. */
function orthogonalShare(a: readonly number[], b: ArrayLike<number>): number {
  const dot = (u: ArrayLike<number>, v: ArrayLike<number>) =>
    Array.from(u).reduce((sum, value, i) => sum + value * (v[i] ?? 0), 0);
  const along = dot(a, b) / (dot(b, b) || 1);
  const rest = a.map((value, i) => value - along * (b[i] ?? 0));
  return Math.sqrt(dot(rest, rest) / (dot(a, a) || 1));
}
