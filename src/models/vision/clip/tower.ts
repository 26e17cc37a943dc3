// The image tower of CLIP: Radford et al., arXiv 2103.00020, §2.4: a Vision Transformer (arXiv 2010.11929) with a norm before its layers.
// open_clip and transformers give its parts different names; the computation here is that of both.
import { attention } from "../../../nn/attention/attention.ts";
import type { Conv2d } from "../../../nn/conv/conv2d.ts";
import type { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { concat, rearrange, repeat, slice } from "../../../tensor/ops/arrange.ts";
import { add, expand, mulScalar } from "../../../tensor/ops/functions.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import type { ImageEncoder } from "../../flamingo/media.ts";

/**
 * Which tokens a tower gives to a resampler: those of the last layer as they are, or normalised by the norm that the pooled token passes.
 * open_clip gave raw tokens up to 2.22.0 and normalises them since 2.23.0; the released OpenFlamingo models were trained on raw ones.
 */
export const CLIP_TOKENS = ["raw", "ln_post"] as const;
export type ClipTokens = (typeof CLIP_TOKENS)[number];

/** An image tower of CLIP. As an image encoder it gives the tokens of the patches, without the class token. */
export interface ClipTower extends ImageEncoder {
  /** The width of the tokens. */
  readonly width: number;
  /** Height and width of the images, in pixels. */
  readonly imageSize: readonly [height: number, width: number];
  /** One vector for each image: its embedding beside texts where the tower has that projection, else the normalised class token. */
  features(images: Tensor<"b c h w">): Tensor<"b o">;
}

/** One layer: from tokens to tokens. */
export interface ClipLayer {
  forward(x: Tensor<"b n d">): Tensor<"b n d">;
}

/** The parts of a tower. */
export interface ClipParts {
  readonly name: string;
  readonly imageSize: readonly [height: number, width: number];
  readonly patches: Conv2d;
  readonly classToken: Tensor<"d">;
  readonly positions: Tensor<"n d">;
  readonly firstNorm: LayerNorm;
  readonly layers: readonly ClipLayer[];
}

/** The number of patches; pixels that are left over at the right and at the bottom belong to none. */
export const patchesIn = (
  [height, width]: readonly [number, number],
  [high, wide]: readonly [number, number],
): number => Math.floor(height / high) * Math.floor(width / wide);

/** Throws a RuleError unless the images have the tower's channels and sides. */
export function checkImages(
  { name, imageSize, patches, positions }: ClipParts,
  images: Tensor<"b c h w">,
): void {
  const { c, h, w } = shapes(name, { images: [images, "b c h w"] });
  const channels = patches.weight.shape[1] ?? 0;
  if (c === channels && h === imageSize[0] && w === imageSize[1]) return;
  throw new RuleError(
    `${name}: the images are ${c}×${h}×${w}, but the tower is for ${channels}×${imageSize.join("×")}; resize them first`,
    "clip.size",
    {
      caller: name,
      imageSize,
      images: images.shape,
      patches: patches.weight.shape,
      positions: positions.shape,
    },
  );
}

/** All tokens of images; the class token is the first of them. */
export interface ClipStates {
  /** Before the first layer, and after each layer. */
  readonly states: readonly Tensor<"b n d">[];
  /** After the last layer. */
  readonly last: Tensor<"b n d">;
}

/** Passes images through the layers. */
export function hiddenStates(parts: ClipParts, images: Tensor<"b c h w">): ClipStates {
  const { patches, classToken, positions, firstNorm, layers } = parts;
  const b = images.shape[0] ?? 0;
  // #region embed
  const rows = rearrange("b d h w -> b (h w) d", named("b d h w", patches.forward(images))); // [clip.patches]
  const first = repeat("d -> b 1 d", classToken, { b });
  const tokens = concat("b o d, b p d -> b n d", named("b o d", first), named("b p d", rows)); // [clip.class-token]
  const placed = add(tokens, expand(positions, tokens)); // [clip.positions]
  let last = firstNorm.forward(placed); // [clip.first-norm]
  // #endregion
  const states = [last];
  for (const layer of layers) {
    last = layer.forward(last);
    states.push(last);
  }
  return { states, last };
}

interface LayerParts {
  readonly firstNorm: LayerNorm;
  readonly attend: ClipLayer;
  readonly secondNorm: LayerNorm;
  readonly feedForward: ClipLayer;
}

/** x + attend(norm x), then x + feedForward(norm x). */
export function residual(
  { firstNorm, attend, secondNorm, feedForward }: LayerParts,
  x: Tensor<"b n d">,
): Tensor<"b n d"> {
  const y = add(x, attend.forward(firstNorm.forward(x))); // [clip.layer]
  return add(y, feedForward.forward(secondNorm.forward(y))); // [clip.layer]
}

/** Queries, keys and values of the heads, side by side in the last axis. */
export interface Projected {
  readonly q: Tensor<"b n (h k)">;
  readonly k: Tensor<"b n (h k)">;
  readonly v: Tensor<"b n (h k)">;
}

/** Self-attention of h heads between all tokens. The width of a head is that of the tokens divided by h. */
export function selfAttention(owner: object, { q, k, v }: Projected, h: number): Tensor<"b n (h k)"> {
  const heads = (x: Tensor<"b n (h k)">) => rearrange("b n (h k) -> b h n k", x, { h });
  const scale = ((q.shape[2] ?? 1) / h) ** -0.5;
  const out = attention(owner, mulScalar(heads(q), scale), heads(k), heads(v), {
    mayAttend: null,
    emptyRow: "nan",
  }); // [clip.attention]
  return named("b n (h k)", rearrange("b h n k -> b n (h k)", out));
}

const classToken = (x: Tensor<"b n d">): Tensor<"b d"> =>
  rearrange("b 1 d -> b d", named("b 1 d", slice(x, 1, 0, 1)));

const patchTokens = (x: Tensor<"b n d">): Tensor<"b n d"> => slice(x, 1, 1, x.shape[1] ?? 1);

/** The class token of each image, normalised. */
export const pooledToken = (x: Tensor<"b n d">, norm: LayerNorm): Tensor<"b d"> =>
  norm.forward(classToken(x)); // [clip.pooled]

/** The tokens of the patches, and the class token, which is normalised in any case. */
export function tokensOf(
  x: Tensor<"b n d">,
  norm: LayerNorm,
  tokens: ClipTokens,
): { readonly tokens: Tensor<"b n d">; readonly pooled: Tensor<"b d"> } {
  if (tokens === "raw") return { tokens: patchTokens(x), pooled: pooledToken(x, norm) }; // [clip.tokens]
  const normalized = norm.forward(x); // [clip.tokens]
  return { tokens: patchTokens(normalized), pooled: classToken(normalized) }; // [clip.pooled]
}
