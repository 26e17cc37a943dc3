// Broken builds of preprocessing: the mistakes of ports that do not have Pillow.
import type { BrokenBuild } from "./change.ts";

const RESIZE = "src/io/images/resize.ts";
const TRANSFORMS = "src/io/images/transforms.ts";

export const images: readonly BrokenBuild[] = [
  {
    mistake: "the bicubic filter is OpenCV's, with a = −3/4",
    path: RESIZE,
    before: "[Math.abs(signed), -0.5]",
    after: "[Math.abs(signed), -0.75]",
    noticedBy: ["resize--bicubic-up", "resize--bicubic-down", "compose--clip-wide"],
  },
  {
    mistake: "a reduction does not stretch the filter",
    path: RESIZE,
    before: "Math.max(scale, 1)",
    after: "1",
    noticedBy: ["resize--bicubic-down", "resize--bilinear-down", "compose--clip-wide"],
  },
  {
    mistake: "weights have 16 fractional bits",
    path: RESIZE,
    before: "const BITS = 22;",
    after: "const BITS = 16;",
    noticedBy: ["resize--bicubic-one-row"],
  },
  {
    mistake: "the width is always resized first",
    path: RESIZE,
    before: 'order === "pillow-13" && isHeightFirst(raster, size)',
    after: "false",
    noticedBy: [
      "resize--bicubic-height-first",
      "resize--bicubic-first-height-first",
      "resize--bicubic-wider-and-lower",
      "compose--short-side-tall-reduced",
    ],
  },
  {
    mistake: "the height is first where exactly twice as many rows as columns are lost",
    path: RESIZE,
    before: "from.height - to.height > 2 *",
    after: "from.height - to.height >= 2 *",
    noticedBy: ["resize--bicubic-last-width-first"],
  },
  {
    mistake: "the long side is rounded",
    path: TRANSFORMS,
    before: "Math.trunc((size * long) / short)",
    after: "Math.round((size * long) / short)",
    noticedBy: ["compose--short-side-wide", "compose--short-side-tall"],
  },
  {
    mistake: "the offset of a crop is rounded down",
    path: TRANSFORMS,
    before: "below % 2 === 0 ? below : below + 1",
    after: "below",
    noticedBy: ["compose--crop-half-to-even"],
  },
  {
    mistake: "the odd row and column of padding are on the left and at the top",
    path: TRANSFORMS,
    before: "-Math.floor((target - size) / 2)",
    after: "-Math.ceil((target - size) / 2)",
    noticedBy: ["compose--crop-padded", "compose--crop-padded-one-way"],
  },
  {
    mistake: "red and blue are exchanged",
    path: TRANSFORMS,
    before: "data[pixel * channels + c]",
    after: "data[pixel * channels + channels - 1 - c]",
    noticedBy: ["compose--normalize", "compose--to-tensor", "compose--clip-tall"],
  },
  {
    mistake: "Resize is bicubic by default",
    path: "src/conformance/sources/images.ts",
    before: 'optional(filter, "bilinear" as const)',
    after: 'optional(filter, "bicubic" as const)',
    noticedBy: ["compose--short-side-bilinear"],
  },
];
