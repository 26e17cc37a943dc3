// node golden/export/open_flamingo_checkpoints/written.mjs FOLDER: writes checkpoints of small models in every form, with the weights of
// golden/data/open-flamingo-checkpoints. written.py loads them into the released classes. Needs `npm run build`.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const {
  GPTJForCausalLM,
  GPTNeoXForCausalLM,
  LlamaForCausalLM,
  loadStateDict,
  MosaicMptForCausalLM,
  MptForCausalLM,
  OpenClipVisionTransformer,
  OpenFlamingo,
  OPTForCausalLM,
} = await import("../../../dist/index.js");
const { loadSafetensors, saveFlamingoCheckpoint } = await import("../../../dist/entries/io.js");

const COMMON = { vocabSize: 11, hiddenSize: 8, numHiddenLayers: 2, numAttentionHeads: 2 };
const MPT = { vocabSize: 11, dModel: 8, nLayers: 2, nHeads: 2, maxSeqLen: 16 };
const GPTJ = { vocabSize: 11, nEmbd: 8, nLayer: 2, nHead: 2, rotaryDim: 4, nPositions: 16 };
const LANGUAGE = {
  opt: new OPTForCausalLM({ ...COMMON, ffnDim: 12, wordEmbedProjDim: 8, maxPositionEmbeddings: 16 }),
  "gpt-neox": new GPTNeoXForCausalLM({ ...COMMON, intermediateSize: 12, rotaryPct: 0.5 }),
  gptj: new GPTJForCausalLM(GPTJ),
  llama: new LlamaForCausalLM({ ...COMMON, intermediateSize: 12 }),
  mpt: new MptForCausalLM(MPT),
  "mosaic-mpt": new MosaicMptForCausalLM({ ...MPT, noBias: true, attnConfig: { alibi: true, qkLn: true } }),
};
const SIZES = { dimHead: 4, heads: 2, ffMult: 2 };
const TOWER = { imageSize: 8, patchSize: 4, width: 8, layers: 1, heads: 2, mlpRatio: 2, outputDim: 4 };

const [folder] = process.argv.slice(2);
for (const [name, langEncoder] of Object.entries(LANGUAGE)) {
  const model = new OpenFlamingo({
    visionEncoder: new OpenClipVisionTransformer(TOWER),
    langEncoder,
    eocTokenId: 1,
    mediaTokenId: 2,
    visDim: 8,
    crossAttnEveryNLayers: 2,
    perceiver: { ...SIZES, depth: 1, numLatents: 3 },
    crossAttn: SIZES,
  });
  const data = new URL("../../data/open-flamingo-checkpoints/", import.meta.url);
  const file = loadSafetensors(fileURLToPath(new URL(`${name}.expected.safetensors`, data)));
  loadStateDict(model, file);
  for (const form of ["package", "complete", "everything"])
    for (const ending of ["pt", "safetensors"])
      saveFlamingoCheckpoint(join(folder, `${name}.${form}.${ending}`), model, { form });
}
