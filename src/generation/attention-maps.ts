// The distribution of a model's cross-attention over images, read from the named activations of one call.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { replay } from "../kernels/replay.ts";
import { noPadding } from "../models/language-model.ts";
import { withStep } from "../models/media-writer.ts";
import { checkWriter, type Writer } from "../models/writer.ts";
import { type Check, checked, count, listOf, object, optional } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { record } from "../tensor/program/record.ts";
import { flat, type Tensor } from "../tensor/tensor.ts";
import { batchOf } from "./prompts.ts";

export interface AttentionMapOptions {
  /** Named activations that hold cross-attention weights, axes b h l (m r): one for each layer to report. */
  readonly weights: readonly string[];
  /** The number of images m; each has the same number of latents r. */
  readonly images: number;
  readonly backend?: Backend | undefined;
}

const checks: { readonly [K in keyof AttentionMapOptions]-?: Check } = {
  weights: listOf("names of activations"),
  images: count,
  backend: optional(object("a backend")),
};

/**
 * Attention of each token to each latent, [layer][token][image][latent], averaged over heads. `row` is one text of token ids. Throws a
 * RuleError if the keys are not those of `images` images.
 */
export const attentionWeights = (
  writer: Writer,
  row: readonly number[],
  options: AttentionMapOptions,
): Promise<number[][][][]> => weightsOf("attentionWeights", writer, row, options);

async function weightsOf(
  caller: string,
  writer: Writer,
  row: readonly number[],
  options: AttentionMapOptions,
): Promise<number[][][][]> {
  checkWriter(caller, writer);
  const { weights, images, backend = reference() } = checked(caller, options, checks);
  const ids = batchOf([row], 0);
  const { model, ...steps } = withStep(writer);
  const mask = noPadding(1, row.length);
  const program = record(() => steps.step(ids, mask, null, steps.context()).logits, {
    model,
    symbolic: true,
  });
  const { taps } = await replay(program, backend, { taps: weights });
  return weights.flatMap((name) => {
    const layer = taps[name];
    return layer ? [perLatent(layer, images)] : [];
  });
}

/**
 * The same for each image, [layer][token][image]: summed over its latents. Throws a RuleError if the keys are not those of
 * `images` images.
 */
export async function attentionMaps(
  writer: Writer,
  row: readonly number[],
  options: AttentionMapOptions,
): Promise<number[][][]> {
  const layers = await weightsOf("attentionMaps", writer, row, options);
  return layers.map((tokens) =>
    tokens.map((images) => images.map((latents) => latents.reduce((sum, weight) => sum + weight, 0))),
  ); // [generate.attend]
}

/** [1 h l (m r)] -> [l][m][r] */
function perLatent({ shape, data }: Tensor, images: number): number[][][] {
  const [, h = 1, l = 0, s = 0] = shape;
  const latents = s / images;
  if (!Number.isInteger(latents))
    throw new RuleError(
      `${s} keys are not those of ${images} images with the same number of latents`,
      "generate.attend",
    );
  const table = Array.from({ length: l }, () =>
    Array.from({ length: images }, () => new Array<number>(latents).fill(0)),
  );
  for (const [i, weight] of flat(data).entries()) {
    const image = table[Math.floor(i / s) % l]?.[Math.floor((i % s) / latents)];
    if (image) image[i % latents] = (image[i % latents] ?? 0) + weight / h;
  }
  return table;
}
