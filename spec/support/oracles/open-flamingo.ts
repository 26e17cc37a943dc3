// Released state dicts and small checkpoints of open-flamingo, and the models here that they belong to:
// golden/open-flamingo-state-dicts.json and golden/data/open-flamingo-checkpoints, made by golden/export/open_flamingo_checkpoints.
import { readFileSync } from "node:fs";
import type { JsonObject } from "../../../src/io/json.ts";
import type { LanguageModel } from "../../../src/models/language-model.ts";
import { GPTNeoXForCausalLM } from "../../../src/models/language-models/gpt-neox.ts";
import { GPTJForCausalLM } from "../../../src/models/language-models/gptj.ts";
import { LlamaForCausalLM } from "../../../src/models/language-models/llama.ts";
import { MosaicMptForCausalLM } from "../../../src/models/language-models/mosaic-mpt.ts";
import { MptForCausalLM } from "../../../src/models/language-models/mpt.ts";
import { OPTForCausalLM } from "../../../src/models/language-models/opt.ts";
import { OpenFlamingo, type OpenFlamingoOptions } from "../../../src/models/open-flamingo/flamingo.ts";
import { OpenClipVisionTransformer } from "../../../src/models/vision/clip/open-clip.ts";
import { optionsIn } from "../../../src/pretrained/configurations/configuration.ts";
import { gptNeoX } from "../../../src/pretrained/configurations/gpt-neox.ts";
import { llama } from "../../../src/pretrained/configurations/llama.ts";
import { mosaicMpt } from "../../../src/pretrained/configurations/mosaic-mpt.ts";

const path = (name: string) => new URL(`../../../golden/${name}`, import.meta.url);
export const checkpointPath = (name: string): string => `golden/data/open-flamingo-checkpoints/${name}`;

const COMMON = { vocabSize: 11, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 };
const MPT = { vocabSize: 11, dModel: 8, nLayers: 2, nHeads: 2, maxSeqLen: 16 };
/** The sizes of models.py. */
const LANGUAGE = {
  opt: () => new OPTForCausalLM({ ...COMMON, ffnDim: 12, wordEmbedProjDim: 8, maxPositionEmbeddings: 16 }),
  "gpt-neox": () => new GPTNeoXForCausalLM({ ...COMMON, intermediateSize: 12, rotaryPct: 0.5 }),
  gptj: () =>
    new GPTJForCausalLM({ vocabSize: 11, nEmbd: 8, nLayer: 2, nHead: 2, rotaryDim: 4, nPositions: 16 }),
  llama: () => new LlamaForCausalLM({ ...COMMON, intermediateSize: 12 }),
  mpt: () => new MptForCausalLM(MPT),
  "mosaic-mpt": () =>
    new MosaicMptForCausalLM({ ...MPT, noBias: true, attnConfig: { alibi: true, qkLn: true } }),
} as const;
export type SmallModel = keyof typeof LANGUAGE;
export const SMALL_MODELS = Object.keys(LANGUAGE) as SmallModel[];

const tower = { imageSize: 8, patchSize: 4, width: 8, layers: 1, heads: 2, mlpRatio: 2, outputDim: 4 };

/** A model of the sizes of the checkpoints, without weights. */
export const smallFlamingo = (name: SmallModel, options: Partial<OpenFlamingoOptions> = {}): OpenFlamingo =>
  new OpenFlamingo({
    visionEncoder: new OpenClipVisionTransformer(tower),
    langEncoder: LANGUAGE[name](),
    eocTokenId: 1,
    mediaTokenId: 2,
    visDim: 8,
    crossAttnEveryNLayers: 2,
    perceiver: { depth: 1, dimHead: 4, heads: 2, numLatents: 3, ffMult: 2 },
    crossAttn: { dimHead: 4, heads: 2, ffMult: 2 },
    ...options,
  });

export interface ReleasedFlamingo {
  readonly class: string;
  readonly config: JsonObject;
  readonly every: number;
  readonly profile: "2.0.1" | "0.1.1";
  readonly parameters: Readonly<
    Record<"perceiver" | "gated_cross_attn_layers" | "vision_encoder" | "lang_encoder", number>
  >;
  readonly order: { readonly keys: number; readonly sha256: string };
  /** Shape, and the first layer, the distance to the next and their number. */
  readonly keys: Readonly<Record<string, readonly [readonly number[], readonly number[]]>>;
}

export const releasedFlamingos: Readonly<Record<string, ReleasedFlamingo>> = JSON.parse(
  readFileSync(path("open-flamingo-state-dicts.json"), "utf8"),
);

/** The names that the package keeps, with trained and with frozen embeddings. */
export const keptNames: Readonly<
  Record<SmallModel, Readonly<Record<"trained" | "frozen", readonly string[]>>>
> = JSON.parse(readFileSync(path("data/open-flamingo-checkpoints/kept.json"), "utf8"));

const AT = { file: "config.json", field: "", rule: "config.fields" };
const LANGUAGE_OF: Readonly<Record<string, (config: JsonObject) => LanguageModel>> = {
  GPTNeoXForCausalLM: (config) => gptNeoX.build(optionsIn(gptNeoX, config, AT)),
  LlamaForCausalLM: (config) => llama.build(optionsIn(llama, config, AT)),
  MosaicMPTForCausalLM: (config) => mosaicMpt.build(optionsIn(mosaicMpt, config, AT)),
};

/** A released model at its full size. Nothing is allocated. */
export function releasedFlamingo({ class: kind, config, every }: ReleasedFlamingo): OpenFlamingo {
  return new OpenFlamingo({
    visionEncoder: new OpenClipVisionTransformer({
      imageSize: 224,
      patchSize: 14,
      width: 1024,
      layers: 24,
      heads: 16,
      mlpRatio: 4,
      outputDim: 768,
    }),
    langEncoder: (LANGUAGE_OF[kind] as (config: JsonObject) => LanguageModel)(config),
    eocTokenId: 1,
    mediaTokenId: 2,
    visDim: 1024,
    crossAttnEveryNLayers: every,
  });
}
