// Image encoders of OpenFlamingo cases: open_clip's tower, and a projection of patches that stands in for one.
import { object, type Read } from "../../../io/fields.ts";
import type { ImageEncoder } from "../../../models/flamingo/media.ts";
import { Linear } from "../../../nn/linear.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { className, readOptions, size } from "../interface/source.ts";
import { openClipTower } from "../open-clip.ts";

/** One token for each patch, a projection of its pixels. */
class PatchTokens implements ImageEncoder {
  proj: Linear<"(c p q)", "d">;
  readonly options: { readonly patch: number };

  constructor(patch: number, channels: number, width: number) {
    this.options = { patch };
    this.proj = new Linear("(c p q) -> d", channels * patch ** 2, width, { bias: false });
  }

  forward(images: Tensor<"b c h w">): Tensor<"b n d"> {
    const { patch: p } = this.options;
    const patches = rearrange("b c (y p) (x q) -> b (y x) (c p q)", named("b c (y p) (x q)", images), {
      p,
      q: p,
    });
    return named("b n d", this.proj.forward(named("b n (c p q)", patches)));
  }
}

const patchOptions = { patch_size: size, channels: size, width: size };

/** The encoder that an object `{ "class": …, … }` describes. */
export const visionEncoder: Read<ImageEncoder> = (value, at) => {
  const config = object(value, at);
  if (className(config, ["PatchTokens", "VisionTransformer"], at) === "VisionTransformer")
    return openClipTower(config, at);
  const { class: _, ...own } = config;
  const { patchSize, channels, width } = readOptions(patchOptions, own, at);
  return new PatchTokens(patchSize, channels, width);
};
