// Packed rows: several samples, one after the other, in one row of the batch. Text must not see images of another sample.

import type { Convention } from "../masks/conventions/conventions.ts";
import { TOKEN } from "../masks/counting/counted-text.ts";
import { differingRanges, type ImageRanges, rangeOf, sameRanges } from "../masks/counting/image-ranges.ts";
import type { SampleFinding } from "../masks/findings.ts";
import type { PromptToken } from "../masks/prompts/prompt.ts";
import { addRun, type MaskRow } from "../masks/rows.ts";
import { LoadError } from "../tensor/errors.ts";

/** The samples of a prompt: each ends with an end token, or they have these lengths. */
export type SampleLengths = "end" | readonly number[];

/** For each position of a prompt without padding, the number of its sample, from 0. Throws a LoadError if the lengths do not add up. [prompt.samples] */
export function samplesOf(prompt: readonly PromptToken[], lengths: SampleLengths): number[] {
  if (lengths === "end") {
    let sample = 0;
    return prompt.map(({ kind }) => (kind === TOKEN.end ? sample++ : sample)); // [prompt.samples]
  }
  const sum = lengths.reduce((a, n) => a + n, 0);
  if (sum !== prompt.length)
    throw new LoadError(
      `samples of ${lengths.slice(0, 8).join(", ")} tokens are ${sum} tokens, but the prompt has ${prompt.length}  [prompt.samples]`,
    );
  return lengths.flatMap((length, sample) => new Array<number>(length).fill(sample)); // [prompt.samples]
}

/** The images (from 1) of each sample: those whose first tokens lie in it. */
function imagesOfSamples(
  rows: readonly MaskRow[],
  samples: readonly number[],
): Map<number, [number, number]> {
  const images = new Map<number, [number, number]>();
  for (const { position, image } of rows) {
    const sample = samples[position] ?? -1;
    const own = images.get(sample);
    if (image > 0 && own) own[1] = image;
    else if (image > 0) images.set(sample, [image, image]);
  }
  return images;
}

/** Rows that images of other samples reach. Images without a token belong to no sample. [prompt.samples] */
export function sampleFindings(
  rows: readonly MaskRow[],
  samples: readonly number[],
  prompt: number,
  { name }: Convention,
): SampleFinding[] {
  const own = imagesOfSamples(rows, samples);
  const tokens = rows.reduce((most, { image }) => Math.max(most, image), 0);
  const findings: SampleFinding[] = [];
  for (const { position, reaching } of rows) {
    const sample = samples[position] ?? -1;
    const images = sample < 0 ? [] : others(reaching, own.get(sample), tokens); // padding belongs to no sample
    if (images.length === 0) continue;
    const run = { prompt, from: position, to: position };
    const finding = { kind: "other-sample", convention: name, ...run, sample, images } as const; // [prompt.samples]
    addRun<SampleFinding>(
      findings,
      finding,
      (last) => last.sample === sample && sameRanges(last.images, images),
    );
  }
  return findings;
}

/** The images of the ranges that have a token but are not among the sample's own. */
function others(
  ranges: ImageRanges,
  [first, last]: readonly [number, number] = [0, 0],
  tokens: number,
): ImageRanges {
  const within = (from: number, to: number) =>
    ranges.flatMap(([a, b]) => rangeOf(Math.max(a, from), Math.min(b, to), tokens));
  return differingRanges(within(1, tokens), within(first, last)); // a range without the part of it that is the sample's own
}
