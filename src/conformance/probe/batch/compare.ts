// Compares rows that two calls have in common: the same prompt with the same images.
import { folderOf, LENGTH, lettersOf, type PlannedRow, type ProbeCall } from "../plan.ts";
import { distance, type Outputs, type Rows } from "../rows.ts";

/** Rows of the batch that differ from the same rows in another call. */
export interface Difference {
  /** The call that is compared; null: equal rows of the same batch. */
  readonly call: string | null;
  readonly differing: number;
  readonly compared: number;
}

/** The effect of rounding in another order: larger where every number is of half precision. */
const rounding = (rows: Rows): number => Math.max(1e-5, 16 * rows.spacing) * rows.scale;

/** The largest distance between equal rows of one batch that is not a difference. [probe.batch] */
const mostNoise = (rows: Rows): number => Math.max(rounding(rows), 1e-3 * rows.effect);

/** The largest distance of a row from itself in another batch that is not a difference. [probe.batch] */
const mostApart = (rows: Rows, other: Rows): number =>
  Math.max(rounding(rows), rounding(other), 1e-2 * rows.effect, 4 * Math.min(rows.noise, mostNoise(rows)));

const keyOf = ({ prompts }: ProbeCall, { prompt, variant }: PlannedRow): string =>
  `${lettersOf(prompts[prompt] ?? [])} ${variant}`;

/** The pairs of places that hold the same row in two calls. */
function pairsOf(base: ProbeCall, other: ProbeCall): [number, number][] {
  const places = new Map(base.rows.map((row, i) => [keyOf(base, row), i] as const));
  return other.rows.flatMap((row, i): [number, number][] => {
    const place = row.otherImages ? undefined : places.get(keyOf(other, row));
    return place === undefined ? [] : [[place, i]];
  });
}

/** Those of the pairs that differ. */
function differing(base: Rows, other: Rows, pairs: readonly (readonly [number, number])[]): Set<number> {
  const most = mostApart(base, other);
  const positions = Array.from({ length: LENGTH }, (_, l) => l);
  const places = pairs.filter(
    ([a, b]) => base.d !== other.d || positions.some((l) => distance(base.at(a, l), other.at(b, l)) > most),
  );
  return new Set(places.map(([place]) => place));
}

/** Compares the rows of a call with the same rows of a call that holds every change. [probe.batch] */
export function compareRows(base: Outputs, other: Outputs): Difference {
  const pairs = pairsOf(base.call, other.call);
  const places = differing(base.out, other.out, pairs);
  if (base.attended && other.attended)
    for (const place of differing(base.attended, other.attended, pairs)) places.add(place);
  return { call: folderOf(other.call), differing: places.size, compared: pairs.length };
}

/** Compares the two unchanged copies of each prompt in one batch. [probe.batch] */
export function compareCopies({ call, out, attended }: Outputs): Difference {
  const noisy = [out, ...(attended ? [attended] : [])].some((rows) => rows.noise > mostNoise(rows));
  return { call: null, differing: Number(noisy), compared: call.prompts.length };
}

/** Whether a change of an image changes some row. */
export const reachedByImages = ({ out, attended }: Outputs): boolean => {
  const rows = attended ?? out;
  return rows.effect > rows.least;
};
