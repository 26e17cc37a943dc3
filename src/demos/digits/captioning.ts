// Captions of digit sequences, and the attention behind them.
import { attentionMaps } from "../../generation/attention-maps.ts";
import { generate } from "../../generation/generate.ts";
import type { GenerateOptions } from "../../generation/options.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { Media } from "../../models/flamingo/media.ts";
import { decode, IMAGE, PAD, STOP } from "./captions.ts";
import type { Picture } from "./data.ts";
import { embeddings, encoderOf, sequencesOf } from "./embeddings.ts";
import type { DigitsModel } from "./model.ts";

const MAX_WORDS = 8;

async function mediaOf(
  { vit }: DigitsModel,
  sequences: readonly (readonly Picture[])[],
  backend?: Backend,
): Promise<Media> {
  return { embeds: sequencesOf(sequences, await embeddings(encoderOf(vit), sequences.flat(), backend)) };
}

/** Sampling options of captions; without a seed the most probable words are chosen. */
export type Sampling = Pick<GenerateOptions, "seed" | "temperature" | "topK">;

/**
 * Token ids of captions, [sequence][image]. A sequence's captions are generated in order: each one follows its image
 * token and the captions before it.
 */
export async function captionsOf(
  model: DigitsModel,
  sequences: readonly (readonly Picture[])[],
  backend?: Backend,
  { seed, ...sampling }: Sampling = {},
): Promise<number[][][]> {
  const flamingo = model.flamingo.withMedia(await mediaOf(model, sequences, backend));
  const options = { stop: STOP, maxTokens: MAX_WORDS, never: [PAD, IMAGE], ...sampling, backend };
  const captions: number[][][] = sequences.map(() => []);
  let rows: number[][] = sequences.map(() => []);
  for (let image = 0; image < (sequences[0]?.length ?? 0); image++) {
    const prompts = rows.map((row) => [...row, IMAGE]);
    const draw = seed === undefined ? {} : { seed: seed + image }; // each caption has a generator of its own
    rows = await generate(flamingo, prompts, { ...options, ...draw });
    for (const [b, row] of rows.entries()) captions[b]?.push(row.slice(prompts[b]?.length));
  }
  return captions;
}

/** Captions of one sequence as text, one for each picture. */
export async function captionTexts(
  model: DigitsModel,
  pictures: readonly Picture[],
  backend?: Backend,
): Promise<string[]> {
  const [captions = []] = await captionsOf(model, [pictures], backend);
  return captions.map(decode);
}

/** Attention of each token of one sequence to each of its pictures: [layer][token][picture]. */
export async function attentionOf(
  model: DigitsModel,
  tokens: readonly number[],
  pictures: readonly Picture[],
  backend?: Backend,
): Promise<number[][][]> {
  const weights = model.flamingo.crossAttentionWeights;
  const flamingo = model.flamingo.withMedia(await mediaOf(model, [pictures], backend));
  return attentionMaps(flamingo, tokens, { weights, images: pictures.length, backend });
}
