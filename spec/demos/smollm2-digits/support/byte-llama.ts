// A model folder with a small LLaMA of random weights, whose tokens are bytes.
import { join } from "node:path";
import { saveSafetensors } from "../../../../src/io/safetensors/write.ts";
import { LlamaForCausalLM } from "../../../../src/models/language-models/llama.ts";
import { initialize, stateDict } from "../../../../src/nn/state-dict.ts";
import { chainOf, SIZE, writeChainFolder } from "../../../support/fixtures/folders/chain-folder.ts";

/** Writes the folder: three layers of width 12, with a table that is tied. */
export function writeByteLlama(folder: string, seed = 1): string {
  const config = {
    hidden_size: 12,
    intermediate_size: 8,
    num_hidden_layers: 3,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: 6,
    tie_word_embeddings: true,
    max_position_embeddings: 512,
  };
  writeChainFolder(folder, { chain: chainOf([]), config });
  const model = new LlamaForCausalLM({
    vocabSize: SIZE,
    hiddenSize: 12,
    intermediateSize: 8,
    numHiddenLayers: 3,
    numAttentionHeads: 2,
    numKeyValueHeads: 1,
    headDim: 6,
    tieWordEmbeddings: true,
  });
  initialize(model, seed);
  const weights = new Map([...stateDict(model)].filter(([name]) => name !== "lm_head.weight"));
  saveSafetensors(join(folder, "model.safetensors"), weights, { floats: "BF16" });
  return folder;
}
