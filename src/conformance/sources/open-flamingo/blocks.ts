// helpers.py of open-flamingo: the resampler and the two cross-attentions. `attend_previous` of a case is an argument of the call in release
// 0.1.1, where it is true by default; release 2.0.1 has `use_cached_media` in its place.
import {
  GatedCrossAttentionBlock,
  type GatedCrossAttentionBlockOptions,
} from "../../../blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../../blocks/masked-cross-attention.ts";
import type { MediaVisibility } from "../../../blocks/media-visibility.ts";
import { boolean, number, optional, orNull } from "../../../io/fields.ts";
import { conventionIn } from "../../../masks/conventions/pair.ts";
import type { Convention } from "../../../masks/conventions/schema.ts";
import { passVisibility } from "../../../masks/decoding/passes.ts";
import { OpenFlamingoResampler } from "../../../models/open-flamingo/perceiver-resampler.ts";
import { LoadError } from "../../../tensor/errors.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import type { Arguments } from "../interface/arguments.ts";
import { type BuildContext, layers, moduleClass, type SourceClass, size } from "../interface/source.ts";
import type { Release } from "./releases.ts";

const sizeOrDefault = optional(size, undefined);
const factor = optional(number, undefined);
const limit = optional(orNull(size), undefined);

/** Options of the resampler besides its width. */
export const resamplerOptions = {
  depth: optional(layers, undefined),
  dim_head: sizeOrDefault,
  heads: sizeOrDefault,
  num_latents: sizeOrDefault,
  max_num_media: limit,
  max_num_frames: limit,
  ff_mult: factor,
};
/** Sizes of cross-attention. */
export const crossOptions = { dim_head: sizeOrDefault, heads: sizeOrDefault, ff_mult: factor };

interface CrossOptions extends Pick<GatedCrossAttentionBlockOptions, "dim" | "dimHead" | "heads" | "ffMult"> {
  readonly dimVisual: number;
  readonly onlyAttendImmediateMedia?: boolean | undefined;
  readonly attendPrevious?: boolean | undefined;
}

/** The options of cross-attention in our names, with the convention of the release. */
function crossAttention(
  { dimVisual, onlyAttendImmediateMedia, attendPrevious = true, ...sizes }: CrossOptions,
  { profile }: BuildContext<Release>,
) {
  if (!attendPrevious && profile.next === null)
    throw new LoadError("attend_previous is an argument of release 0.1.1, not of 2.0.1  [conform.options]");
  const pair = attendPrevious ? profile.block : (profile.next ?? profile.block);
  return { ...sizes, dimMedia: dimVisual, convention: conventionIn(pair, onlyAttendImmediateMedia) };
}

const flagOf = (args: Arguments, name: string): boolean =>
  args.has(name) &&
  (args.values[name] instanceof Bool ? args.bool(name, "").flat()[0] : args.number(name)) !== 0;

/** Every position sees the image that the locations count last, as a cached step of the package does; their number of positions is free. */
function cachedVisibility(
  x: Tensor<"b l d">,
  images: number,
  locations: Bool<"b l">,
  convention: Convention,
) {
  const [b = 0, before = 0] = locations.shape;
  const [, l = 0] = x.shape;
  const given = locations.flat();
  const data = new Uint8Array(b * (before + l));
  for (let row = 0; row < b; row++)
    data.set(given.subarray(row * before, (row + 1) * before), row * (before + l));
  return passVisibility({ shape: [b, before + l], data }, [before, l], images, convention);
}

function masksOf(args: Arguments, convention: Convention): MediaVisibility {
  if (!args.has("media_locations")) return {};
  const mediaLocations = args.bool("media_locations", "b l");
  if (!flagOf(args, "use_cached_media")) return { mediaLocations };
  const [x, media] = [args.tensor("x", "b l d"), args.tensor("media", "b m r e")];
  return { visibility: cachedVisibility(x, media.shape[1] ?? 0, mediaLocations, convention) };
}

const options = {
  dim: size,
  dim_visual: size,
  dim_head: sizeOrDefault,
  heads: sizeOrDefault,
  only_attend_immediate_media: optional(boolean, undefined),
  attend_previous: optional(boolean, undefined),
};
const call = ["x", "media", "media_locations", "use_cached_media"];

const crossCall = (model: MaskedCrossAttention | GatedCrossAttentionBlock, args: Arguments): Tensor =>
  model.forward(
    args.tensor("x", "b l d"),
    args.tensor("media", "b m r e"),
    masksOf(args, (model instanceof MaskedCrossAttention ? model : model.attn).options.convention),
  );

export const blocks: Readonly<Record<string, SourceClass<Release>>> = {
  PerceiverResampler: moduleClass({
    options: { dim: size, ...resamplerOptions },
    call: ["x"],
    build: (known) => new OpenFlamingoResampler(known),
    forward: (model, args) => model.forward(args.tensor("x", "b m f s d")),
  }),
  MaskedCrossAttention: moduleClass({
    options,
    call,
    build: (known, context: BuildContext<Release>) =>
      new MaskedCrossAttention(crossAttention(known, context)),
    forward: crossCall,
  }),
  GatedCrossAttentionBlock: moduleClass({
    options: { ...options, ff_mult: factor },
    call,
    build: (known, context: BuildContext<Release>) =>
      new GatedCrossAttentionBlock(crossAttention(known, context)),
    forward: crossCall,
  }),
};
