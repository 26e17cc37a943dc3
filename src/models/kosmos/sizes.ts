// The sizes of the published model: kosmosx/model.py of kyegomez/Kosmos-X, with the vocabulary of its README and without multiway, as
// bjoernpl/KOSMOS_reimplementation has it; arXiv 2302.14045, table 17.
import type { MagnetoOptions } from "../language-models/magneto/options.ts";
import type { CLIPVisionOptions } from "../vision/clip/transformers.ts";

/**
 * Options for the parts of a Kosmos of full size, with 1.67 · 10⁹ parameters: 24 layers, a vocabulary of T5's 32 000 pieces and the two
 * image tokens, and CLIP ViT-L/14. `padding_idx` is 1, which is `<pad>` in fairseq's order of ids, and `</s>` in T5's.
 */
export const KOSMOS_SIZES = {
  clip: {
    hiddenSize: 1024,
    intermediateSize: 4096,
    numHiddenLayers: 24,
    numAttentionHeads: 16,
    imageSize: 224,
    patchSize: 14,
    hiddenAct: "gelu",
  },
  decoder: {
    vocabSize: 32_002,
    width: 2048,
    layers: 24,
    heads: 32,
    feedForwardWidth: 8192,
    xpos: true,
    maxPositions: 2046, // a table of 2048 rows, of which two are not read  [kosmos.length]
    paddingId: 1,
    tokenTable: "bitsandbytes",
    dropout: 0.1,
    attentionDropout: 0.1,
  },
} as const satisfies { readonly clip: CLIPVisionOptions; readonly decoder: MagnetoOptions };
