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

const CALL = "FlamingoPaLM.forward";
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

/** The features of a batch of images or frames. The encoder is frozen, so its output is detached. */
function encode<A extends string>(
  { img_encoder }: Encoders,
  kind: "image" | "video",
  images: Tensor,
  axes: A,
): Tensor<A> {
  if (!img_encoder)
    throw new RuleError(
      `${kind}s need an imgEncoder; without one, pass embeddings as { embeds }`,
      "flamingo.needs-encoder",
      { kind },
    );
  return named(axes, detach(img_encoder.forward(named("b c h w", images)))); // [flamingo.encode]
}

/** One sequence of features for each image or video; null without media. */
export function embedMedia(
  owner: Encoders,
  { images, videos, embeds }: Media,
): Tensor<"b m s d"> | Tensor<"b s d"> | null {
  if (videos) return embedVideos(owner, videos); // [flamingo.images-and-videos]
  if (!images) return embeds ?? null;
  const { b } = shapes("FlamingoPaLM", { images: [images, "b m c h w"] });
  // #region images
  const batch = rearrange("b m c h w -> (b m) c h w", images);
  return rearrange("(b m) s d -> b m s d", encode(owner, "image", batch, "(b m) s d"), { b });
  // #endregion
}

/** Encodes each frame, adds the embedding of its position, and joins the frames of a video into one sequence. */
function embedVideos(owner: Encoders, videos: Tensor<"b m f c h w">): Tensor<"b m s d"> {
  const { b, m, f } = shapes("FlamingoPaLM", { videos: [videos, "b m f c h w"] });
  const positions = framePositions(owner, f);
  const batch = rearrange("b m f c h w -> (b m f) c h w", videos);
  const frames = rearrange("(b m f) s d -> b m f s d", encode(owner, "video", batch, "(b m f) s d"), {
    b,
    m,
  });
  const shifts = repeat("f d -> b m f s d", positions, { b, m, s: frames.shape[3] ?? 0 });
  return named("b m s d", rearrange("b m f s d -> b m (f s) d", add(frames, shifts))); // [flamingo.frames]
}

function framePositions({ video_frame_pos_emb: table }: Encoders, frames: number): Tensor<"f d"> {
  const [limit = null] = table?.shape ?? [];
  if (!table || limit === null || frames === 0 || frames > limit)
    throw new RuleError(
      `a video has ${frames} frames; it must have from 1 to maxVideoFrames, which is ${limit ?? "not set"}`,
      "flamingo.max-video-frames",
      { frames, limit },
    );
  return slice(table, 0, 0, frames);
}
