// Behaviour of a released package's evaluation as data: each difference from the default is one member, with a rule of its own.
import { oneOf, optional } from "../nn/options.ts";

/** The options that a profile of evaluation may change. */
export interface EvaluationBehaviour {
  /**
   * The keys and values that the tokens of a class are read after: those of the prompt ("own"), or also those of all classes before it
   * ("shared"), so that the order of the classes changes their scores. Rule evaluate.own-cache.
   */
  readonly classCache: "own" | "shared";
  /** Whether the tokens of a class attend to the padding of their prompt. Rule evaluate.padding. */
  readonly padding: "masked" | "visible";
  /** The images of a classification without demonstrations of images: the query's alone, or all. Rule evaluate.zero-shot-images. */
  readonly zeroShotImages: "query" | "all";
}

/** The releases whose evaluation is reproduced. */
export const evaluationProfiles = {
  flamboyance: { classCache: "own", padding: "masked", zeroShotImages: "query" },
  /** open_flamingo/eval/models/open_flamingo.py and evaluate.py, with the caches of transformers 4.36 and later, which grow in place. */
  "open-flamingo@2.0.1": { classCache: "shared", padding: "visible", zeroShotImages: "all" },
} as const satisfies Record<string, EvaluationBehaviour>;

/** The name of a profile. */
export type EvaluationProfile = keyof typeof evaluationProfiles;

export const evaluationProfile = optional(oneOf(Object.keys(evaluationProfiles)));
