// The tokens of all modalities of Perceiver IO in one sequence (MultimodalPreprocessor of JOBR0/PerceiverIO_Pytorch,
// perceiver_io/perceiver.py).
import { RuleError, ShapeError } from "../../../tensor/errors.ts";
import { concat, rearrange, repeat } from "../../../tensor/ops/arrange.ts";
import { add, expand, where } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Generator } from "../../../tensor/random.ts";
import { Bool, type Int, Tensor } from "../../../tensor/tensor.ts";
import { entriesOf, joined, Modalities, memberOf, sortedNames } from "../modalities.ts";
import { TrainablePositionEncoding } from "../positions.ts";
import type { Preprocessor } from "./preprocessor.ts";

/** Inputs by modality. */
export type ModalityInputs = Readonly<Record<string, Tensor | Int>>;

/** The encoder's input, where each modality's tokens are, and their features without positions. */
export interface Tokens {
  readonly all: Tensor<"b s c">;
  readonly byModality: Readonly<Record<string, Tensor<"b n c">>>;
  readonly withoutPos: Readonly<Record<string, Tensor<"b n e">>>;
}

export interface MultimodalOptions {
  /** null: the inputs are tokens already, with `inputChannels` channels. */
  readonly preprocessors: Modalities<Preprocessor> | null;
  readonly inputChannels: Readonly<Record<string, number>> | null;
  /** The least number of trained channels that are added to each token. */
  readonly minPaddingSize: number;
  /** The probability with which a token of a modality is replaced by its trained mask token, in evaluation too. */
  readonly maskProbs: Readonly<Record<string, number>> | null;
}

/** Preprocesses each modality, pads the channels of its tokens with a trained vector, masks tokens, and concatenates in order of name. */
export class MultimodalPreprocessor {
  _preprocessors: Modalities<Preprocessor> | null;
  mask_tokens: Modalities<TrainablePositionEncoding> | null;
  padding_embeddings: Modalities<TrainablePositionEncoding> | null;
  readonly options: {
    readonly channels: Readonly<Record<string, number>>;
    readonly common: number;
    readonly maskProbs: Readonly<Record<string, number>> | null;
  };

  constructor({ preprocessors, inputChannels, minPaddingSize, maskProbs }: MultimodalOptions) {
    const own =
      preprocessors && Object.fromEntries(entriesOf(preprocessors).map(([m, p]) => [m, p.outputChannels]));
    const channels = own ?? inputChannels;
    if (!channels || (own && inputChannels))
      throw new RuleError(
        "PerceiverIO takes either inputPreprocessors, or inputChannels for inputs that are tokens already",
        "perceiverio.inputs",
      );
    const counts = Object.values(channels);
    const common = Math.max(...counts) + minPaddingSize; // [perceiverio.padding]
    const vectors = (width: (name: string) => number) =>
      new Modalities(
        Object.fromEntries(
          Object.keys(channels).map((name) => [
            name,
            new TrainablePositionEncoding(1, { numChannels: width(name) }),
          ]),
        ),
      );
    this.options = { channels, common, maskProbs };
    this._preprocessors = preprocessors;
    this.mask_tokens = maskProbs ? vectors(() => common) : null;
    const isPadded = counts.some((n) => n !== common); // [perceiverio.padding]
    this.padding_embeddings = isPadded ? vectors((name) => common - (channels[name] ?? 0)) : null;
  }

  get outputChannels(): number {
    return this.options.common;
  }

  /** `pos` are coordinates for all modalities. Throws a RuleError if an input is missing or unknown. */
  forward(inputs: ModalityInputs, pos: Tensor<"n d"> | null, random: () => Generator): Tokens {
    this.#checkNames(Object.keys(inputs));
    // #region modalities
    const tokens: Record<string, Tensor<"b n c">> = {};
    const withoutPos: Record<string, Tensor<"b n e">> = {};
    const sequences = sortedNames(Object.keys(this.options.channels)).map((name) => {
      const made = this.#preprocessed(name, memberOf(inputs, name), pos);
      const masked = this.#masked(name, this.#padded(name, made.out), random);
      withoutPos[name] = made.withoutPos;
      tokens[name] = masked;
      return named("b s c", masked);
    });
    return { all: tap(this, "", oneSequence(sequences)), byModality: tokens, withoutPos }; // [perceiverio.order]
    // #endregion
  }

  #checkNames(given: readonly string[]): void {
    const known = Object.keys(this.options.channels);
    const missing = known.find((name) => !given.includes(name));
    const surplus = given.find((name) => !known.includes(name));
    if (missing === undefined && surplus === undefined) return;
    const problem = missing === undefined ? `"${surplus}" is none of them` : `"${missing}" is missing`;
    throw new RuleError(`the modalities are ${known.join(", ")}; ${problem}`, "perceiverio.inputs");
  }

  #preprocessed(name: string, input: Tensor | Int, pos: Tensor<"n d"> | null) {
    const module = this._preprocessors?.[name];
    if (module) return module.forward(input, pos);
    const [, , channels] = input.shape;
    if (!(input instanceof Tensor) || input.shape.length !== 3 || channels !== this.options.channels[name])
      throw new ShapeError(
        `"${name}" is [${input.shape.join(" ")}]; without a preprocessor it is tokens b n ${this.options.channels[name]}  [perceiverio.inputs]`,
        "PerceiverIO",
      );
    return { out: named("b n c", input), withoutPos: named("b n e", input) }; // [perceiverio.inputs]
  }

  /** The tokens with a trained vector behind their own channels. */
  #padded(name: string, x: Tensor<"b n c">): Tensor<"b n c"> {
    const padding = this.padding_embeddings?.[name];
    return padding ? withPadding(x, padding) : x;
  }

  /** Tokens of which a random part is replaced by the mask token. */
  #masked(name: string, x: Tensor<"b n c">, random: () => Generator): Tensor<"b n c"> {
    const token = this.mask_tokens?.[name];
    if (!token) return x;
    const [b = 0, n = 0, c = 0] = x.shape;
    const probability = this.options.maskProbs?.[name] ?? 0;
    const generator = random();
    const masks = Uint8Array.from({ length: b * n }, () => Number(generator.uniform() < probability)); // [perceiverio.masking]
    const rows = (data: Uint8Array) => new Bool<"b n c">([b, n, c], data, [n, 1, 0]);
    const kept = where(rows(masks.map((mask) => 1 - mask)), x);
    return add(kept, where(rows(masks), named("b n c", expand(token.pos_embs, x))));
  }
}

/** Several sequences, one behind the other. */
export const oneSequence = (parts: readonly Tensor<"b s c">[]): Tensor<"b s c"> =>
  joined(parts, (all, part) => named("b s c", concat("b s c, b n c -> b t c", all, named("b n c", part))));

/** Tokens, and behind their channels those of a trained vector, the same for all. */
export function withPadding(x: Tensor<"b n c">, padding: TrainablePositionEncoding): Tensor<"b n c"> {
  const [b = 0, n = 0] = x.shape;
  const vector = rearrange("1 p -> p", named("1 p", padding.pos_embs));
  const vectors = repeat("p -> b n p", vector, { b, n });
  return named("b n c", concat("b n c, b n p -> b n d", x, vectors)); // [perceiverio.padding]
}
