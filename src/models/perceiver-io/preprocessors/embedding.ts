// Token ids as the tokens of Perceiver IO (EmbeddingPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py).
import { Embedding } from "../../../nn/embedding.ts";
import { checked, count } from "../../../nn/options.ts";
import { RuleError, ShapeError } from "../../../tensor/errors.ts";
import { add } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import { Int, type Tensor } from "../../../tensor/tensor.ts";
import { TrainablePositionEncoding } from "../positions.ts";
import type { Preprocessed, Preprocessor } from "./preprocessor.ts";

export interface EmbeddingPreprocessorOptions {
  readonly vocabSize: number;
  /** The length of every text. */
  readonly maxSeqLen: number;
  readonly embeddingDims: number;
}

/**
 * One row of a table for each id, plus a learned vector for each position.
 * Source: EmbeddingPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py.
 */
export class EmbeddingPreprocessor implements Preprocessor {
  input_pos_encoding: TrainablePositionEncoding;
  embed: Embedding<"c">;

  constructor(options: EmbeddingPreprocessorOptions) {
    const { vocabSize, maxSeqLen, embeddingDims } = checked("EmbeddingPreprocessor", options, {
      vocabSize: count,
      maxSeqLen: count,
      embeddingDims: count,
    });
    this.input_pos_encoding = new TrainablePositionEncoding(maxSeqLen, { numChannels: embeddingDims });
    this.embed = new Embedding("c", vocabSize, embeddingDims);
  }

  get outputChannels(): number {
    return this.input_pos_encoding.outputChannels;
  }

  /**
   * Throws a RuleError for anything but token ids, and a ShapeError unless every text has `maxSeqLen` tokens.
   * Shapes: inputs `b n` → out `b n c`.
   */
  forward(inputs: Tensor | Int): Preprocessed {
    if (!(inputs instanceof Int))
      throw new RuleError(
        "EmbeddingPreprocessor takes token ids: int(…) makes them from numbers",
        "perceiverio.inputs",
      );
    const [b = 0, n] = inputs.shape;
    const length = this.input_pos_encoding.pos_embs.shape[0];
    if (inputs.shape.length !== 2 || n !== length)
      throw new ShapeError(
        `the ids are [${inputs.shape.join(" ")}], and every text has maxSeqLen, ${length}, tokens: pad it, and mask the padding  [perceiverio.length]`,
        "EmbeddingPreprocessor",
      );
    const embedded = this.embed.forward(named("b n", inputs));
    const out = add(named("b n c", embedded), this.input_pos_encoding.forward(b)); // [perceiverio.embedding]
    return { out: tap(this, "", out), withoutPos: named("b n e", embedded) };
  }
}
