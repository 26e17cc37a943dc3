// The effect on a row as values: which images reach it, how they are weighted, whether the feed-forward runs.
import { EFFECT } from "../../../masks/exhaustive/effect.ts";
import { addRun, type Run } from "../../../masks/rows.ts";
import { IMAGES } from "../plan.ts";
import type { ProbeResult } from "../probe.ts";

export interface RowEffect {
  /** Numbers of the images that move the row, from 1. */
  readonly images: readonly number[];
  /** The images are averaged plainly, whatever the row's text. */
  readonly evenly: boolean;
  /** null: unknown. */
  readonly feedForward: boolean | null;
  readonly nan: boolean;
}

/** An effect's bits as values; `known` marks the bits that were measured. */
export function rowEffect(effect: number, known: number): RowEffect {
  const images = Array.from({ length: IMAGES }, (_, m) => m + 1).filter((m) => effect & (1 << (m - 1)));
  return {
    images,
    evenly: images.length > 0 && !(effect & EFFECT.weighs),
    feedForward: known & EFFECT.feedForward ? (effect & EFFECT.feedForward) !== 0 : null,
    nan: (effect & EFFECT.nan) !== 0,
  };
}

/** The row averages all images, whatever its text: every image leaks into it. */
export const isAverage = ({ images, evenly, nan }: RowEffect): boolean =>
  images.length === IMAGES && evenly && !nan;

/** Neighbouring rows of one prompt with the same effect. */
export interface Stretch extends Run {
  readonly prompt: number;
  readonly measured: RowEffect;
  /** The effect under the convention that the rows are compared with; null where they are not compared. */
  readonly expected: RowEffect | null;
}

const same = (a: RowEffect | null, b: RowEffect | null): boolean =>
  a === b ||
  (a !== null &&
    b !== null &&
    a.images.join() === b.images.join() &&
    a.evenly === b.evenly &&
    a.feedForward === b.feedForward &&
    a.nan === b.nan);

const alike = (a: Stretch, b: Stretch): boolean =>
  a.prompt === b.prompt && same(a.measured, b.measured) && same(a.expected, b.expected);

function joined(rows: readonly Stretch[]): Stretch[] {
  const stretches: Stretch[] = [];
  for (const row of rows) addRun(stretches, row, alike);
  return stretches;
}

/** The rows that differ from the convention they are compared with. The feed-forward is null where it does not differ. [probe.words] */
export function mismatchStretches({ measured, mismatches }: ProbeResult): Stretch[] {
  const rows = mismatches.map(({ prompt, position, measured: effect, expected }): Stretch => {
    const known = measured.known[prompt]?.[position] ?? 0;
    const differs = (effect ^ expected) & EFFECT.feedForward ? known : known & ~EFFECT.feedForward; // [probe.words]
    return {
      prompt,
      from: position,
      to: position,
      measured: rowEffect(effect, differs),
      expected: rowEffect(expected, differs),
    };
  });
  return joined(rows);
}

/** Rows that average all images, or are NaN: wrong under every convention. [probe.words] */
export function leakStretches({ measured }: ProbeResult): Stretch[] {
  const rows = measured.effects.flatMap((effects, prompt) =>
    effects.flatMap((bits, position): Stretch[] => {
      const effect = rowEffect(bits, 0);
      const leaks = isAverage(effect) || effect.nan; // [probe.words]
      return leaks ? [{ prompt, from: position, to: position, measured: effect, expected: null }] : [];
    }),
  );
  return joined(rows);
}
