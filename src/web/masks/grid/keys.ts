// Where a key leads in the grid. The sentence reads from left to right with images below each other; rows the other way.
import type { Place, State } from "../state.ts";

export interface Extent {
  readonly length: number;
  readonly images: number;
}

type Step = readonly [positions: number, images: number];

const PAGE = 10;
const FAR = 1e9;
const sentence: Readonly<Record<string, Step>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const rows: Readonly<Record<string, Step>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};
const both: Readonly<Record<string, Step>> = {
  Home: [-FAR, 0],
  End: [FAR, 0],
  PageUp: [-PAGE, 0],
  PageDown: [PAGE, 0],
};

const within = (n: number, least: number, most: number): number => Math.max(least, Math.min(most, n));

/** Null where the key means nothing here. */
export function moved(
  at: Place,
  key: string,
  layout: State["layout"],
  { length, images }: Extent,
): Place | null {
  const step = both[key] ?? (layout === "sentence" ? sentence : rows)[key];
  if (!step) return null;
  const [positions, down] = step;
  return {
    ...at,
    position: within(at.position + positions, 0, length - 1),
    image: within(at.image + down, 0, images),
  };
}
