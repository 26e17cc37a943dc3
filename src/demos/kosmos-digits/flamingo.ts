// FlamingoPaLM on the documents: each picture is one image token, and gated layers attend to its latents.

import { generate } from "../../generation/generate.ts";
import { batchOf } from "../../generation/prompts.ts";
import { camelKeys, snakeKeys } from "../../io/snake-case.ts";
import { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { Media } from "../../models/flamingo/media.ts";
import { crossEntropy, IGNORED } from "../../nn/cross-entropy.ts";
import { initialize, parameterNames } from "../../nn/state-dict.ts";
import type { FlamingoPaLMSettings } from "../../pretrained/flamingo-palm/folder.ts";
import { Int } from "../../tensor/tensor.ts";
import { nextTokens } from "../../training/targets.ts";
import { BLANK } from "../digits/data.ts";
import { type Embeddings, sequencesOf } from "../digits/embeddings.ts";
import type { EncodedDocument } from "./documents.ts";
import type { Reader } from "./reader.ts";
import { ANSWERS, HEAD, RESAMPLER, WIDTH } from "./sizes.ts";
import { IDS, VOCABULARY_SIZE } from "./vocabulary.ts";

const SIZES = { depth: 3, ffMult: 2, crossAttnEvery: 1 } as const;

/** flamingo-palm.json of the model, with its image tower in `vision`. */
export const SETTINGS: FlamingoPaLMSettings = {
  ...snakeKeys({ ...HEAD, ...SIZES }),
  num_tokens: VOCABULARY_SIZE,
  dim: WIDTH,
  media_token_id: IDS.image,
  perceiver_num_latents: RESAMPLER.numLatents,
  perceiver_depth: RESAMPLER.depth,
  only_attend_immediate_media: true,
  vision_encoder_path: "vision",
};

export interface FlamingoReader extends Reader {
  readonly model: FlamingoPaLM;
}

const idsOf = ({ ids }: EncodedDocument): number[] => [IDS.bos, ...ids.map((id) => id ?? IDS.image)];

/** Documents with fewer pictures are filled up with blank ones, which no token sees. */
function mediaOf(documents: readonly EncodedDocument[], features: Embeddings): Media {
  const most = Math.max(...documents.map(({ pictures }) => pictures.length));
  if (most === 0) return {};
  const rows = documents.map(({ pictures }) => Array.from({ length: most }, (_, i) => pictures[i] ?? BLANK));
  return { embeds: sequencesOf(rows, features) };
}

/** The targets of Kosmos: every token but the first picture's, where the text begins with it. [kosmosDigits.targets] */
function targetsOf(ids: Int<"b l">): Int<"b l"> {
  const targets = nextTokens(ids, { mediaTokenId: null, padTokenId: IDS.pad, endTokenId: IDS.eos });
  const [, l = 0] = ids.shape;
  const all = targets.flat().map((id, at) => (at % l === 0 && id === IDS.image ? IGNORED : id));
  return new Int(ids.shape, all);
}

export function flamingoReader(seed: number): FlamingoReader {
  const { vision_encoder_path: _, ...sizes } = SETTINGS;
  const model = new FlamingoPaLM(camelKeys(sizes));
  initialize(model, seed);
  const batch = (documents: readonly EncodedDocument[]): Int<"b l"> => batchOf(documents.map(idsOf), IDS.pad);
  return {
    name: "FlamingoPaLM",
    model,
    names: parameterNames(model),
    loss(documents, features) {
      const ids = batchOf(
        documents.map((one) => [...idsOf(one), IDS.eos]),
        IDS.pad,
      );
      return crossEntropy(model.forward(ids, mediaOf(documents, features)), targetsOf(ids)).mean;
    },
    logits: (document, features) => model.forward(batch([document]), mediaOf([document], features)),
    sequence(document) {
      let pictures = 0;
      return [IDS.bos, ...document.ids.map((id) => id ?? { picture: pictures++ })];
    },
    async answers(prompts, features, backend) {
      const ids = prompts.map(idsOf);
      const writer = model.withMedia(mediaOf(prompts, features));
      const rows = await generate(writer, ids, { ...ANSWERS, backend });
      return rows.map((row, i) => row.slice(ids[i]?.length));
    },
  };
}
