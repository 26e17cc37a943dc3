// Perceiver IO: Jaegle et al., arXiv 2107.14795, with the names and defaults of JOBR0/PerceiverIO_Pytorch (perceiver_io/perceiver.py).
import {
  type Check,
  checked,
  count,
  flag,
  inner,
  layers,
  nullable,
  object,
  optional,
  passing,
  whole,
} from "../../nn/options.ts";
import { Bug, RuleError } from "../../tensor/errors.ts";
import { slice } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import { generator } from "../../tensor/random.ts";
import { type Bool, Int, Tensor } from "../../tensor/tensor.ts";
import { type DecoderOptions, type EncoderOptions, PerceiverDecoder, PerceiverEncoder } from "./encoder.ts";
import { byModality, entriesOf, type Modalities, memberOf, SINGLE, sortedNames } from "./modalities.ts";
import { firstPositions, TrainablePositionEncoding } from "./positions.ts";
import type { Postprocessor } from "./postprocessors.ts";
import {
  type ModalityInputs,
  MultimodalPreprocessor,
  oneSequence,
  type Tokens,
  withPadding,
} from "./preprocessors/multimodal.ts";
import type { Preprocessor } from "./preprocessors/preprocessor.ts";
import { DEFAULT_PROFILE, type PerceiverProfileName, perceiverProfile } from "./profiles.ts";
import type { OutputQuery } from "./queries.ts";

/** One module, or one for each modality. */
type OneOrMore<T> = T | Readonly<Record<string, T>>;

/** The modules of the modalities and the sizes of encoder and decoder. Channels are the width of a token. */
export interface PerceiverIOOptions {
  readonly numBlocks?: number | undefined;
  readonly numSelfAttendsPerBlock?: number | undefined;
  readonly numLatents?: number | undefined;
  readonly numLatentChannels?: number | undefined;
  readonly finalProject?: boolean | undefined;
  /** Default: `numLatentChannels`. */
  readonly finalProjectOutChannels?: number | null | undefined;
  readonly perceiverEncoderKwargs?: EncoderOptions | undefined;
  readonly perceiverDecoderKwargs?: DecoderOptions | undefined;
  readonly inputPreprocessors?: OneOrMore<Preprocessor> | null | undefined;
  readonly outputPostprocessors?: OneOrMore<Postprocessor> | null | undefined;
  readonly outputQueries: OneOrMore<OutputQuery>;
  readonly outputQueryPaddingChannels?: number | undefined;
  readonly inputPaddingChannels?: number | undefined;
  /** The channels of inputs that have no preprocessor, for all or for each modality. */
  readonly inputChannels?: number | Readonly<Record<string, number>> | null | undefined;
  /** The probability with which a token of a modality is masked. */
  readonly inputMaskProbs?: Readonly<Record<string, number>> | null | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const perModality = (each: (value: unknown) => boolean, wanted: string): Check =>
  passing(
    `${wanted}, or null`,
    (value) => value === null || (isRecord(value) && Object.values(value).every(each)),
  );
const isSize = count.accepts;
const isProbability = (p: unknown): boolean => typeof p === "number" && p >= 0 && p <= 1;
const kwargs = optional(object("an object of options"));
const modules = passing("a module, or one for each modality", (value) => value === null || isRecord(value));
const checks: { readonly [K in keyof PerceiverIOOptions]-?: Check } = {
  numBlocks: optional(layers),
  numSelfAttendsPerBlock: optional(layers),
  numLatents: optional(count),
  numLatentChannels: optional(count),
  finalProject: optional(flag),
  finalProjectOutChannels: optional(nullable(count)),
  perceiverEncoderKwargs: kwargs,
  perceiverDecoderKwargs: kwargs,
  inputPreprocessors: optional(modules),
  outputPostprocessors: optional(modules),
  outputQueries: object("a query, or one for each modality"),
  outputQueryPaddingChannels: optional(inner),
  inputPaddingChannels: optional(inner),
  inputChannels: optional(
    passing(
      `${count.wanted}, or one such number for each modality, or null`,
      (v) => v === null || isSize(v) || (isRecord(v) && Object.values(v).every(isSize)),
    ),
  ),
  inputMaskProbs: optional(perModality(isProbability, "a probability for each modality")),
  profile: optional(perceiverProfile),
};

/** Masks, positions and wanted outputs of one call. */
export interface PerceiverCall {
  /** For each modality the wanted outputs, as row-major indices of its grid; absent or null: all. */
  readonly subsampledOutputPoints?: Readonly<Record<string, Int | null>> | Int | null | undefined;
  /** Coordinates of the input tokens; those of the batch's first element are used. */
  readonly pos?: Tensor<"b n d"> | null | undefined;
  /** Which tokens the latents may attend to. */
  readonly inputMask?: Bool<"b s"> | null | undefined;
  /** Which outputs are computed; the queries of the others attend to nothing. */
  readonly queryMask?: Bool<"b o"> | null | undefined;
  /** The seed of the random masking of tokens. Default 0. */
  readonly seed?: number | undefined;
}

/** Latents of an input, and the sources of the queries. */
export interface Encoded {
  readonly latents: Tensor<"b r c">;
  readonly tokens: Tokens;
}

type Results = Readonly<Record<string, Tensor>>;
const hasForward = (value: object): boolean => "forward" in value && typeof value.forward === "function";
const isPreprocessor = (value: object): value is Preprocessor => hasForward(value);
const isQuery = (value: object): value is OutputQuery => hasForward(value);
const isPostprocessor = (value: object): value is Postprocessor => hasForward(value);

/**
 * The latents cross-attend to the preprocessed inputs, then to each other; a query for each output cross-attends to the latents.
 * Inputs, queries and postprocessors may belong to different modalities; a single module belongs to the only one.
 * Source: Jaegle et al., arXiv 2107.14795, §3 and figure 2; PerceiverIO of JOBR0/PerceiverIO_Pytorch.
 */
export class PerceiverIO {
  _multi_preprocessor: MultimodalPreprocessor;
  _output_postprocessors: Modalities<Postprocessor> | null;
  _output_queries: Modalities<OutputQuery>;
  padding_embeddings: Modalities<TrainablePositionEncoding>;
  _encoder: PerceiverEncoder;
  _decoder: PerceiverDecoder;

  constructor(options: PerceiverIOOptions) {
    const given = checked("PerceiverIO", options, checks);
    const { numBlocks = 8, numSelfAttendsPerBlock = 6, numLatents = 512, numLatentChannels = 1024 } = given;
    const { finalProject = true, profile = DEFAULT_PROFILE, outputQueryPaddingChannels = 0 } = given;
    const { inputPreprocessors = null, outputPostprocessors = null, inputChannels = null } = given;
    this._multi_preprocessor = new MultimodalPreprocessor({
      preprocessors: inputPreprocessors && byModality(inputPreprocessors, isPreprocessor),
      inputChannels: typeof inputChannels === "number" ? { [SINGLE]: inputChannels } : inputChannels,
      minPaddingSize: given.inputPaddingChannels ?? 0,
      maskProbs: given.inputMaskProbs ?? null,
    });
    this._output_postprocessors = outputPostprocessors && byModality(outputPostprocessors, isPostprocessor);
    this._output_queries = byModality(given.outputQueries, isQuery);
    const queries = entriesOf(this._output_queries);
    const queryChannels = Math.max(...queries.map(([, q]) => q.queryChannels)) + outputQueryPaddingChannels; // [perceiverio.query-padding]
    this.padding_embeddings = byModality(
      Object.fromEntries(
        queries.map(([name, query]) => {
          const numChannels = queryChannels - query.queryChannels;
          return [name, new TrainablePositionEncoding(1, { numChannels })];
        }),
      ),
      (value): value is TrainablePositionEncoding => value instanceof TrainablePositionEncoding,
    );
    this._encoder = new PerceiverEncoder({
      ...given.perceiverEncoderKwargs,
      numInputChannels: this._multi_preprocessor.outputChannels,
      numBlocks,
      numSelfAttendsPerBlock,
      numLatents,
      numLatentChannels,
      profile,
    });
    this._decoder = new PerceiverDecoder({
      ...given.perceiverDecoderKwargs,
      queryChannels,
      finalProject,
      finalProjectOutChannels: given.finalProjectOutChannels ?? numLatentChannels,
      numLatentChannels,
      profile,
    });
  }

  /**
   * The results by modality; a single tensor if there is one modality without a name, or no postprocessor. Throws a RuleError for
   * a mask of another length and for a postprocessor without a query, and a ShapeError for points that are not on the grid.
   * Shapes: inputs as the preprocessor takes them, pos `b n d` → as the postprocessors return them; `b o c` without one.
   */
  forward(inputs: Tensor | Int | ModalityInputs, call: PerceiverCall = {}): Tensor | Results {
    return this.decode(this.encode(inputs, call), call); // [perceiverio.forward]
  }

  /**
   * The result of a model with one result. Throws a Bug if it has several. Throws as `forward` does.
   * Shapes: inputs as the preprocessor takes them → as the postprocessor returns it.
   */
  single(inputs: Tensor | Int | ModalityInputs, call: PerceiverCall = {}): Tensor {
    const result = this.forward(inputs, call);
    if (result instanceof Tensor) return result;
    throw new Bug("the model has several results");
  }

  /**
   * The latents of inputs. Throws a RuleError for a mask that does not cover the input tokens.
   * Shapes: inputs as the preprocessor takes them, pos `b n d`, inputMask `b s` → latents `b r c`.
   */
  encode(inputs: Tensor | Int | ModalityInputs, call: PerceiverCall = {}): Encoded {
    const { pos = null, inputMask = null, seed = 0 } = checkedCall(call);
    const single = inputs instanceof Tensor || inputs instanceof Int;
    const tokens = this._multi_preprocessor.forward(
      single ? { [SINGLE]: inputs } : inputs,
      pos && firstPositions(pos),
      () => generator(seed, "masked tokens"),
    );
    checkMask("inputMask", inputMask, tokens.all, "input tokens");
    return { latents: this._encoder.forward(tokens.all, inputMask), tokens };
  }

  /**
   * The results for what has been encoded, so that several decodings can share one encoding. Throws a RuleError for a mask that
   * does not cover the outputs and for a postprocessor without a query.
   * Shapes: latents `b r c`, queryMask `b o` → as the postprocessors return them; `b o c` without one.
   */
  decode({ latents, tokens }: Encoded, call: PerceiverCall = {}): Tensor | Results {
    const { subsampledOutputPoints = null, queryMask = null } = checkedCall(call);
    const points =
      subsampledOutputPoints instanceof Int ? { [SINGLE]: subsampledOutputPoints } : subsampledOutputPoints;
    const { query, sizes } = this.#query(tokens, points ?? {}, queryMask !== null);
    checkMask("queryMask", queryMask, query, "outputs");
    const outputs = named("b o c", this._decoder.forward(query, latents, queryMask));
    if (!this._output_postprocessors) return outputs; // [perceiverio.outputs]
    const parts: Record<string, Tensor> = {};
    let at = 0;
    for (const name of sortedNames(Object.keys(sizes))) {
      parts[name] = slice(outputs, 1, at, at + (sizes[name] ?? 0)); // [perceiverio.order]
      at += sizes[name] ?? 0;
    }
    const results = entriesOf(this._output_postprocessors).map(([name, post]) => {
      if (parts[name]) return [name, post.forward(parts[name])] as const; // [perceiverio.outputs]
      throw new RuleError(`the postprocessor "${name}" has no query of that name`, "perceiverio.outputs");
    });
    const [only] = results;
    return results.length === 1 && only?.[0] === SINGLE ? only[1] : Object.fromEntries(results);
  }

  /** The queries of all modalities in one sequence, and how many each has. */
  #query(tokens: Tokens, points: Readonly<Record<string, Int | null>>, isMasked: boolean) {
    const [batch = 0] = tokens.all.shape;
    const sizes: Record<string, number> = {};
    const queries = entriesOf(this._output_queries).map(([name, query]) => {
      const made = query.forward({
        batch,
        inputs: tokens.byModality[name] ?? null,
        withoutPos: tokens.withoutPos[name] ?? null,
        points: points[name] ?? null,
      });
      const reads = isMasked ? null : (this._output_postprocessors?.[name]?.reads ?? null);
      const read = reads === null ? made : slice(made, 1, 0, reads); // [perceiverio.first-output]
      const padded = withPadding(named("b n c", read), memberOf(this.padding_embeddings, name)); // [perceiverio.query-padding]
      sizes[name] = padded.shape[1] ?? 0;
      return named("b s c", padded);
    });
    return { query: named("b o c", oneSequence(queries)), sizes }; // [perceiverio.order]
  }
}

const callChecks: { readonly [K in keyof PerceiverCall]-?: Check } = {
  subsampledOutputPoints: optional(
    passing(
      "indices for each modality",
      (v) =>
        v === null ||
        v instanceof Int ||
        (isRecord(v) && Object.values(v).every((p) => p === null || p instanceof Int)),
    ),
  ),
  pos: optional(passing("a tensor b n d, or null", (v) => v === null || v instanceof Tensor)),
  inputMask: optional(passing("booleans b s, or null", (v) => v === null || isRecord(v))),
  queryMask: optional(passing("booleans b o, or null", (v) => v === null || isRecord(v))),
  seed: optional(whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)),
};
const checkedCall = (call: PerceiverCall): PerceiverCall => checked("PerceiverIO", call, callChecks);

/** Throws a RuleError unless a mask covers a sequence. */
function checkMask(name: string, mask: Bool | null, sequence: Tensor, what: string): void {
  const wanted = sequence.shape.slice(0, 2).join(" ");
  if (!mask || mask.shape.join(" ") === wanted) return;
  throw new RuleError(
    `${name} is [${mask.shape.join(" ")}]; the ${what} are [${wanted}]`,
    "perceiverio.mask",
  );
}
