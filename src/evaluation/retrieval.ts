// RICES, retrieval of in-context examples by the similarity of images (Yang et al., arXiv 2109.05014): rices.py of open-flamingo 2.0.1.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { run } from "../kernels/replay.ts";
import type { ImageEncoder } from "../models/flamingo/media.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven, checkMember } from "../tensor/given.ts";
import { sum } from "../tensor/ops/arrange.ts";
import { mulScalar } from "../tensor/ops/functions.ts";
import { named, shapes } from "../tensor/pattern.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** An image tower: one vector for each image, such as the projected class token of CLIP. */
export interface FeatureTower {
  features(images: Tensor<"b c h w">): Tensor<"b d">;
}

/** An image encoder as a tower: with its own features, or with the mean of its tokens where it has none. */
export function towerOf(encoder: ImageEncoder): FeatureTower {
  checkMember("towerOf", { encoder }, "forward", "an image encoder, such as a ViT");
  if (hasFeatures(encoder)) return encoder;
  return new MeanOfTokens(encoder); // [evaluate.mean-of-tokens]
}

const hasFeatures = (encoder: object): encoder is FeatureTower =>
  "features" in encoder && typeof encoder.features === "function";

class MeanOfTokens implements FeatureTower {
  encoder: ImageEncoder;

  constructor(encoder: ImageEncoder) {
    this.encoder = encoder;
  }

  features(images: Tensor<"b c h w">): Tensor<"b d"> {
    const tokens = this.encoder.forward(images);
    const n = tokens.shape[1] ?? 0;
    return named("b d", mulScalar(sum("b n d -> b d", tokens), 1 / n));
  }
}

/** The feature of an image, of length 1. */
export type Feature = Float64Array;

/** A vector of length 1. Throws a RuleError for one without a direction: 0, or with a value that is not finite. */
function normalized(vector: Float64Array, at: number): Feature {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  if (!(length > 0 && length < Number.POSITIVE_INFINITY))
    throw new RuleError(
      `the features of image ${at} have the length ${length}, and so no direction; look for a weight or an image that is not finite`,
      "evaluate.features",
    );
  return vector.map((x) => x / length); // [evaluate.features]
}

/**
 * The features of images, each of length 1. The images are encoded in batches as they are given. Throws a RuleError for a feature
 * of length 0 or that is not finite.
 */
export async function imageFeatures(
  tower: FeatureTower,
  batches: Iterable<Tensor<"b c h w">> | AsyncIterable<Tensor<"b c h w">>,
  { backend = reference() }: { readonly backend?: Backend | undefined } = {},
): Promise<Feature[]> {
  checkMember("imageFeatures", { tower }, "features", "a tower, as towerOf returns it");
  const found: Feature[] = [];
  for await (const images of batches) {
    const features = await run(backend, () => tower.features(images), { model: tower });
    const { b, d } = shapes("imageFeatures", { features: [features, "b d"] });
    const values = features.flat();
    for (let i = 0; i < b; i++)
      found.push(normalized(Float64Array.from(values.subarray(i * d, (i + 1) * d)), found.length));
  }
  return found;
}

/**
 * The k examples whose features are most similar to the query's, by their numbers: the most similar one last, so that it stands next to
 * the query. Ties go to the first one. If there are fewer than k examples, all are taken.
 */
export function mostSimilar(query: Feature, examples: readonly Feature[], k: number): number[] {
  checkGiven("mostSimilar", { query, examples }, "a list");
  const similarity = examples.map((feature) => feature.reduce((sum, x, i) => sum + x * (query[i] ?? 0), 0));
  return examples
    .map((_, i) => i)
    .sort((i, j) => (similarity[j] ?? 0) - (similarity[i] ?? 0)) // a stable sort
    .slice(0, k)
    .reverse(); // [evaluate.retrieval]
}
