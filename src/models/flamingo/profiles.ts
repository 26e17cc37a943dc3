// A profile is the behaviour of one released package, as data: every point where it differs from the default is a named
// option with a rule of its own.
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { RuleError } from "../../tensor/errors.ts";

export interface FlamingoBehaviour {
  /** Which token sees which image, for onlyAttendImmediateMedia and without it. Rule mask.empty-row. */
  readonly immediate: Convention;
  readonly allPrevious: Convention;
  /** What the feed-forward does to tokens that see no image. Rule gate.empty-row-feed-forward. */
  readonly emptyRowFeedForward: "run" | "skip";
  /** May precomputed embeddings be given? Rule flamingo.embeds. */
  readonly embeds: "accept" | "refuse";
  /** May there be no image encoder? Rule flamingo.encoder-optional. */
  readonly withoutEncoder: "accept" | "refuse";
  /** Are calls as the README writes them accepted: forward(text, images), numTimeEmbeds? Rule readme.calls. */
  readonly readmeCalls: "accept" | "refuse";
  /** What happens to images when videos are given too. Rule flamingo.images-and-videos. */
  readonly imagesBesideVideos: "refuse" | "ignore";
  /** Does train() put the frozen image encoder back into training mode? Rule flamingo.frozen-encoder. */
  readonly trainModeReachesEncoder: boolean;
}

export const flamboyance: FlamingoBehaviour = {
  immediate: conventions.immediate,
  allPrevious: conventions["all-previous"],
  emptyRowFeedForward: "run",
  embeds: "accept",
  withoutEncoder: "accept",
  readmeCalls: "accept",
  imagesBesideVideos: "refuse",
  trainModeReachesEncoder: false,
};

export const profiles = {
  flamboyance,
  "flamingo-pytorch@0.1.2": {
    immediate: conventions["flamingo-pytorch@0.1.2 immediate"],
    allPrevious: conventions["flamingo-pytorch@0.1.2 all-previous"],
    emptyRowFeedForward: "run",
    embeds: "refuse",
    withoutEncoder: "refuse",
    readmeCalls: "refuse",
    imagesBesideVideos: "ignore",
    trainModeReachesEncoder: true,
  },
} as const satisfies Record<string, FlamingoBehaviour>;

export type ProfileName = keyof typeof profiles;

/** A profile's behaviour, with single fields changed. */
export function behaviourOf(name: ProfileName, changes: Partial<FlamingoBehaviour> = {}): FlamingoBehaviour {
  if (!Object.hasOwn(profiles, name)) {
    const known = Object.keys(profiles).join(", ");
    throw new RuleError(`no profile is called "${name}"; there are ${known}`, "flamingo.profile");
  }
  return { ...profiles[name], ...changes }; // [flamingo.profile]
}
