// The media that FlamingoPaLM takes besides text (images, videos or their embeddings), and how they become one sequence of
// features for each image or video.

import { tensorCheck } from "../../nn/linear.ts";
import { type Check, checked, nullable, optional, passing } from "../../nn/options.ts";
import { warnOnce } from "../../nn/warn-once.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import { add, detach } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { checkAccepted, type FlamingoBehaviour } from "./profiles.ts";

/** A module that maps images to feature sequences. */
export interface ImageEncoder {
  forward(images: Tensor<"b c h w">): Tensor<"b n d">;
}

/** At most one of images, videos and embeddings. */
export interface Media {
  readonly images?: Tensor<"b m c h w"> | null | undefined;
  readonly videos?: Tensor<"b m f c h w"> | null | undefined;
  /** Precomputed outputs of the image encoder; without the axis m, those of one image. */
  readonly embeds?: Tensor<"b m s d"> | Tensor<"b s d"> | null | undefined;
}

/** The check of an option that takes an image encoder. */
export const encoderCheck: Check = passing(
  "a module with a method forward(images)",
  (value) => typeof Object(value).forward === "function",
);

/** The name in messages. */
export const CLASS = "FlamingoPaLM";
const CALL = `${CLASS}.forward`;
const tensor: Check = optional(nullable(tensorCheck));
const checks: { readonly [K in keyof Media]-?: Check } = { images: tensor, videos: tensor, embeds: tensor };

/** The media of a call, checked by the options of the profile: one kind at most, or images beside videos, which are ignored. */
export function chooseMedia(media: Media | Tensor<"b m c h w">, behaviour: FlamingoBehaviour): Media {
  if (media instanceof Tensor) {
    checkAccepted(behaviour, "readmeCalls", { caller: CALL });
    warnOnce("forward(text, images) is read as forward(text, { images })"); // [readme.calls]
    return { images: media };
  }
  const known = checked(CALL, media, checks);
  const { images, videos, embeds } = known;
  if (embeds && !images) checkAccepted(behaviour, "embeds", { images: null }); // [flamingo.embeds]
  const several = images ? videos || embeds : videos && embeds;
  if (several && (embeds || behaviour.imagesBesideVideos === "refuse"))
    throw new RuleError(
      `${CALL} was given more than one of images, videos and embeds; give one`,
      embeds ? "flamingo.embeds" : "flamingo.images-and-videos",
      { images: images?.shape ?? null },
    );
  return known;
}

interface Encoders {
  readonly img_encoder: ImageEncoder | null;
  readonly video_frame_pos_emb: Tensor<"f d"> | null;
}

/** One sequence of features for each image or video; null without media. */
export function embedMedia(
  owner: Encoders,
  { images, videos, embeds }: Media,
): Tensor<"b m s d"> | Tensor<"b s d"> | null {
  if (videos) {
    const { b, m, f } = shapes(CLASS, { videos: [videos, "b m f c h w"] }); // [flamingo.images-and-videos]
    return encode(owner, "video", videos, { b, m, f }, framePositions(owner, f));
  }
  if (!images) return embeds ?? null;
  const { b, m } = shapes(CLASS, { images: [images, "b m c h w"] });
  return encode(owner, "image", images, { b, m, f: 1 }, null);
}

/**
 * Encodes each image or frame, adds the embedding of its position to each frame, and joins the frames of a video into one sequence.
 * The encoder is frozen, so its output is detached.
 */
function encode(
  { img_encoder }: Encoders,
  kind: "image" | "video",
  given: Tensor,
  sizes: { b: number; m: number; f: number },
  positions: Tensor<"f d"> | null,
): Tensor<"b m s d"> {
  if (!img_encoder)
    throw new RuleError(
      `${kind}s need an imgEncoder; without one, pass { embeds }`,
      "flamingo.needs-encoder",
      { kind },
    );
  // #region images
  const pixels = named("b c h w", rearrange("b m ... c h w -> (b m ...) c h w", given));
  const encoded = img_encoder.forward(pixels); // [flamingo.encode]
  const { n: s } = shapes(CLASS, { pixels: [pixels, "b c h w"], "imgEncoder's result": [encoded, "b n d"] });
  const frames = rearrange("(b m f) s d -> b m f s d", named("(b m f) s d", detach(encoded)), sizes);
  const shift = positions && repeat("f d -> b m f s d", positions, { ...sizes, s });
  const x = shift ? add(frames, shift) : frames; // [flamingo.frames]
  return named("b m s d", rearrange("b m f s d -> b m (f s) d", x));
  // #endregion
}

function framePositions({ video_frame_pos_emb: table }: Encoders, frames: number): Tensor<"f d"> {
  const limit = table?.shape[0] ?? null;
  if (!table || frames === 0 || frames > Number(limit))
    throw new RuleError(
      `a video has ${frames} frames; it must have from 1 to maxVideoFrames, which is ${limit ?? "not set"}`,
      "flamingo.max-video-frames",
      { frames, limit },
    );
  return slice(table, 0, 0, frames);
}
