// KosmosLanguage of kosmosx 0.3.1 (kosmosx/model.py of kyegomez/Kosmos-X): the decoder of Kosmos on text alone.
import { crossEntropy } from "../../nn/cross-entropy.ts";
import type { Embedding } from "../../nn/embedding.ts";
import type { Linear } from "../../nn/linear.ts";
import { type Check, checked, nullable, optional, passing } from "../../nn/options.ts";
import type { LearnedPositions } from "../../nn/positions/learned.ts";
import { shapes } from "../../tensor/pattern.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";
import { readTokens, wholeTexts } from "../language-model.ts";
import { MagnetoDecoder } from "../language-models/magneto/decoder.ts";
import { type WriterWithStep, writerOf } from "../writer.ts";

/** The decoder of the model. */
export interface KosmosLanguageOptions {
  /** The decoder, whose tables of tokens and positions are the model's. */
  readonly decoder: MagnetoDecoder;
}

/** Token ids, and optionally targets. */
export interface KosmosLanguageInputs {
  readonly ids: Int<"b l">;
  /** The id that follows each position, or −100 where there is no loss. */
  readonly targets?: Int<"b l"> | null | undefined;
}

/** Logits, and the loss where there are targets. */
export interface KosmosLanguageOutputs {
  /** Of the token that follows each position. */
  readonly logits: Tensor<"b l n">;
  /** The mean cross-entropy of the targets; null without targets. */
  readonly loss: Tensor<""> | null;
}

const checks: { readonly [K in keyof KosmosLanguageOptions]-?: Check } = {
  decoder: passing("a MagnetoDecoder", (value) => value instanceof MagnetoDecoder),
};
const ids = passing("token ids, as int() makes them", (value) => value instanceof Int);
const inputChecks: { readonly [K in keyof KosmosLanguageInputs]-?: Check } = {
  ids,
  targets: optional(nullable(ids)),
};

/**
 * The decoder of Kosmos on text alone, with the names of kosmosx. The forward pass is the decoder's. [kosmos.language]
 * Source: Huang et al., arXiv 2302.14045, §2.2; names of kosmosx 0.3.1.
 */
export class KosmosLanguage {
  embed: Embedding<"d">;
  embed_positions: LearnedPositions<"d"> | null;
  output_projection: Linear<"d", "n">;
  decoder: MagnetoDecoder;

  constructor(options: KosmosLanguageOptions) {
    const { decoder } = checked("KosmosLanguage", options, checks);
    this.embed = decoder.embed_tokens; // [kosmos.shared]
    this.embed_positions = decoder.embed_positions; // [kosmos.shared]
    this.output_projection = decoder.output_projection; // [kosmos.shared]
    this.decoder = decoder;
  }

  /** Logits of the next token at every position, and the loss of `targets`. Throws a RuleError for a text that is too long. */
  forward(inputs: KosmosLanguageInputs): KosmosLanguageOutputs {
    const { ids, targets } = checked("KosmosLanguage.forward", inputs, inputChecks);
    const { b, l } = shapes("KosmosLanguage.forward", { ids: [ids, "b l"] });
    const at = { ...wholeTexts(b, l), media: null, visibility: null };
    const logits = this.decoder.logits(readTokens(this.decoder, ids, at, null).x); // [kosmos.language]
    return { logits, loss: targets ? crossEntropy(logits, targets).mean : null };
  }

  /** The model as generation takes it. */
  writer(): WriterWithStep {
    return { ...writerOf(this.decoder), model: this };
  }
}
