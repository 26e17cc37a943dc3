// Images, videos and their embeddings: what a Flamingo is given beside its text, and how it becomes one sequence of
// features for each image or video.

import { warnOnce } from "../../nn/note.ts";
import { rejectUnknown } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import { add, detach } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { FlamingoBehaviour } from "./profiles.ts";

/** Anything that turns images into feature sequences. */
export interface ImageEncoder {
  forward(images: Tensor<"b c h w">): Tensor<"b n d">;
}

/** Images, videos or their embeddings; at most one of the three. */
export interface Media {
  readonly images?: Tensor<"b m c h w"> | null | undefined;
  readonly videos?: Tensor<"b m f c h w"> | null | undefined;
  /** What the image encoder would have made of them; without the axis m, of one image. */
  readonly embeds?: Tensor<"b m s d"> | Tensor<"b s d"> | null | undefined;
}

/** At most one kind of media, by the rules of the profile. */
export function chooseMedia(given: Media | Tensor<"b m c h w">, behaviour: FlamingoBehaviour): Media {
  if (given instanceof Tensor) return byPosition(given, behaviour);
  const { images, videos, embeds, ...rest } = given;
  rejectUnknown("FlamingoPaLM.forward", rest);
  if (embeds && !images && behaviour.embeds === "refuse") {
    throw new RuleError(
      "the release cannot be given embeddings, although its README says so",
      "flamingo.embeds",
      "NameError: name 'video' is not defined",
    );
  }
  if (embeds && (images || videos)) {
    throw new RuleError(
      "embeddings stand for images or videos: give one of the three",
      "flamingo.embeds",
      "AssertionError: ",
    );
  }
  if (images && videos) {
    if (behaviour.imagesBesideVideos === "ignore") return { videos }; // [flamingo.images-and-videos]
    throw new RuleError(
      "give images or videos, not both: the source would drop the images silently",
      "flamingo.images-and-videos",
    );
  }
  return given;
}

/** forward(text, images), which the README writes and the release rejects. */
function byPosition(images: Tensor<"b m c h w">, { readmeCalls }: FlamingoBehaviour): Media {
  if (readmeCalls === "refuse") {
    throw new RuleError(
      "the release takes images by name only, although its README gives them by position",
      "readme.calls",
      "TypeError: FlamingoPaLM.forward() takes 2 positional arguments but 3 were given",
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

/** One sequence of features for each image or video; null where there are none. */
export function embedMedia(
  owner: Encoders,
  { images, videos, embeds }: Media,
): Tensor<"b m s d"> | Tensor<"b s d"> | null {
  if (images) return embedImages(owner, images);
  if (videos) return embedVideos(owner, videos);
  return embeds ?? null;
}

/** The encoder is frozen: nothing behind its output is trained. */
function encode({ img_encoder }: Encoders, images: Tensor<"b c h w">): Tensor<"b n d"> {
  if (!img_encoder) {
    throw new RuleError(
      "images need an imgEncoder; without one give their embeddings as { embeds }",
      "flamingo.needs-encoder",
      "AssertionError: img_encoder must be passed in for automatic image encoding",
    );
  }
  return detach(img_encoder.forward(images)); // [flamingo.encode]
}

function embedImages(owner: Encoders, images: Tensor<"b m c h w">): Tensor<"b m s d"> {
  const { b } = shapes("FlamingoPaLM", { images: [images, "b m c h w"] });
  // #region images
  const apart = named("b c h w", rearrange("b m c h w -> (b m) c h w", images));
  return rearrange("(b m) s d -> b m s d", named("(b m) s d", encode(owner, apart)), { b });
  // #endregion
}

/** Frames are encoded one by one, each gets its position, and a video's frames become one sequence. */
function embedVideos(owner: Encoders, videos: Tensor<"b m f c h w">): Tensor<"b m s d"> {
  const { b, m, f } = shapes("FlamingoPaLM", { videos: [videos, "b m f c h w"] });
  const positions = framePositions(owner, f);
  const apart = named("b c h w", rearrange("b m f c h w -> (b m f) c h w", videos));
  const frames = rearrange("(b m f) s d -> b m f s d", named("(b m f) s d", encode(owner, apart)), { b, m });
  const placed = repeat("f d -> b m f s d", positions, { b, m, s: frames.shape[3] ?? 0 });
  return named("b m s d", rearrange("b m f s d -> b m (f s) d", add(frames, placed))); // [flamingo.frames]
}

function framePositions({ video_frame_pos_emb }: Encoders, f: number): Tensor<"f d"> {
  if (!video_frame_pos_emb) {
    throw new RuleError(
      "videos need maxVideoFrames",
      "flamingo.max-video-frames",
      "TypeError: 'NoneType' object is not subscriptable",
    );
  }
  const limit = video_frame_pos_emb.shape[0] ?? 0;
  if (f > limit)
    throw new RuleError(`${f} frames, but maxVideoFrames is ${limit}`, "flamingo.max-video-frames");
  return slice(video_frame_pos_emb, 0, 0, f);
}
