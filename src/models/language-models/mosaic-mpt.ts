// MPT as MosaicML's llm-foundry 0.22.0 has it (llmfoundry/models/mpt), with its names and defaults. Queries and keys may be normalised, as in
// MPT-1B: Dehghani et al., arXiv 2302.05442, §2. Position biases: Press et al., arXiv 2108.12409.
import { PaddedEmbedding } from "../../nn/embedding.ts";
import { Linear } from "../../nn/linear.ts";
import { LayerNorm, RMSNorm } from "../../nn/norms/layer-norm.ts";
import {
  between,
  type Check,
  checked,
  count,
  flag,
  layers,
  multiple,
  notNegative,
  nullable,
  object,
  oneOf,
  optional,
  passing,
  positive,
} from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import { alibi } from "../../nn/positions/alibi.ts";
import { LearnedPositions } from "../../nn/positions/learned.ts";
import { RuleError } from "../../tensor/errors.ts";
import { einsum, rearrange, split } from "../../tensor/ops/arrange.ts";
import { add, detach, gelu, mulScalar } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues, LanguageModel } from "../language-model.ts";
import { clipped } from "./mpt.ts";
import { multiHead } from "./multi-head.ts";
import { paddingRow, tokenId } from "./padding.ts";
import { tokenPositions } from "./token-positions.ts";

/** The number of heads of keys and values: one for each head of queries, one for all, or `kvNHeads`. */
export const ATTENTION_TYPES = [
  "multihead_attention",
  "multiquery_attention",
  "grouped_query_attention",
] as const;
const RMS_NORMS = ["rmsnorm", "low_precision_rmsnorm"] as const;
export const NORMS = ["layernorm", "low_precision_layernorm", ...RMS_NORMS] as const;

/** Options of attention. Those from `prefixLm` on have one value: others are not supported. */
export interface MosaicMptAttentionOptions {
  readonly attnType?: (typeof ATTENTION_TYPES)[number] | undefined;
  /** The number of heads of keys and values, for grouped_query_attention: a divisor of the number of heads. */
  readonly kvNHeads?: number | null | undefined;
  /** Whether queries and keys are normalised. Default false. */
  readonly qkLn?: boolean | undefined;
  /** Queries, keys and values are limited to ± this number; null or 0: they are not. */
  readonly clipQkv?: number | null | undefined;
  /** The factor of the scores. Default: 1 / √(the width of a head). */
  readonly softmaxScale?: number | null | undefined;
  /** Whether scores have linear position biases; there are then no learned positions. Default false. */
  readonly alibi?: boolean | undefined;
  readonly alibiBiasMax?: number | undefined;
  readonly prefixLm?: boolean | undefined;
  readonly attnUsesSequenceId?: boolean | undefined;
  readonly qkGn?: boolean | undefined;
  readonly fusedQkv?: boolean | undefined;
  readonly rope?: boolean | undefined;
  readonly slidingWindowSize?: number | undefined;
  readonly attnLogitSoftcapping?: number | null | undefined;
}

/** The arguments of llm-foundry's MPTConfig. */
export interface MosaicMptOptions {
  /** The width, a multiple of the number of heads. */
  readonly dModel?: number | undefined;
  readonly nHeads?: number | undefined;
  readonly nLayers?: number | undefined;
  /** The width of the feed-forward in multiples of the model's. */
  readonly expansionRatio?: number | undefined;
  /** The longest text, cached tokens and padding included. */
  readonly maxSeqLen?: number | undefined;
  readonly vocabSize?: number | undefined;
  /** Whether positions have learned embeddings. With alibi they have none. Default true. */
  readonly learnedPosEmb?: boolean | undefined;
  readonly attnConfig?: MosaicMptAttentionOptions | null | undefined;
  /** The factor of the logits; "inv_sqrt_d_model" is 1 / √dModel. Default: none. */
  readonly logitScale?: number | string | null | undefined;
  /** Whether all linear layers and norms are without biases. Default false. */
  readonly noBias?: boolean | undefined;
  /** Whether the projection to queries, keys and values has a bias. Default: where noBias is false. */
  readonly attentionBias?: boolean | null | undefined;
  /** The part of the gradient that reaches the embeddings. Default 1. */
  readonly embeddingFraction?: number | undefined;
  readonly normType?: (typeof NORMS)[number] | undefined;
  readonly normEps?: number | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default true. */
  readonly tieWordEmbeddings?: boolean | undefined;
  /** The id whose embedding gets no gradient from the ids. Default: none. */
  readonly padTokenId?: number | null | undefined;
}

/** An option of the package with the only value that is supported. */
const only = (value: boolean | number | null): Check =>
  optional(passing(`${value}, the only value that is supported`, (given) => given === value)); // [mosaic.options]

const INVERSE_ROOT = "inv_sqrt_d_model";

const attentionChecks: { readonly [K in keyof MosaicMptAttentionOptions]-?: Check } = {
  attnType: optional(oneOf(ATTENTION_TYPES)),
  kvNHeads: optional(nullable(count)),
  qkLn: optional(flag),
  clipQkv: optional(nullable(notNegative)),
  softmaxScale: optional(nullable(positive)),
  alibi: optional(flag),
  alibiBiasMax: optional(positive),
  prefixLm: only(false),
  attnUsesSequenceId: only(false),
  qkGn: only(false),
  fusedQkv: only(true),
  rope: only(false),
  slidingWindowSize: only(-1),
  attnLogitSoftcapping: only(null),
};

const checks: { readonly [K in keyof MosaicMptOptions]-?: Check } = {
  dModel: optional(count),
  nHeads: optional(count),
  nLayers: optional(layers),
  expansionRatio: optional(multiple),
  maxSeqLen: optional(count),
  vocabSize: optional(count),
  learnedPosEmb: optional(flag),
  attnConfig: optional(nullable(object("an object of options of attention"))),
  logitScale: optional(
    passing(
      `a finite number, "${INVERSE_ROOT}" or null`,
      (value) => value === null || value === INVERSE_ROOT || Number.isFinite(value),
    ),
  ),
  noBias: optional(flag),
  attentionBias: optional(nullable(flag)),
  embeddingFraction: optional(between(Number.MIN_VALUE, 1, "a number above 0, at most 1")),
  normType: optional(oneOf(NORMS)),
  normEps: optional(positive),
  tieWordEmbeddings: optional(flag),
  padTokenId: optional(nullable(tokenId)),
};

/** The options of attention, with the defaults of llm-foundry's MPTConfig. */
interface AttentionSettings {
  readonly dModel: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly norm: boolean;
  readonly clip: number | null;
  readonly scale: number;
  /** The exponent of the last slope; null: there are no position biases. */
  readonly biasMax: number | null;
  /** Of the projection to queries, keys and values. */
  readonly bias: boolean;
}

interface Settings {
  readonly attention: AttentionSettings;
  readonly inner: number;
  readonly nLayers: number;
  readonly maxSeqLen: number;
  readonly vocabSize: number;
  readonly positions: boolean;
  readonly logitScale: number | null;
  readonly bias: boolean;
  readonly fraction: number;
  readonly rms: boolean;
  readonly epsilon: number;
  readonly tied: boolean;
  readonly paddingId: number | null;
}

const CALLER = "MosaicMptForCausalLM";

function keyValueHeads(type: string, heads: number, given: number | null): number {
  if (type !== "grouped_query_attention") {
    if (given !== null)
      throw new RuleError(
        `${CALLER}: kvNHeads is ${given}, but attnType is "${type}": leave it out, or ask for "grouped_query_attention"`,
        "mosaic.groups",
      );
    return type === "multiquery_attention" ? 1 : heads; // [mosaic.groups]
  }
  if (given === null || heads % given !== 0)
    throw new RuleError(
      `${CALLER}: kvNHeads is ${given}; with grouped_query_attention it must be a divisor of the ${heads} heads`,
      "mosaic.groups",
    );
  return given;
}

function attentionOf(
  options: MosaicMptAttentionOptions,
  dModel: number,
  heads: number,
  bias: boolean,
): AttentionSettings {
  if (dModel % heads !== 0)
    throw new RuleError(
      `${CALLER}: a width of ${dModel} cannot be divided among ${heads} heads: dModel must be a multiple of nHeads`,
      "mosaic.layout",
    );
  const {
    attnType = "multihead_attention",
    kvNHeads = null,
    qkLn = false, // [mosaic.qk-norm]
    clipQkv,
    softmaxScale,
    alibi = false,
    alibiBiasMax = 8, // [mosaic.alibi]
  } = checked(`${CALLER}'s attnConfig`, options, attentionChecks);
  return {
    dModel,
    heads,
    keyValueHeads: keyValueHeads(attnType, heads, kvNHeads),
    norm: qkLn,
    clip: clipQkv === 0 ? null : (clipQkv ?? null), // [mosaic.clip]
    scale: softmaxScale ?? (dModel / heads) ** -0.5, // [mosaic.scale]
    biasMax: alibi ? alibiBiasMax : null,
    bias,
  };
}

function settingsOf(options: MosaicMptOptions): Settings {
  const {
    dModel = 2048,
    nHeads = 16,
    nLayers = 24,
    expansionRatio = 4,
    maxSeqLen = 2048,
    vocabSize = 50_368,
    learnedPosEmb = true,
    attnConfig,
    logitScale = null,
    noBias = false,
    attentionBias,
    embeddingFraction: fraction = 1,
    normType = "low_precision_layernorm",
    normEps: epsilon = 1e-5, // [mosaic.norms]
    tieWordEmbeddings: tied = true,
    padTokenId = null,
  } = checked(CALLER, options, checks);
  const attention = attentionOf(attnConfig ?? {}, dModel, nHeads, attentionBias ?? !noBias); // [mosaic.biases]
  const inner = dModel * expansionRatio; // [mosaic.feed-forward]
  if (!Number.isInteger(inner))
    throw new RuleError(
      `${CALLER}: expansionRatio ${expansionRatio} times dModel ${dModel} is ${inner}; it must be a whole number`,
      "mosaic.feed-forward",
    );
  return {
    attention,
    inner,
    nLayers,
    maxSeqLen,
    vocabSize,
    positions: learnedPosEmb && attention.biasMax === null, // [mosaic.positions]
    logitScale: typeof logitScale === "string" ? dModel ** -0.5 : logitScale, // [mosaic.logits]
    bias: !noBias,
    fraction,
    rms: RMS_NORMS.some((name) => name === normType), // [mosaic.norms]
    epsilon,
    tied,
    paddingId: paddingRow(padTokenId, vocabSize, "mosaic.embedding"),
  };
}

class MosaicMptAttention {
  Wqkv: Linear<"d", "(c h k)">;
  /** Layer norms with ε 1e-5, whatever the other norms are. */
  q_ln: LayerNorm | null;
  k_ln: LayerNorm | null;
  out_proj: Linear<"(h k)", "d">;
  readonly options: AttentionSettings;

  constructor({ attention, bias }: Settings) {
    const { dModel, heads, keyValueHeads } = attention;
    const width = (dModel / heads) * keyValueHeads;
    this.options = attention;
    this.Wqkv = new Linear("d -> (c h k)", dModel, dModel + 2 * width, { bias: attention.bias });
    this.q_ln = attention.norm ? new LayerNorm(dModel, { bias }) : null; // [mosaic.qk-norm]
    this.k_ln = attention.norm ? new LayerNorm(width, { bias }) : null;
    this.out_proj = new Linear("(h k) -> d", dModel, dModel, { bias });
  }

  /** The cache holds normalised keys and values, b g s k. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { dModel: d, heads: h, keyValueHeads: g, clip, scale, biasMax } = this.options;
    const width = (d / h) * g;
    // #region attend
    const projected = this.Wqkv.forward(x);
    const limited = clip === null ? projected : clipped(projected, clip); // [mosaic.clip]
    const { q, k, v } = split(limited, { q: d, k: width, v: width }); // [mosaic.layout]
    const queries = this.q_ln ? this.q_ln.forward(q) : q; // [mosaic.qk-norm]
    const keys = this.k_ln ? this.k_ln.forward(k) : k;
    const inHeads = <A extends string>(axes: A, part: Tensor, h: number): Tensor<A> =>
      named(axes, rearrange("b l (h k) -> b h l k", named("b l (h k)", part), { h }));
    const heads = {
      q: mulScalar(inHeads("b h l k", queries, h), scale), // [mosaic.scale]
      k: inHeads("b g l k", keys, g),
      v: inHeads("b g l k", v, g),
    };
    const positions = { heads: h, keys: at.mayAttend.shape[2] ?? 0 };
    const bias = biasMax === null ? null : alibi({ ...positions, biasMax }); // [mosaic.alibi]
    const { out, now } = multiHead(this, heads, at, past, bias); // [mosaic.cache]
    return { x: tap(this, "", this.out_proj.forward(out)), now };
    // #endregion
  }
}

class MosaicMptMLP {
  up_proj: Linear<"d", "f">;
  down_proj: Linear<"f", "d">;

  constructor({ attention: { dModel }, inner, bias }: Settings) {
    this.up_proj = new Linear("d -> f", dModel, inner, { bias });
    this.down_proj = new Linear("f -> d", inner, dModel, { bias });
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    return tap(this, "", this.down_proj.forward(gelu(this.up_proj.forward(x)))); // [mosaic.feed-forward]
  }
}

type Norm = LayerNorm | RMSNorm;
const normOf = ({ attention: { dModel }, rms, epsilon, bias }: Settings): Norm =>
  rms ? new RMSNorm(dModel, { epsilon }) : new LayerNorm(dModel, { epsilon, bias }); // [mosaic.norms]

class MosaicMptBlock implements DecoderLayer {
  norm_1: Norm;
  attn: MosaicMptAttention;
  norm_2: Norm;
  ffn: MosaicMptMLP;

  constructor(settings: Settings) {
    this.norm_1 = normOf(settings);
    this.attn = new MosaicMptAttention(settings);
    this.norm_2 = normOf(settings);
    this.ffn = new MosaicMptMLP(settings);
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { x: attended, now } = this.attn.forward(this.norm_1.forward(x), at, past); // [mosaic.layer]
    const y = add(x, attended);
    return { x: tap(this, "", add(y, this.ffn.forward(this.norm_2.forward(y)))), now };
  }
}

class MosaicMptModel {
  wte: PaddedEmbedding<"d">;
  wpe: LearnedPositions<"d"> | null;
  blocks: DecoderLayer[];
  norm_f: Norm;

  constructor(settings: Settings) {
    const { vocabSize, attention, nLayers, maxSeqLen: rows, paddingId } = settings;
    const { dModel: dim } = attention;
    this.wte = new PaddedEmbedding("d", vocabSize, dim, { initial: normal(0.02), paddingId }); // [mosaic.embedding]
    this.wpe = settings.positions ? new LearnedPositions("d", { rows, dim, initial: normal(0.02) }) : null; // [mosaic.positions]
    this.blocks = Array.from({ length: nLayers }, () => new MosaicMptBlock(settings));
    this.norm_f = normOf(settings);
  }
}

/**
 * MosaicML's MPT as a `LanguageModel`. The fields have the names of llm-foundry. [mosaic.names] `MOSAIC_GPT_NAMES` renames the
 * weights of the earlier class MosaicGPT, which mpt-1b-redpajama-200b was published with. Throws a RuleError for options that do
 * not go together.
 * Source: llmfoundry/models/mpt of llm-foundry 0.22.0; Dehghani et al., arXiv 2302.05442, §2, for norms of queries and keys.
 */
export class MosaicMptForCausalLM implements LanguageModel {
  transformer: MosaicMptModel;
  lm_head: Linear<"d", "n"> | null;
  readonly options: Pick<Settings, "maxSeqLen" | "logitScale" | "fraction">;

  /** Throws a RuleError for an option that it refuses, and for one that the package has and this class does not support. */
  constructor(options: MosaicMptOptions = {}) {
    const settings = settingsOf(options);
    const { attention, vocabSize, tied } = settings;
    this.options = settings;
    this.transformer = new MosaicMptModel(settings);
    this.lm_head = tied ? null : new Linear("d -> n", attention.dModel, vocabSize, { bias: false }); // [mosaic.logits]
  }

  get width(): number {
    return this.transformer.wte.weight.shape[1] ?? 0;
  }

  get layers(): DecoderLayer[] {
    return this.transformer.blocks;
  }

  set layers(layers: DecoderLayer[]) {
    this.transformer.blocks = layers;
  }

  /**
   * Learned positions come from the mask, so that padding does not shift them; `positions` of the pass are not read. Throws a
   * RuleError for a text longer than `maxSeqLen`.
   */
  embed(ids: Int<"b l">, { mayAttend }: Decoding): Tensor<"b l d"> {
    const { maxSeqLen, fraction } = this.options;
    const length = mayAttend.shape[2] ?? 0;
    if (length > maxSeqLen)
      throw new RuleError(`the text has ${length} tokens, and maxSeqLen is ${maxSeqLen}`, "mosaic.length");
    const { wte, wpe } = this.transformer;
    const words = wte.forward(ids);
    const x = wpe ? add(words, wpe.forward(tokenPositions(mayAttend, ofPadding))) : words; // [mosaic.positions]
    if (fraction === 1) return x;
    return add(mulScalar(x, fraction), mulScalar(detach(x), 1 - fraction)); // [mosaic.embedding]
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    const { logitScale } = this.options;
    const y = this.transformer.norm_f.forward(x); // [mosaic.layer]
    const table = this.transformer.wte.weight;
    const logits = this.lm_head ? this.lm_head.forward(y) : einsum("b l d, n d -> b l n", y, table); // [mosaic.logits]
    return logitScale === null ? logits : mulScalar(logits, logitScale);
  }
}

/** Padding has the position of the token before it, and 0 where there is none. */
const ofPadding = (tokensBefore: number): number => Math.max(0, tokensBefore - 1); // [mosaic.positions]

/**
 * The new names of the weights of MosaicGPT, for `rename` of `loadStateDict`, as llm-foundry's scripts/misc/convert_examples_ckpt.py gives
 * them.
 */
export const MOSAIC_GPT_NAMES: Readonly<Record<string, string>> = {
  "*.ln_1.*": "*.norm_1.*",
  "*.ln_2.*": "*.norm_2.*",
  "*.ln_f.*": "*.norm_f.*",
  "*.mlp.mlp_up.*": "*.ffn.up_proj.*",
  "*.mlp.mlp_down.*": "*.ffn.down_proj.*",
}; // [mosaic.old-names]
