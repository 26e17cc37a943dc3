// The media that FlamingoPaLM takes besides text (images, videos or their embeddings), and how they become one sequence of
// features for each image or video.

import { type Check, checked, nullable, optional, passing } from "../../nn/options.ts";
import { warnOnce } from "../../nn/warn-once.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import { add, detach } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { FlamingoBehaviour } from "./profiles.ts";

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

const tensor: Check = optional(nullable(passing("a tensor", (value) => value instanceof Tensor)));
const checks: { readonly [K in keyof Media]-?: Check } = { images: tensor, videos: tensor, embeds: tensor };

/** Checks the arguments by the options of the profile and returns at most one kind of media. */
export function chooseMedia(media: Media | Tensor<"b m c h w">, behaviour: FlamingoBehaviour): Media {
  if (media instanceof Tensor) return byPosition(media, behaviour);
  const known = checked("FlamingoPaLM.forward", media, checks);
  const { images, videos, embeds } = known;
  if (embeds && !images && behaviour.embeds === "refuse") {
    throw new RuleError(
      "flamingo-pytorch 0.1.2 cannot take embeddings, although its README says so",
      "flamingo.embeds",
      { images: null },
    );
  }
  if (embeds && (images || videos)) {
    throw new RuleError(
      "embeddings replace images or videos: give only one of the three",
      "flamingo.embeds",
      { images: images?.shape ?? null },
    );
  }
  if (images && videos) {
    if (behaviour.imagesBesideVideos === "ignore") return { videos }; // [flamingo.images-and-videos]
    throw new RuleError(
      "give images or videos, not both: flamingo-pytorch 0.1.2 would ignore the images",
      "flamingo.images-and-videos",
    );
  }
  return known;
}

/** forward(text, images): the README of flamingo-pytorch has this call, and the release rejects it. */
function byPosition(images: Tensor<"b m c h w">, { readmeCalls }: FlamingoBehaviour): Media {
  if (readmeCalls === "refuse") {
    throw new RuleError(
      "flamingo-pytorch 0.1.2 takes images by name only, although its README passes them by position",
      "readme.calls",
      { caller: "FlamingoPaLM.forward" },
    );
  }
  warnOnce(
    "forward(text, images) is taken as forward(text, { images }), as the README of flamingo-pytorch writes it",
  );
  return { images };
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
  if (images) return embedImages(owner, images);
  if (videos) return embedVideos(owner, videos);
  return embeds ?? null;
}

/** Encodes images. The encoder is frozen, so its output is detached. */
function encode(
  { img_encoder }: Encoders,
  kind: "image" | "video",
  images: Tensor<"b c h w">,
): Tensor<"b n d"> {
  if (!img_encoder) {
    throw new RuleError(
      "images and videos need an imgEncoder; without one, pass embeddings as { embeds }",
      "flamingo.needs-encoder",
      { kind },
    );
  }
  return detach(img_encoder.forward(images)); // [flamingo.encode]
}

function embedImages(owner: Encoders, images: Tensor<"b m c h w">): Tensor<"b m s d"> {
  const { b } = shapes("FlamingoPaLM", { images: [images, "b m c h w"] });
  // #region images
  const batch = named("b c h w", rearrange("b m c h w -> (b m) c h w", images));
  return rearrange("(b m) s d -> b m s d", named("(b m) s d", encode(owner, "image", batch)), { b });
  // #endregion
}

/** Encodes each frame, adds the embedding of its position, and joins the frames of a video into one sequence. */
function embedVideos(owner: Encoders, videos: Tensor<"b m f c h w">): Tensor<"b m s d"> {
  const { b, m, f } = shapes("FlamingoPaLM", { videos: [videos, "b m f c h w"] });
  const positions = framePositions(owner, f);
  const batch = named("b c h w", rearrange("b m f c h w -> (b m f) c h w", videos));
  const frames = rearrange("(b m f) s d -> b m f s d", named("(b m f) s d", encode(owner, "video", batch)), {
    b,
    m,
  });
  const shifts = repeat("f d -> b m f s d", positions, { b, m, s: frames.shape[3] ?? 0 });
  return named("b m s d", rearrange("b m f s d -> b m (f s) d", add(frames, shifts))); // [flamingo.frames]
}

function framePositions({ video_frame_pos_emb }: Encoders, f: number): Tensor<"f d"> {
  if (!video_frame_pos_emb) {
    throw new RuleError("videos need maxVideoFrames", "flamingo.max-video-frames", {
      frames: f,
      limit: null,
    });
  }
  const limit = video_frame_pos_emb.shape[0] ?? 0;
  if (f > limit || f === 0)
    throw new RuleError(
      `a video has ${f} frames, but must have from 1 to maxVideoFrames = ${limit}`,
      "flamingo.max-video-frames",
      { frames: f, limit },
    );
  return slice(video_frame_pos_emb, 0, 0, f);
}
