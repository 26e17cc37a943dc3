// The three training formats of KOSMOS-1 (Huang et al., arXiv 2302.14045, §2.2 and table 21), as segments for `kosmosLayout`, which adds the special
// tokens and says which tokens have a loss.
import type { KosmosSegment } from "../../models/kosmos/layout.ts";
import { checkGiven, checkMember } from "../../tensor/given.ts";
import type { Sample } from "./samples.ts";

/** The segments of a sample, and its images in order. */
export interface TrainingText {
  readonly segments: readonly KosmosSegment[];
  /** Paths. */
  readonly images: readonly string[];
}

/** Text and images of a sample. Questions and choices have the prompts of evaluation, and are no training samples. */
export type TrainingSample = Extract<Sample, { kind: "text" | "caption" | "document" }>;

/** The segments of a sample; `encode` gives the ids of a text without special tokens. */
export function trainingText(
  sample: TrainingSample,
  encode: (text: string) => readonly number[],
): TrainingText {
  checkMember("trainingText", { sample }, "kind", "a sample, as samplesOf returns it");
  checkGiven("trainingText", { encode }, "a function");
  switch (sample.kind) {
    case "text":
      return { segments: [encode(sample.text)], images: [] }; // [format.text]
    case "caption":
      return { segments: ["image", encode(sample.caption)], images: [sample.image] }; // [format.caption]
    case "document": {
      const images = sample.segments.flatMap((one) => (typeof one === "string" ? [] : [one.image]));
      const segments = sample.segments.map((one) => (typeof one === "string" ? encode(one) : "image")); // [format.document]
      return { segments, images };
    }
  }
}
