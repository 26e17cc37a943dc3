// The results of `flamboyance train perceiver-flow`: distances of estimated from true motions, as a document, text and a picture.
import { flowImage } from "../../../io/images/flow-colours.ts";
import type { Image } from "../../../io/images/image.ts";
import { resizeImage } from "../../../io/images/resize.ts";
import { counted } from "../../../masks/sentences.ts";
import { type Paint, painter } from "../../../terminal/colour.ts";
import { paragraph } from "../../../terminal/prose.ts";
import { columnsFrom, table } from "../../../terminal/table.ts";
import { FRAME, frame, motion, type Scene } from "./scenes.ts";

export interface FlowReport {
  readonly seed: number;
  readonly steps: number;
  readonly seconds: number;
  /** Seconds of processor time, of all threads together. */
  readonly processorSeconds: number;
  readonly backend: string;
  /** Pairs of frames with digits that the training has not seen. */
  readonly scenes: readonly Scene[];
  /** The estimated motion of each pixel of each pair, all x before all y. */
  readonly estimates: readonly Float64Array[];
}

const [HEIGHT, WIDTH] = FRAME;
const PIXELS = HEIGHT * WIDTH;

/** Mean distances in pixels, of the estimates and of the estimate that nothing moves. */
export interface Distances {
  readonly pixels: number;
  readonly estimated: number;
  readonly unmoved: number;
}

/** Distances between estimated and true motions (the end-point error), apart for ink and for white pixels. */
export function distances({ scenes, estimates }: Pick<FlowReport, "scenes" | "estimates">): {
  readonly ink: Distances;
  readonly white: Distances;
} {
  const sums = { ink: [0, 0, 0], white: [0, 0, 0] };
  for (const [b, shown] of scenes.entries()) {
    const [ink, truth, estimate] = [frame(shown, 0), motion(shown), estimates[b] ?? new Float64Array()];
    for (const [i, value] of ink.entries()) {
      const sum = value > 0 ? sums.ink : sums.white;
      const [x = 0, y = 0] = [truth[i], truth[PIXELS + i]];
      const far = Math.hypot((estimate[i] ?? Number.NaN) - x, (estimate[PIXELS + i] ?? Number.NaN) - y);
      for (const [k, add] of [1, far, Math.hypot(x, y)].entries()) sum[k] = (sum[k] ?? 0) + add; // [digits.flow-distances]
    }
  }
  const mean = ([pixels = 0, far = 0, still = 0]: readonly number[]): Distances => ({
    pixels,
    estimated: far / pixels,
    unmoved: still / pixels,
  });
  return { ink: mean(sums.ink), white: mean(sums.white) };
}

/** The document of `train perceiver-flow --json`. */
export function flowDocument(report: FlowReport): object {
  const { seed, steps, seconds, processorSeconds, backend, scenes } = report;
  return {
    seed,
    steps,
    seconds,
    processorSeconds,
    backend,
    heldOut: { pairs: scenes.length, ...distances(report) },
  }; // [digits.flow-document]
}

/** The results, and a legend of the picture. */
export function flowText(report: FlowReport, paint: Paint = painter(false), width = 80): string {
  const { seed, steps, seconds, processorSeconds, backend, scenes } = report;
  const { ink, white } = distances(report);
  const summary = `Seed ${seed}, ${counted(steps, "step")} on backend ${backend}: ${counted(Math.round(seconds), "second")}, ${counted(Math.round(processorSeconds), "second")} of processor time. Mean distance between the estimated and the true motion of a pixel, in pixels, for ${scenes.length} pairs of frames with held-out digits:`;
  const heads = [
    { head: ["pixels"] },
    ...["number", "estimated", "if nothing moved"].map((head) => ({ head: [head], align: "right" }) as const),
  ];
  const row = (name: string, { pixels, estimated, unmoved }: Distances) => [
    name,
    String(pixels),
    estimated.toFixed(2),
    unmoved.toFixed(2),
  ];
  const legend =
    "flow.png has a column for each of six pairs. From the top: the first frame, the second frame, the true motion and the estimated one. A colour is a direction, its depth the distance; white does not move.";
  return [
    paragraph("", 0, summary, paint, width),
    table(columnsFrom(heads, [row("ink", ink), row("white", white)]), paint).join("\n"),
    paragraph("", 0, legend, paint, width),
  ].join("\n\n");
}

const SHOWN = 6;
const GAP = 1;
/** The sides of a pixel in the picture. */
const ENLARGED = 6;

/** Planes of one frame size, row by row of a grid, with gaps of zeros between them. */
function grid(rows: readonly (readonly ArrayLike<number>[])[]): Float64Array {
  const columns = rows[0]?.length ?? 0;
  const across = columns * (WIDTH + GAP) - GAP;
  const values = new Float64Array(across * (rows.length * (HEIGHT + GAP)));
  for (const [r, row] of rows.entries())
    for (const [c, plane] of row.entries())
      for (let i = 0; i < PIXELS; i++) {
        const [y, x] = [r * (HEIGHT + GAP) + Math.floor(i / WIDTH), c * (WIDTH + GAP) + (i % WIDTH)];
        values[y * across + x] = plane[i] ?? 0;
      }
  return values;
}

/** Frames, true motions and estimated ones of six pairs, enlarged. One scale of colours holds for all motions. [digits.flow-picture] */
export function flowPicture({ scenes, estimates }: Pick<FlowReport, "scenes" | "estimates">): Image {
  const shown = scenes.slice(0, SHOWN);
  const ink = grid([shown.map((pair) => frame(pair, 0)), shown.map((pair) => frame(pair, 1))]);
  const rows = [shown.map(motion), estimates.slice(0, SHOWN)];
  const part = (from: number) => grid(rows.map((row) => row.map((xy) => xy.subarray(from, from + PIXELS))));
  const width = shown.length * (WIDTH + GAP) - GAP;
  const height = 2 * (HEIGHT + GAP);
  const grey = Uint8Array.from(
    { length: 3 * width * height },
    (_, i) => 255 - 255 * (ink[Math.floor(i / 3)] ?? 0),
  );
  const colours = flowImage({ width, height, u: part(0), v: part(PIXELS) }).data;
  const data = Uint8Array.from([...grey, ...colours]);
  const small: Image = { width, height: 2 * height, channels: 3, data };
  return resizeImage(small, { width: ENLARGED * width, height: ENLARGED * 2 * height }, { filter: "box" });
}
