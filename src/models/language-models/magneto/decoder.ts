// The decoder of Magneto (Wang et al., "Foundation Transformers", arXiv 2210.06423) with the position encodings of torchscale, as
// torchscale/architecture/decoder.py has it (release 0.3.0, and commit 4d1e0e8 of its repository). Kosmos-1 is built on it.
import { Dropout } from "../../../nn/dropout.ts";
import { PaddedEmbedding } from "../../../nn/embedding.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import { checkValue, whole } from "../../../nn/options.ts";
import { LearnedPositions } from "../../../nn/positions/learned.ts";
import { RelativePositionBias } from "../../../nn/positions/relative-bias.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { add, mulScalar } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import type { Int, Tensor } from "../../../tensor/tensor.ts";
import type { DecoderLayer, Decoding, LanguageModel } from "../../language-model.ts";
import { magnetoTables } from "./initializers.ts";
import { MagnetoLayer } from "./layer.ts";
import { LARGEST_SPLIT, type MagnetoOptions, type MagnetoSettings, settingsOf } from "./options.ts";

/** Rows of the position table before that of position 0, as in fairseq. */
const OFFSET = 2; // [magneto.positions]
/** The row of padding in that table, which nothing reads. */
const PADDING_ROW = 1;

/**
 * The decoder of Magneto as a `LanguageModel`; Kosmos-1 is built on it. The fields have the names of torchscale. [magneto.names]
 * Source: Wang et al., arXiv 2210.06423; torchscale/architecture/decoder.py of torchscale 0.3.0.
 */
export class MagnetoDecoder implements LanguageModel {
  dropout_module: Dropout;
  embed_tokens: PaddedEmbedding<"d">;
  embed_positions: LearnedPositions<"d"> | null;
  output_projection: Linear<"d", "n">;
  layernorm_embedding: LayerNorm | null;
  layers: DecoderLayer[];
  layer_norm: LayerNorm | null;
  self_attn_relative_position: RelativePositionBias | null;
  readonly options: MagnetoSettings;

  /** Throws a RuleError for an option that it refuses, and for options that do not go together. */
  constructor(options: MagnetoOptions) {
    const settings = settingsOf(options);
    const { vocabSize, width, heads, epsilon, maxPositions, relative, paddingId, tied } = settings;
    const norm = () => new LayerNorm(width, { epsilon });
    const initial = magnetoTables({
      vocabSize,
      width,
      scheme: settings.init.scheme,
      tokenTable: settings.tokenTable,
    });
    this.options = settings;
    this.dropout_module = new Dropout(settings.dropout);
    this.embed_tokens = new PaddedEmbedding("d", vocabSize, width, { initial: initial.tokens, paddingId }); // [magneto.embedding]
    this.embed_positions =
      maxPositions === null
        ? null
        : new LearnedPositions("d", {
            rows: maxPositions + OFFSET,
            dim: width,
            offset: OFFSET,
            initial: initial.positions,
            zeroRow: PADDING_ROW,
          }); // [magneto.positions]
    this.output_projection = new Linear("d -> n", width, vocabSize, { bias: false, initial: initial.output });
    if (tied) this.output_projection.weight = named("o i", this.embed_tokens.weight); // [magneto.logits]
    this.layernorm_embedding = settings.embedNorm ? norm() : null; // [magneto.embedding]
    this.self_attn_relative_position = relative
      ? new RelativePositionBias({
          numBuckets: relative.buckets,
          maxDistance: relative.maxDistance,
          heads,
          initial: initial.bias,
        })
      : null;
    this.layers = Array.from(
      { length: settings.layers },
      (_, depth) => new MagnetoLayer(settings, depth, this.self_attn_relative_position),
    );
    this.layer_norm = settings.normBefore ? norm() : null; // [magneto.final-norm]
  }

  get width(): number {
    return this.options.width;
  }

  /** The number of tokens at the beginning of a text that use the modules A of a multiway decoder; −1: all do. */
  get splitPosition(): number {
    return this.options.split?.position ?? -1;
  }

  /** Throws a RuleError for a decoder that is not multiway. */
  set splitPosition(position: number) {
    checkValue("MagnetoDecoder", "splitPosition", position, whole(-1, LARGEST_SPLIT));
    const { split } = this.options;
    if (split) split.position = position;
    else
      throw new RuleError(
        "this decoder has no branches to choose from: build it with multiway",
        "magneto.multiway",
      );
  }

  /** Embeddings of tokens, times the scale, without their positions. */
  tokens(ids: Int<"b l">): Tensor<"b l d"> {
    const { embedScale } = this.options;
    const rows = this.embed_tokens.forward(ids);
    return embedScale === 1 ? rows : mulScalar(rows, embedScale); // [magneto.embedding]
  }

  /**
   * Embeddings with those of their positions added: what the first layer reads. Give it the result of `tokens`, or embeddings of
   * other things, such as images. Throws a RuleError for a position beyond `maxPositions`.
   */
  placed(x: Tensor<"b l d">, positions: Int<"b l">): Tensor<"b l d"> {
    const { maxPositions } = this.options;
    const furthest = positions.flat().reduce((most, position) => Math.max(most, position), 0);
    if (maxPositions !== null && furthest >= maxPositions)
      throw new RuleError(
        `position ${furthest} is beyond the ${maxPositions} positions of the model; shorten the text or raise maxPositions`,
        "magneto.positions",
      );
    const sum = this.embed_positions ? add(x, this.embed_positions.forward(positions)) : x; // [magneto.positions]
    const normed = this.layernorm_embedding ? this.layernorm_embedding.forward(sum) : sum; // [magneto.embedding]
    return this.dropout_module.forward(normed); // [magneto.dropout]
  }

  /** The embeddings of tokens and of their positions. Throws a RuleError for a position beyond `maxPositions`. */
  embed(ids: Int<"b l">, { positions }: Decoding): Tensor<"b l d"> {
    return this.placed(this.tokens(ids), positions);
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.output_projection.forward(this.layer_norm ? this.layer_norm.forward(x) : x); // [magneto.logits]
  }
}
