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

/** Differences that rounding explains: a number of spacings where every number is of half precision. [probe.batch] */
const rounding = (rows: Rows, spacings: number): number =>
  Math.max(1e-5, spacings * rows.spacing) * rows.scale;

/** The most by which equal rows of one batch may differ. [probe.batch] */
const mostNoise = (rows: Rows): number => Math.max(rounding(rows, 4), 1e-4 * rows.effect);

/** The most by which a row may differ from itself in another batch; more in one of another size, where sums can have another order. [probe.batch] */
function mostApart(base: Outputs, rows: Rows, other: Outputs, others: Rows): number {
  const sameSize = base.call.rows.length === other.call.rows.length;
  const [spacings, share] = sameSize ? [4, 1e-4] : [16, 2e-3];
  const noise = rows.noise > mostNoise(rows) ? 0 : 16 * rows.noise; // too much of it is a fault itself
  return Math.max(rounding(rows, spacings), rounding(others, spacings), share * rows.effect, noise);
}

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

/** Compares the rows of a call with the same rows of a call that holds every change. [probe.batch] */
export function compareRows(base: Outputs, other: Outputs): Difference {
  const pairs = pairsOf(base.call, other.call);
  const positions = Array.from({ length: LENGTH }, (_, l) => l);
  const places = new Set<number>();
  for (const output of ["out", "attended"] as const) {
    const [rows, others] = [base[output], other[output]];
    if (!rows || !others) continue;
    const most = mostApart(base, rows, other, others);
    for (const [a, b] of pairs)
      if (rows.d !== others.d || positions.some((l) => distance(rows.at(a, l), others.at(b, l)) > most))
        places.add(a);
  }
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
