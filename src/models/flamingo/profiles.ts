// Profiles: the behaviour of a released package as data. Each difference from the default is one option of
// FlamingoBehaviour, with a rule of its own.

import { conventionCheck } from "../../blocks/media-visibility.ts";
import { correctedPair, releasedPair } from "../../masks/conventions/pair.ts";
import type { Convention } from "../../masks/conventions/schema.ts";
import { type Check, checked, flag, oneOf, optional } from "../../nn/options.ts";
import { type Facts, RuleError } from "../../tensor/errors.ts";

/** The options that a profile may change. */
export interface FlamingoBehaviour {
  /** The mask conventions for onlyAttendImmediateMedia true and false. Rule mask.empty-row. */
  readonly immediate: Convention;
  readonly allPrevious: Convention;
  /** Whether precomputed embeddings are accepted. Rule flamingo.embeds. */
  readonly embeds: "accept" | "refuse";
  /** Whether a model may be built without an image encoder. Rule flamingo.encoder-optional. */
  readonly withoutEncoder: "accept" | "refuse";
  /** Whether the calls of flamingo-pytorch's README are accepted: forward(text, images), numTimeEmbeds. Rule readme.calls. */
  readonly readmeCalls: "accept" | "refuse";
  /** Whether images given together with videos are an error or ignored. Rule flamingo.images-and-videos. */
  readonly imagesBesideVideos: "refuse" | "ignore";
  /** Whether train mode also puts the frozen image encoder into training mode. Rule flamingo.frozen-encoder. */
  readonly trainModeReachesEncoder: boolean;
}

/** Uses that the README of flamingo-pytorch shows and release 0.1.2 refuses, with one value for all. */
const readmeUses = <V>(value: V) => ({ embeds: value, withoutEncoder: value, readmeCalls: value });

export const flamboyance: FlamingoBehaviour = {
  ...correctedPair,
  ...readmeUses("accept"),
  imagesBesideVideos: "refuse",
  trainModeReachesEncoder: false,
};

/**
 * The releases whose behaviour FlamingoPaLM reproduces. "flamboyance" has the corrected masks and accepts what the releases fail
 * on.
 */
export const profiles = {
  flamboyance,
  "flamingo-pytorch@0.1.2": {
    ...releasedPair,
    ...readmeUses("refuse"),
    imagesBesideVideos: "ignore",
    trainModeReachesEncoder: true,
  },
} as const satisfies Record<string, FlamingoBehaviour>;

/** The name of a profile. */
export type ProfileName = keyof typeof profiles;

const checks: { readonly [K in keyof FlamingoBehaviour]-?: Check } = {
  immediate: conventionCheck,
  allPrevious: conventionCheck,
  ...readmeUses(optional(oneOf(["accept", "refuse"]))),
  imagesBesideVideos: optional(oneOf(["refuse", "ignore"])),
  trainModeReachesEncoder: optional(flag),
};

/** The check of the name of a profile. */
export const profileCheck: Check = optional(oneOf(Object.keys(profiles)));

/** The behaviour of a profile, with some options changed. Throws a RuleError for an option that it does not have. */
export const behaviourOf = (
  name: ProfileName,
  changes: Partial<FlamingoBehaviour> = {},
): FlamingoBehaviour => ({
  ...profiles[name],
  ...checked("behaviour", changes, checks), // [flamingo.profile]
});

/** Uses that the README of flamingo-pytorch shows and release 0.1.2 refuses, with their rules. */
const refused = {
  embeds: ["flamingo.embeds", "embeddings"],
  withoutEncoder: ["flamingo.encoder-optional", "a model without an image encoder"],
  readmeCalls: ["readme.calls", "images by position"],
} as const;

/** Throws a RuleError if a profile refuses a use, as the release does. */
export function checkAccepted(behaviour: FlamingoBehaviour, use: keyof typeof refused, facts?: Facts): void {
  const [rule, what] = refused[use];
  if (behaviour[use] === "refuse")
    throw new RuleError(
      `flamingo-pytorch 0.1.2 refuses ${what}, which its README shows; behaviour { ${use}: "accept" } allows it`,
      rule,
      facts,
    );
}
