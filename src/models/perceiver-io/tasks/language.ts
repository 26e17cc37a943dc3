// Masked language modelling on bytes: Jaegle et al., arXiv 2107.14795, §4.1 (perceiver_io/language_perceiver.py of JOBR0/PerceiverIO_Pytorch).
import { type Check, checked } from "../../../nn/options.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Bool, Int, Tensor } from "../../../tensor/tensor.ts";
import { PerceiverIO } from "../perceiver-io.ts";
import { EmbeddingPostprocessor } from "../postprocessors.ts";
import { EmbeddingPreprocessor } from "../preprocessors/embedding.ts";
import { DEFAULT_PROFILE } from "../profiles.ts";
import { TrainableQuery } from "../queries.ts";
import { type PerceiverTaskOptions, size, taskChecks } from "./options.ts";

export interface LanguagePerceiverOptions extends PerceiverTaskOptions {
  readonly vocabSize?: number | undefined;
  readonly maxSeqLen?: number | undefined;
  readonly embedDim?: number | undefined;
}
const checks: { readonly [K in keyof LanguagePerceiverOptions]-?: Check } = {
  vocabSize: size,
  maxSeqLen: size,
  embedDim: size,
  ...taskChecks,
};

/**
 * Logits of the bytes of a text of `maxSeqLen` tokens.
 * Source: Jaegle et al., arXiv 2107.14795, §4.1; LanguagePerceiver of JOBR0/PerceiverIO_Pytorch.
 */
export class LanguagePerceiver {
  perceiver: PerceiverIO;

  constructor(options: LanguagePerceiverOptions = {}) {
    const given = checked("LanguagePerceiver", options, checks);
    const { vocabSize = 262, maxSeqLen = 2048, embedDim = 768, numLatentChannels = 1280 } = given;
    const { numSelfAttendsPerBlock = 26, numBlocks = 1, numLatents = 256, profile = DEFAULT_PROFILE } = given;
    const input = new EmbeddingPreprocessor({ vocabSize, maxSeqLen, embeddingDims: embedDim });
    this.perceiver = new PerceiverIO({
      finalProject: false,
      numSelfAttendsPerBlock,
      numBlocks,
      numLatents,
      numLatentChannels,
      inputPreprocessors: input,
      outputPostprocessors: new EmbeddingPostprocessor(input.embed),
      outputQueries: new TrainableQuery({ outputIndexDims: maxSeqLen, numChannels: embedDim }),
      perceiverEncoderKwargs: {
        numSelfAttendHeads: 8,
        numCrossAttendHeads: 8,
        qkChannels: 256,
        vChannels: numLatentChannels,
      },
      perceiverDecoderKwargs: { qkChannels: 256, vChannels: embedDim, numHeads: 8 },
      profile,
    });
  }

  /** `mask` is false for padding, which is neither attended to nor predicted; null: the text has none. */
  forward(ids: Int<"b n">, mask: Bool<"b n"> | null = null): Tensor<"b o e"> {
    const inputMask = mask && named("b s", mask);
    const queryMask = mask && named("b o", mask);
    return named("b o e", this.perceiver.single(ids, { inputMask, queryMask })); // [perceiverio.language]
  }
}
