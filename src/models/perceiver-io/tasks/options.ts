// Options that the task classes of Perceiver IO share.
import { type Check, count, layers, optional, passing } from "../../../nn/options.ts";
import { type PerceiverProfileName, perceiverProfile } from "../profiles.ts";

/** The sizes of the encoder, and the profile. */
export interface PerceiverTaskOptions {
  readonly numSelfAttendsPerBlock?: number | undefined;
  readonly numBlocks?: number | undefined;
  readonly numLatents?: number | undefined;
  readonly numLatentChannels?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

export const size = optional(count);

export const taskChecks: { readonly [K in keyof PerceiverTaskOptions]-?: Check } = {
  numSelfAttendsPerBlock: optional(layers),
  numBlocks: optional(layers),
  numLatents: size,
  numLatentChannels: size,
  profile: optional(perceiverProfile),
};

const isSide = count.accepts;
export const imageSize: Check = optional(
  passing(
    `a height and a width, each ${count.wanted}`,
    (value) => Array.isArray(value) && value.length === 2 && value.every(isSide),
  ),
);
