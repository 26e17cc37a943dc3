// torchscale's Decoder. Besides the package's configuration, `args`, a case gives the tables that the constructor is given, and may give
// `multiway_split_position`, which the package sets by set_split_position, and `incremental`: the text is read in a first pass of `prefix`
// tokens and then in `step` passes of one token each. The outputs are those of the last pass, and the cache of the first layer after it.
import {
  between,
  type FieldLocation,
  integer,
  length,
  object,
  optional,
  orNull,
  record,
} from "../../../io/fields.ts";
import type { Json } from "../../../io/json.ts";
import { type Decoding, decodingOf, type KeyValues, noPadding } from "../../../models/language-model.ts";
import { MagnetoDecoder } from "../../../models/language-models/magneto/decoder.ts";
import { LARGEST_SPLIT } from "../../../models/language-models/magneto/options.ts";
import { paddingRow } from "../../../models/language-models/padding.ts";
import { Linear } from "../../../nn/linear.ts";
import { LoadError, RuleError } from "../../../tensor/errors.ts";
import { slice } from "../../../tensor/ops/arrange.ts";
import { mulScalar } from "../../../tensor/ops/functions.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import { Arguments } from "../interface/arguments.ts";
import { className, type Outputs, readOptions, type SourceClass, size } from "../interface/source.ts";
import { idsIn, maskUpTo } from "../transformers.ts";
import { type DecoderConfig, decoderConfig, decoderOptions, type Torchscale } from "./config.ts";

/** Rows of a position table before that of position 0. */
const OFFSET = 2;

const tableReaders = {
  num_embeddings: size,
  embedding_dim: size,
  padding_idx: optional(orNull(integer), null),
};

/** A table with a row for each token or position, of one of the classes in `names`. */
export const table =
  (...names: readonly string[]) =>
  (value: Json | undefined, at: FieldLocation) => {
    const { class: given, ...config } = object(value, at);
    className(given === undefined ? {} : { class: given }, names, at);
    return readOptions(tableReaders, config, at);
  };
type Table = ReturnType<ReturnType<typeof table>>;

interface Passes {
  /** The tokens of the first pass. */
  readonly prefix: number;
  /** The number of passes of one token after it. */
  readonly step: number;
}
const passes = record<Passes>({ prefix: between(length, 1, 4096), step: between(length, 0, 4096) });

/** `multiway_split_position`. */
export const splitPosition = optional(between(integer, -1, LARGEST_SPLIT), -1);

/** What the layers are given, as the package's mask of padding says it. A token that may attend to no token gets NaN, as in the package. */
export const decodingFor = (mask: Bool<"b s">, l: number): Decoding => ({
  ...decodingOf(mask, l, "slots"),
  media: null,
  visibility: null,
  emptyRow: "nan",
});

/** True for tokens, from a mask that is true for padding; without one there is no padding. */
export function realTokens(args: Arguments, name: string, shape: readonly number[]): Bool<"b s"> {
  const [b = 0, l = 0] = shape;
  if (!args.has(name)) return noPadding(b, l);
  const padding = args.bool(name, "b s");
  if (padding.shape.join(" ") === `${b} ${l}`)
    return new Bool(
      padding.shape,
      padding.flat().map((one) => 1 - one),
    );
  throw new LoadError(`${name} is [${padding.shape.join(" ")}], and the text [${b} ${l}]`);
}

interface DecoderParts {
  readonly args: DecoderConfig;
  readonly embedTokens: Table;
  readonly embedPositions: Table | null;
  readonly multiwaySplitPosition?: number;
  readonly incremental?: Passes | null;
}

/** The decoder of a case. Throws a LoadError for parts that do not fit together. */
export function buildDecoder(
  { args, embedTokens, embedPositions, multiwaySplitPosition = -1, incremental = null }: DecoderParts,
  release: Torchscale,
): MagnetoDecoder {
  const options = decoderOptions(args, release);
  const { numEmbeddings: rows, embeddingDim, paddingIdx } = embedTokens;
  const { width = 768, multiway = false } = options;
  for (const dim of [embeddingDim, embedPositions?.embeddingDim ?? width])
    if (dim !== width)
      throw new LoadError(`a table is ${dim} wide, and decoder_embed_dim is ${width}: they must be equal`);
  if (incremental && multiwaySplitPosition > 0)
    throw new LoadError(
      "incremental and multiway_split_position: torchscale splits each pass, and this decoder the text that passes read",
    );
  if (embedPositions)
    paddingRow(embedPositions.paddingIdx, embedPositions.numEmbeddings, "magneto.positions", "padding_idx");
  const decoder = new MagnetoDecoder({
    ...options,
    vocabSize: rows,
    paddingId: paddingIdx,
    maxPositions: embedPositions && embedPositions.numEmbeddings - OFFSET,
    splitPosition: multiway ? multiwaySplitPosition : -1, // without multiway nothing has a split position to set
  });
  if (!options.tied && args.vocabSize !== rows)
    decoder.output_projection = new Linear("d -> n", width, args.vocabSize, { bias: false });
  return decoder;
}

/** The results of one pass under the package's names. */
function passOutputs(
  decoder: MagnetoDecoder,
  x: Tensor<"b l d">,
  at: Decoding,
  past: readonly KeyValues[] | null,
): { readonly outputs: Outputs; readonly layers: readonly KeyValues[] } {
  const inner: Tensor[] = [x];
  const layers: KeyValues[] = [];
  let states = x;
  for (const [i, layer] of decoder.layers.entries()) {
    const { x: next, now } = layer.forward(states, at, past?.[i] ?? null);
    states = next;
    inner.push(states);
    layers.push(now);
  }
  const named = inner.map((states, i) => [`inner${i}`, states] as const);
  return { outputs: { logits: decoder.logits(states), ...Object.fromEntries(named) }, layers };
}

const [TOKENS, PADDING, EMBEDDINGS] = [
  "prev_output_tokens",
  "self_attn_padding_mask",
  "token_embeddings",
] as const;

function decoderOutputs(decoder: MagnetoDecoder, args: Arguments, incremental: Passes | null): Outputs {
  const ids = args.int(TOKENS, "b l");
  const [b = 0, l = 0] = ids.shape;
  const mask = realTokens(args, PADDING, [b, l]);
  const embedded = args.optional(EMBEDDINGS, "b l d");
  const read = (from: number, to: number, past: readonly KeyValues[] | null) => {
    const at = decodingFor(maskUpTo(mask, to), to - from);
    const given = embedded && mulScalar(slice(embedded, 1, from, to), decoder.options.embedScale);
    const words = given ?? decoder.tokens(idsIn(ids, from, to));
    return passOutputs(decoder, decoder.placed(words, at.positions), at, past);
  };
  if (!incremental) return read(0, l, null).outputs;
  const { prefix, step } = incremental;
  if (step > 0 && decoder.self_attn_relative_position) refuseCachedBuckets(decoder, b, prefix + 1);
  if (prefix + step > l)
    throw new LoadError(`incremental reads ${prefix + step} tokens, and the text has ${l}`);
  let pass = read(0, prefix, null);
  for (let from = prefix; from < prefix + step; from++) pass = read(from, from + 1, pass.layers);
  const [first] = pass.layers;
  return { ...pass.outputs, ...(first ? { prev_key0: first.k, prev_value0: first.v } : {}) };
}

const options = {
  args: decoderConfig,
  embed_tokens: table("Embedding", "TextEmbedding"),
  embed_positions: optional(orNull(table("PositionalEmbedding")), null),
  multiway_split_position: splitPosition,
  incremental: optional(orNull(passes), null),
};

/**
 * In a step after the first the package gives every head and row the bias of the last head of the last row, for all queries, as one tensor: its
 * number of elements is that of the scores only where the batch times the heads is the length of the text, and the result is then of no use.
 */
function refuseCachedBuckets({ options: { heads } }: MagnetoDecoder, b: number, length: number): never {
  throw new RuleError(
    "torchscale cannot read on from a cache where positions have buckets; MagnetoDecoder can",
    "magneto.relative",
    { scores: b * heads, length },
  );
}

export const decoderClass: SourceClass<Torchscale> = {
  options: Object.keys(options),
  call: [TOKENS, PADDING, EMBEDDINGS],
  build(config, at, { profile }) {
    const parts = readOptions(options, config, at);
    const model = buildDecoder(parts, profile);
    const { incremental } = parts;
    return { model, forward: (inputs) => decoderOutputs(model, new Arguments(inputs), incremental) };
  },
};
