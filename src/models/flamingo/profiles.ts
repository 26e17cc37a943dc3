// Profiles: the behaviour of a released package as data. Each difference from the default is one option of
// FlamingoBehaviour, with a rule of its own.

import { conventionCheck } from "../../blocks/media-visibility.ts";
import { correctedPair, releasedPair } from "../../masks/conventions/pair.ts";
import type { Convention } from "../../masks/conventions/schema.ts";
import { type Check, checked, flag, oneOf, optional, shown } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";

/** The options that a profile may change. */
export interface FlamingoBehaviour {
  /** The mask conventions for onlyAttendImmediateMedia true and false. Rule mask.empty-row. */
  readonly immediate: Convention;
  readonly allPrevious: Convention;
  /**
   * Whether the gated feed-forward runs on tokens whose mask allows no image; by default as the convention has it. Rule
   * gate.empty-row-feed-forward.
   */
  readonly emptyRowFeedForward?: "run" | "skip" | undefined;
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

export const flamboyance: FlamingoBehaviour = {
  ...correctedPair,
  embeds: "accept",
  withoutEncoder: "accept",
  readmeCalls: "accept",
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
    embeds: "refuse",
    withoutEncoder: "refuse",
    readmeCalls: "refuse",
    imagesBesideVideos: "ignore",
    trainModeReachesEncoder: true,
  },
} as const satisfies Record<string, FlamingoBehaviour>;

/** The name of a profile. */
export type ProfileName = keyof typeof profiles;

const choice = optional(oneOf(["accept", "refuse"]));
const checks: { readonly [K in keyof FlamingoBehaviour]-?: Check } = {
  immediate: conventionCheck,
  allPrevious: conventionCheck,
  emptyRowFeedForward: optional(oneOf(["run", "skip"])),
  embeds: choice,
  withoutEncoder: choice,
  readmeCalls: choice,
  imagesBesideVideos: optional(oneOf(["refuse", "ignore"])),
  trainModeReachesEncoder: optional(flag),
};

/** The behaviour of a profile, with some options changed. Throws a RuleError if there is no such profile. */
export function behaviourOf(name: ProfileName, changes: Partial<FlamingoBehaviour> = {}): FlamingoBehaviour {
  if (!Object.hasOwn(profiles, name)) {
    const known = Object.keys(profiles).join(", ");
    throw new RuleError(`no profile is called ${shown(name)}; there are ${known}`, "flamingo.profile");
  }
  return { ...profiles[name], ...checked("behaviour", changes, checks) }; // [flamingo.profile]
}
