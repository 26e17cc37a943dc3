// The Vision Transformer: Dosovitskiy et al., arXiv 2010.11929, §3.1 and equations (1)–(4), as in vit-pytorch.

import { VisionTransformer } from "../../blocks/vision-transformer.ts";
import { Dropout, probability } from "../../nn/dropout.ts";
import { Linear } from "../../nn/linear.ts";
import { LayerNorm } from "../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  checkValue,
  count,
  inner,
  layers,
  oneOf,
  optional,
  passing,
} from "../../nn/options.ts";
import { normal, Parameter } from "../../nn/parameter.ts";
import { RuleError } from "../../tensor/errors.ts";
import { concat, rearrange, repeat, slice, sum } from "../../tensor/ops/arrange.ts";
import { add, detach, expand, mulScalar } from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Shape, Tensor } from "../../tensor/tensor.ts";

/** The arguments of vit-pytorch's ViT. Sides are in pixels, widths in features, rates of dropout are probabilities. */
export interface ViTOptions {
  /** Side of the square image, or its height and width, in pixels. */
  readonly imageSize: number | readonly [height: number, width: number];
  readonly patchSize: number | readonly [height: number, width: number];
  readonly numClasses: number;
  readonly dim: number;
  readonly depth: number;
  readonly heads: number;
  readonly mlpDim: number;
  readonly pool?: "cls" | "mean" | undefined;
  readonly channels?: number | undefined;
  readonly dimHead?: number | undefined;
  readonly dropout?: number | undefined;
  readonly embDropout?: number | undefined;
}

const pair = (size: number | readonly [number, number]): readonly [number, number] =>
  typeof size === "number" ? [size, size] : size;

const { accepts: isSide, wanted: side } = count;
/** One side, or a height and a width. */
const sides: Check = {
  wanted: `${side}, or [height, width]`,
  accepts: (value) => isSide(value) || (Array.isArray(value) && value.length === 2 && value.every(isSide)),
};

const checks: { readonly [K in keyof ViTOptions]-?: Check } = {
  imageSize: sides,
  patchSize: sides,
  numClasses: inner,
  dim: count,
  depth: layers,
  heads: count,
  mlpDim: inner,
  pool: optional(oneOf(["cls", "mean"])),
  channels: optional(count),
  dimHead: optional(count),
  dropout: optional(probability),
  embDropout: optional(probability),
};

/** Splits the image into patches, then norm, linear, norm: a torch Sequential whose slot 0 (the split) has no parameters. */
class PatchEmbedding {
  readonly 1: LayerNorm;
  readonly 2: Linear<"(p q c)", "d">;
  readonly 3: LayerNorm;
  readonly patch: readonly [number, number];

  constructor(patch: readonly [number, number], channels: number, dim: number) {
    const values = patch[0] * patch[1] * channels;
    this.patch = patch;
    this[1] = new LayerNorm(values);
    this[2] = new Linear("(p q c) -> d", values, dim);
    this[3] = new LayerNorm(dim);
  }

  forward(image: Tensor<"b c h w">): Tensor<"b n d"> {
    const [p, q] = this.patch;
    const cells = rearrange("b c (y p) (x q) -> b (y x) (p q c)", named("b c (y p) (x q)", image), { p, q }); // [vit.patches]
    const patches = named("b n (p q c)", cells);
    return tap(this, "", this[3].forward(this[2].forward(this[1].forward(patches)))); // [vit.patch-embedding]
  }
}

/**
 * The Vision Transformer: class scores of an image, or its tokens. Throws a RuleError for an image that the patches do not
 * divide.
 * Source: Dosovitskiy et al., arXiv 2010.11929, §3.1, equations (1)–(4); ViT of vit-pytorch 1.26.11.
 */
export class ViT {
  cls_token: Parameter<"t d">;
  pos_embedding: Parameter<"n d">;
  to_patch_embedding: PatchEmbedding;
  dropout: Dropout;
  transformer: VisionTransformer;
  /** null if numClasses is 0; then the tokens are the output. */
  mlp_head: Linear<"d", "o"> | null;
  readonly options: {
    readonly pool: "cls" | "mean";
    readonly channels: number;
    readonly image: readonly [height: number, width: number];
  };

  constructor(options: ViTOptions) {
    const {
      dim,
      numClasses,
      pool = "cls",
      channels = 3,
      dimHead = 64,
      dropout = 0,
      embDropout = 0,
      imageSize,
      patchSize,
      depth,
      heads,
      mlpDim,
    } = checked("ViT", options, checks);
    const [image, patch] = [pair(imageSize), pair(patchSize)];
    if (image[0] % patch[0] !== 0 || image[1] % patch[1] !== 0) {
      throw new RuleError(
        `an image of ${image.join("×")} cannot be divided into patches of ${patch.join("×")}`,
        "vit.patches",
        { imageSize: image, patchSize: patch },
      );
    }
    const tokens = pool === "cls" ? 1 : 0;
    const patches = (image[0] / patch[0]) * (image[1] / patch[1]);
    this.options = { pool, channels, image };
    this.cls_token = new Parameter("t d", [tokens, dim], normal(1));
    this.pos_embedding = new Parameter("n d", [patches + tokens, dim], normal(1));
    this.to_patch_embedding = new PatchEmbedding(patch, channels, dim);
    this.dropout = new Dropout(embDropout);
    this.transformer = new VisionTransformer({ dim, depth, heads, mlpDim, dimHead, dropout });
    this.mlp_head = numClasses > 0 ? new Linear("d -> o", dim, numClasses) : null;
  }

  /**
   * The transformer's output for every token, class token included; an image encoder returns it. Throws a RuleError unless the
   * image has the model's channels and a whole number of patches, at most the model's.
   */
  embed(image: Tensor<"b c h w">): Tensor<"b n d"> {
    const { b, c, h, w } = shapes("ViT", { image: [image, "b c h w"] });
    this.#checkImage(image.shape, [c, h, w]);
    // #region embed
    const patches = this.to_patch_embedding.forward(image);
    const cls = repeat("t d -> b t d", this.cls_token, { b });
    const tokens = concat("b t d, b p d -> b n d", cls, named("b p d", patches)); // [vit.class-token]
    const positions = slice(this.pos_embedding, 0, 0, tokens.shape[1] ?? 0);
    const placed = add(tokens, expand(positions, tokens)); // [vit.positions]
    return this.transformer.forward(this.dropout.forward(placed)); // [vit.dropout]
    // #endregion
  }

  /** Throws a RuleError unless the image has the model's channels and a whole number of patches, at most the model's. */
  #checkImage(shape: Shape, [c, h, w]: readonly [number, number, number]): void {
    const {
      channels,
      image: [height, width],
    } = this.options;
    const [p, q] = this.to_patch_embedding.patch;
    const fits = c === channels && h <= height && w <= width; // [vit.size]
    const wholePatches = h % p === 0 && w % q === 0;
    if (fits && wholePatches) return;
    const [actual, largest] = [[c, h, w].join("×"), [channels, height, width].join("×")];
    const problem = fits
      ? `which patches of ${p}×${q} do not divide`
      : `but the model is for at most ${largest}`;
    throw new RuleError(`the image is ${actual}, ${problem}`, fits ? "vit.patches" : "vit.size", {
      images: shape,
      patchSize: [p, q],
      norm: this.to_patch_embedding[1].weight.shape,
      classToken: this.cls_token.shape,
      positions: this.pos_embedding.shape,
    });
  }

  /** Class scores, [b o]; or all tokens, [b n d], if numClasses is 0. Throws as `embed` does. */
  forward(image: Tensor<"b c h w">): Tensor<"b o"> | Tensor<"b n d"> {
    const tokens = this.embed(image);
    if (!this.mlp_head) return tokens; // [vit.no-classes]
    const n = tokens.shape[1] ?? 1;
    const pooled =
      this.options.pool === "mean"
        ? mulScalar(sum("b n d -> b d", tokens), 1 / n) // [vit.pool]
        : rearrange("b 1 d -> b d", named("b 1 d", slice(tokens, 1, 0, 1)));
    return this.mlp_head.forward(pooled);
  }
}

/**
 * vit-pytorch's adapter that makes a ViT an image encoder. Its output is detached, so the ViT is not trained.
 * Source: Extractor of vit-pytorch 1.26.11.
 */
export class Extractor {
  vit: ViT;

  constructor(vit: ViT, options: { returnEmbeddingsOnly: true } = { returnEmbeddingsOnly: true }) {
    const only = passing("true: the scores are not returned", (value) => value === true);
    checkValue(
      "Extractor",
      "vit",
      vit,
      passing("a ViT", (value) => value instanceof ViT),
    );
    checked("Extractor", options, { returnEmbeddingsOnly: only });
    this.vit = vit;
  }

  forward(image: Tensor<"b c h w">): Tensor<"b n d"> {
    return detach(this.vit.embed(image)); // [vit.extractor]
  }
}
