// A language model of a folder as an OpenFlamingo that sees digits: sizes, and the hidden states that no training step changes.
import { batchOf } from "../../generation/prompts.ts";
import { camelKeys } from "../../io/snake-case.ts";
import type { Backend } from "../../kernels/backend.ts";
import { run } from "../../kernels/replay.ts";
import { type DecoderLayer, type LanguageModel, readTokens } from "../../models/language-model.ts";
import { decodingWithMedia } from "../../models/media-writer.ts";
import { FlamingoLayer } from "../../models/open-flamingo/flamingo-layer.ts";
import { readOn } from "../../models/writer.ts";
import { createFlamingo, type FlamingoAndTransforms } from "../../pretrained/open-flamingo/factory.ts";
import type { FlamingoSettings } from "../../pretrained/open-flamingo/folder.ts";
import { RuleError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { Bool, type Int, view } from "../../tensor/tensor.ts";
import { type Gates, openings } from "../gates.ts";
import type { PairText } from "./texts.ts";
import { type DigitClassifier, digitClassifier, visionTower } from "./vision.ts";

export interface SmolDigits {
  /** The model, its tokenizer and the rest of what the factory gives. */
  readonly flamingo: FlamingoAndTransforms;
  readonly classifier: DigitClassifier;
  /** The first layer with cross-attention. */
  readonly firstLayer: number;
}

/** Sizes under the names of open-flamingo's classes, as the folder has them. */
const PERCEIVER = { depth: 1, heads: 4, dim_head: 16, num_latents: 8, ff_mult: 2 } as const;
const CROSS_ATTENTION = { heads: 4, dim_head: 32, ff_mult: 0.25 } as const;

/** The settings of the folder, beside its paths. */
export const settingsOf = (firstLayer: number): Partial<FlamingoSettings> => ({
  cross_attn_first_layer: firstLayer,
  perceiver: PERCEIVER,
  cross_attn: CROSS_ATTENTION,
});

/**
 * The part of their initial values that the resampler's latents keep. As the release draws them they are so much larger than what they read from
 * the pictures that pictures hardly differ after the last norm.
 */
const LATENTS = 0.1;

/**
 * Builds the model. The language model is frozen, and its weights are kept in memory in the dtype of their files. Throws as `createFlamingo` does,
 * and a RuleError if the language model has no layer `firstLayer`.
 */
export async function smolDigits(folder: string, firstLayer: number, seed: number): Promise<SmolDigits> {
  const classifier = digitClassifier(seed);
  const flamingo = await createFlamingo({
    visionEncoder: visionTower(classifier),
    langEncoder: folder,
    crossAttnFirstLayer: firstLayer,
    perceiver: camelKeys(PERCEIVER),
    crossAttn: camelKeys(CROSS_ATTENTION),
    seed,
    loading: { lazy: false },
  });
  const { layers } = flamingo.model.lang_encoder;
  if (firstLayer >= layers.length)
    throw new RuleError(
      `the language model has ${layers.length} layers, so that none of them is layer ${firstLayer} or above; begin cross-attention at a lower one`,
      "smollm2Digits.first-layer",
    );
  const { latents } = flamingo.model.perceiver;
  latents.assign(
    view(
      Float32Array.from(latents.flat(), (x) => LATENTS * x),
      latents.shape,
    ),
  );
  return { flamingo, classifier, firstLayer };
}

/** tanh of both gates in each layer with cross-attention. */
export const gatesOf = ({ flamingo }: SmolDigits): Gates[] =>
  openings(
    flamingo.model.lang_encoder.layers.map((layer) =>
      layer instanceof FlamingoLayer ? layer.gated_cross_attn_layer : null,
    ),
  );

/** Texts as a batch, padded on the right. */
export function batchOfTexts(
  { flamingo }: SmolDigits,
  texts: readonly PairText[],
): { readonly ids: Int<"b l">; readonly mask: Bool<"b l"> } {
  const ids = batchOf(
    texts.map((text) => text.ids),
    flamingo.padTokenId,
  );
  const [b = 0, l = 0] = ids.shape;
  const mask = new Uint8Array(b * l);
  for (const [row, text] of texts.entries()) mask.fill(1, row * l, row * l + text.ids.length);
  return { ids, mask: new Bool([b, l], mask) };
}

/** A language model with other layers between its embeddings and its logits. */
export const withLayers = (language: LanguageModel, layers: DecoderLayer[]): LanguageModel => ({
  width: language.width,
  layers,
  embed: (ids, at) => language.embed(ids, at),
  logits: (x) => language.logits(x),
});

/** Hidden states of texts before the first layer with cross-attention: each text's, l × width. */
export type States = ReadonlyMap<PairText, Float32Array>;

const BATCH = 32;

/**
 * Adds the hidden states of texts before the first layer with cross-attention, and yields how many are done. They depend on frozen weights and the
 * text alone, so that they are computed once and not in each step. [smollm2Digits.states]
 */
export async function* addStates(
  model: SmolDigits,
  texts: readonly PairText[],
  states: Map<PairText, Float32Array>,
  backend: Backend,
): AsyncGenerator<number> {
  const { flamingo, firstLayer } = model;
  const { lang_encoder: language, options } = flamingo.model;
  const lower = withLayers(language, language.layers.slice(0, firstLayer));
  for (let from = 0; from < texts.length; from += BATCH) {
    const batch = texts.slice(from, from + BATCH);
    const { ids, mask } = batchOfTexts(model, batch);
    const at = decodingWithMedia(readOn(null, ids), named("b s", mask), null, options);
    const x = await run(backend, () => readTokens(lower, ids, at, null).x, { model: flamingo.model });
    const [, l = 0, width = 0] = x.shape;
    const values = x.flat();
    for (const [row, text] of batch.entries()) {
      const begin = row * l * width;
      states.set(text, Float32Array.from(values.subarray(begin, begin + text.ids.length * width)));
    }
    yield from + batch.length;
  }
}
