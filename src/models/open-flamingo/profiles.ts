// Profiles of OpenFlamingo: the behaviour of a release as data. Each difference from the default is one option of
// OpenFlamingoBehaviour, with a rule of its own.

import { conventionCheck } from "../../blocks/media-visibility.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { type Check, checked, oneOf, optional } from "../../nn/options.ts";

/** The options that a profile may change. */
export interface OpenFlamingoBehaviour {
  /** Which image a token sees; its `cachedStep` says so for a pass that goes on from a cache. Rule openflamingo.visibility. */
  readonly convention: Convention;
  /** Whether an image token at a position that the attention mask calls padding counts as an image. Rule openflamingo.padded-images. */
  readonly imageTokensInPadding: "ignore" | "count";
  /** Whether there may be images for which no text of the batch has an image token. Rule openflamingo.surplus-images. */
  readonly surplusImages: "refuse" | "accept";
  /** Whether a text may have more image tokens than images. Rule openflamingo.missing-images. */
  readonly missingImages: "refuse" | "accept";
  /**
   * The mask of a pass with a cache and without an attention mask: that of the cached tokens, followed by the pass's, or no padding at
   * all. Rule openflamingo.remembered-mask.
   */
  readonly cachedPadding: "remember" | "forget";
  /** The loss where no token has a label: an error or NaN. Rule openflamingo.no-labels. */
  readonly lossWithoutLabels: "refuse" | "nan";
  /** Whether the processors of generation see the padding of shorter prompts as text. Rule openflamingo.seen-prompts. */
  readonly seenPrompts: "text" | "padded";
  /** The name of the image encoder's parameters: `vision_encoder.…` or `vision_encoder.visual.…`. Rule openflamingo.encoder-name. */
  readonly encoderName: "vision_encoder" | "vision_encoder.visual";
}

export const flamboyance: OpenFlamingoBehaviour = {
  convention: conventions.immediate,
  imageTokensInPadding: "ignore",
  surplusImages: "refuse",
  missingImages: "refuse",
  cachedPadding: "remember",
  lossWithoutLabels: "refuse",
  seenPrompts: "text",
  encoderName: "vision_encoder",
};

const release: OpenFlamingoBehaviour = {
  convention: conventions["open-flamingo@2.0.1"],
  imageTokensInPadding: "count",
  surplusImages: "accept",
  missingImages: "accept",
  cachedPadding: "forget",
  lossWithoutLabels: "nan",
  seenPrompts: "padded",
  encoderName: "vision_encoder",
};

/** The releases whose behaviour OpenFlamingo reproduces. */
export const openFlamingoProfiles = {
  flamboyance,
  "open-flamingo@2.0.1": release,
  // Tag 0.1.1 of the repository; its src/ is that of 0.0.2, the release on the package index.
  "open-flamingo@0.1.1": {
    ...release,
    convention: conventions["open-flamingo@0.0.2"],
    encoderName: "vision_encoder.visual",
  },
} as const satisfies Record<string, OpenFlamingoBehaviour>;

/** The name of a profile. */
export type OpenFlamingoProfile = keyof typeof openFlamingoProfiles;

const acceptance = optional(oneOf(["refuse", "accept"]));
const checks: { readonly [K in keyof OpenFlamingoBehaviour]-?: Check } = {
  convention: conventionCheck,
  imageTokensInPadding: optional(oneOf(["ignore", "count"])),
  surplusImages: acceptance,
  missingImages: acceptance,
  cachedPadding: optional(oneOf(["remember", "forget"])),
  lossWithoutLabels: optional(oneOf(["refuse", "nan"])),
  seenPrompts: optional(oneOf(["text", "padded"])),
  encoderName: optional(oneOf(["vision_encoder", "vision_encoder.visual"])),
};

/** The check of the name of a profile. */
export const openFlamingoProfileCheck: Check = optional(oneOf(Object.keys(openFlamingoProfiles)));

/** The behaviour of a profile, with some options changed. Throws a RuleError for an option that it does not have. */
export const openFlamingoBehaviour = (
  name: OpenFlamingoProfile,
  changes: Partial<OpenFlamingoBehaviour> = {},
): OpenFlamingoBehaviour => ({
  ...openFlamingoProfiles[name],
  ...checked("behaviour", changes, checks), // [openflamingo.profile]
});
