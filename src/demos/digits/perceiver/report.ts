// The results of `flamboyance train perceiver-digits`, as a JSON document and as text.
import { counted } from "../../../masks/sentences.ts";
import { type Paint, painter } from "../../../terminal/colour.ts";
import { paragraph } from "../../../terminal/prose.ts";
import { columnsFrom, table } from "../../../terminal/table.ts";
import type { Picture } from "../data.ts";
import { drawPictures } from "../draw.ts";
import type { Reading } from "./training.ts";

export interface PerceiverReport extends Reading {
  readonly seed: number;
  readonly steps: number;
  readonly seconds: number;
  /** Seconds of processor time, of all threads together. */
  readonly processorSeconds: number;
  readonly backend: string;
  readonly heldOut: readonly Picture[];
}

export interface Confusion {
  readonly digit: number;
  readonly predicted: number;
  readonly times: number;
}

/** Every pair of a digit and another one that it is taken for, the most frequent first. */
export function confusions({
  heldOut,
  predicted,
}: Pick<PerceiverReport, "heldOut" | "predicted">): Confusion[] {
  const counts = new Map<string, Confusion>();
  for (const [i, { digit }] of heldOut.entries()) {
    const other = predicted[i] ?? -1;
    const key = `${digit} ${other}`;
    if (other !== digit)
      counts.set(key, { digit, predicted: other, times: (counts.get(key)?.times ?? 0) + 1 });
  }
  return [...counts.values()].sort(
    (a, b) => b.times - a.times || a.digit - b.digit || a.predicted - b.predicted,
  );
}

export const accuracyOf = ({ heldOut, predicted }: Pick<PerceiverReport, "heldOut" | "predicted">): number =>
  heldOut.filter(({ digit }, i) => predicted[i] === digit).length / heldOut.length;

/** The document of `train perceiver-digits --json`. [digits.perceiver-document] */
export function perceiverDocument(report: PerceiverReport): object {
  const { seed, steps, seconds, processorSeconds, backend, heldOut, attention } = report;
  return {
    seed,
    steps,
    seconds,
    processorSeconds,
    backend,
    heldOut: { pictures: heldOut.length, accuracy: accuracyOf(report), confusions: confusions(report) },
    attention: attention.map((pixels) => [...pixels]),
  }; // [digits.perceiver-document]
}

const SHOWN_CONFUSIONS = 5;

/** Accuracy, the most frequent confusions, and a picture of the pixels that each latent reads. */
export function perceiverText(report: PerceiverReport, paint: Paint = painter(false), width = 80): string {
  const { seed, steps, seconds, processorSeconds, backend, heldOut, attention } = report;
  const summary = `Seed ${seed}, ${counted(steps, "step")} on backend ${backend}: ${counted(Math.round(seconds), "second")}, ${counted(Math.round(processorSeconds), "second")} of processor time. The model classifies ${(100 * accuracyOf(report)).toFixed(1)} % of ${heldOut.length} held-out digits correctly.`;
  const heads = ["digit", "taken for", "times"].map((head) => ({ head: [head], align: "right" }) as const);
  const rows = confusions(report)
    .slice(0, SHOWN_CONFUSIONS)
    .map(({ digit, predicted, times }) => [digit, predicted, times].map(String));
  const reading =
    "Attention of each latent to the pixels, averaged over the held-out digits; full black is the latent's largest share, which is given below it.";
  const largest = attention.map((pixels) => Math.max(...pixels));
  const maps = attention.map((pixels, i) => ({
    digit: -1,
    pixels: pixels.map((x) => x / (largest[i] ?? 1)),
  })); // [digits.latents]
  const captions = largest.map((share, i) => `${i}: ${(100 * share).toFixed(1)} %`);
  return [
    paragraph("", 0, summary, paint, width),
    ...(rows.length > 0 ? [table(columnsFrom(heads, rows), paint).join("\n")] : []),
    paragraph("", 0, reading, paint, width),
    drawPictures(maps, captions, { width }),
  ].join("\n\n");
}
