// Patches of pictures and videos (io_processors/processor_utils.py of JOBR0/PerceiverIO_Pytorch).
import { unfold } from "../../../nn/conv/planes.ts";
import { ShapeError } from "../../../tensor/errors.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";

/** The blocks of which `spaceToDepth` makes tokens. */
export interface Blocks {
  /** The height and width of a block. */
  readonly spatial: number;
  /** The number of frames of a block. */
  readonly temporal: number;
}

/** Throws a ShapeError unless blocks divide a picture or a video. */
function checkBlocks(caller: string, sizes: readonly number[], { spatial, temporal }: Blocks): void {
  const [t, h = 0, w = 0] = sizes.length === 3 ? sizes : [temporal, ...sizes];
  if ((t ?? 0) % temporal === 0 && h % spatial === 0 && w % spatial === 0) return;
  throw new ShapeError(
    `blocks of ${temporal}×${spatial}×${spatial} (frames, height, width) do not divide ${sizes.join("×")}  [perceiverio.patches]`,
    caller,
  );
}

/** Blocks of a picture [b c h w] or a video [b t c h w] as tokens, in the order frame, row, column, channel: "b n c". */
export function spaceToDepth(x: Tensor, blocks: Blocks): Tensor<"b n c"> {
  const { spatial: p, temporal: r } = blocks;
  const sizes = x.shape.length === 5 ? [x.shape[1] ?? 0, ...x.shape.slice(3)] : x.shape.slice(2);
  checkBlocks("spaceToDepth", sizes, blocks);
  if (x.shape.length === 5) {
    const video = named("b (t r) c (h p) (w q)", x);
    const tokens = rearrange("b (t r) c (h p) (w q) -> b (t h w) (r p q c)", video, { r, p, q: p }); // [perceiverio.patches]
    return named("b n c", tokens);
  }
  const picture = named("b c (h p) (w q)", x);
  return named("b n c", rearrange("b c (h p) (w q) -> b (h w) (p q c)", picture, { p, q: p })); // [perceiverio.patches]
}

/** The inverse of `spaceToDepth` for blocks on a grid, [b h w c] or [b t h w c], channels last: as many dimensions as the grid has. */
export function depthToSpace(x: Tensor, { spatial: p, temporal: r }: Blocks): Tensor {
  if (x.shape.length === 5) {
    const grid = named("b t h w (r p q c)", x);
    return rearrange("b t h w (r p q c) -> b (t r) (h p) (w q) c", grid, { r, p, q: p }); // [perceiverio.patches]
  }
  const grid = named("b h w (p q c)", x);
  return rearrange("b h w (p q c) -> b (h p) (w q) c", grid, { p, q: p });
}

/**
 * The 3 × 3 neighbourhood of every pixel of each frame [b t c h w], zero outside the picture, as channels in the order row, column,
 * colour: [b t (3 · 3 · c) h w].
 */
export function patchesForFlow(frames: Tensor<"b t c h w">): Tensor<"b t c h w"> {
  const [, t = 0, c = 0, h = 0] = frames.shape;
  const planes = rearrange("b t c h w -> (b t) c h w", frames);
  const columns = unfold(named("b c h w", planes), { size: 3, padding: 1 });
  const pattern = "(b t) (c y x) (h w) -> b t (y x c) h w";
  const neighbours = rearrange(pattern, named("(b t) (c y x) (h w)", columns), { t, c, y: 3, h }); // [perceiverio.flow-patches]
  return named("b t c h w", neighbours);
}
