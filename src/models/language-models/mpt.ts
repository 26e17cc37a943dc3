// MPT as transformers 4.57.6 has it (models/mpt), with its names and defaults. Position biases: Press et al., arXiv 2108.12409.
import { Embedding } from "../../nn/embedding.ts";
import { Linear, NO_BIAS } from "../../nn/linear.ts";
import { LayerNorm } from "../../nn/norms/layer-norm.ts";
import {
  type Check,
  checked,
  count,
  flag,
  layers,
  notNegative,
  nullable,
  object,
  optional,
  passing,
  positive,
} from "../../nn/options.ts";
import { normal } from "../../nn/parameter.ts";
import { alibi } from "../../nn/positions/alibi.ts";
import { RuleError } from "../../tensor/errors.ts";
import { rearrange, split } from "../../tensor/ops/arrange.ts";
import { add, addScalar, gelu, mulScalar, neg, relu, sub } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import type { Int, Tensor } from "../../tensor/tensor.ts";
import type { Decoded, DecoderLayer, Decoding, KeyValues, LanguageModel } from "../language-model.ts";
import { multiHead } from "./multi-head.ts";

/** Options of attention. All but the first two have one value: the class of transformers ignores them. */
export interface MptAttentionOptions {
  /** Queries, keys and values are limited to ± this number; null or 0: they are not. */
  readonly clipQkv?: number | null | undefined;
  /** The factor of the scores. Default: 1 / √(the width of a head). */
  readonly softmaxScale?: number | null | undefined;
  readonly attnType?: string | undefined;
  readonly prefixLm?: boolean | undefined;
  readonly qkLn?: boolean | undefined;
  readonly attnUsesSequenceId?: boolean | undefined;
  readonly alibi?: boolean | undefined;
  readonly alibiBiasMax?: number | undefined;
}

/** Those from `expansionRatio` on have one value: the class of transformers ignores them. */
export interface MptOptions {
  /** The width, a multiple of the number of heads. */
  readonly dModel?: number | undefined;
  readonly nHeads?: number | undefined;
  readonly nLayers?: number | undefined;
  /** The longest text, cached tokens included. */
  readonly maxSeqLen?: number | undefined;
  readonly vocabSize?: number | undefined;
  readonly layerNormEpsilon?: number | undefined;
  readonly attnConfig?: MptAttentionOptions | null | undefined;
  /** Whether the projection to the vocabulary is the embedding table. Default true. */
  readonly tieWordEmbeddings?: boolean | undefined;
  readonly expansionRatio?: number | undefined;
  readonly logitScale?: number | string | null | undefined;
  readonly noBias?: boolean | undefined;
  readonly normType?: string | undefined;
  readonly embeddingFraction?: number | undefined;
}

/** An option that the class of transformers accepts and ignores: only the values that describe what it computes are accepted. */
function ignored(...values: readonly unknown[]): Check {
  const list = values.map((value) => JSON.stringify(value)).join(" or ");
  const wanted = `${list}, because the MPT of transformers ignores this option and computes the same model for every value`;
  return optional(passing(wanted, (value) => values.includes(value))); // [mpt.ignored]
}

const attentionChecks: { readonly [K in keyof MptAttentionOptions]-?: Check } = {
  clipQkv: optional(nullable(notNegative)),
  softmaxScale: optional(nullable(positive)),
  attnType: ignored("multihead_attention"),
  prefixLm: ignored(false),
  qkLn: ignored(false),
  attnUsesSequenceId: ignored(false),
  alibi: ignored(true),
  alibiBiasMax: ignored(8),
};

const checks: { readonly [K in keyof MptOptions]-?: Check } = {
  dModel: optional(count),
  nHeads: optional(count),
  nLayers: optional(layers),
  maxSeqLen: optional(count),
  vocabSize: optional(count),
  layerNormEpsilon: optional(positive),
  attnConfig: optional(nullable(object("an object of options of attention"))),
  tieWordEmbeddings: optional(flag),
  expansionRatio: ignored(4),
  logitScale: ignored(null),
  noBias: ignored(true),
  normType: ignored("low_precision_layernorm", "layernorm"),
  embeddingFraction: ignored(1),
};

/** All options, with the defaults of transformers' MptConfig. */
interface MptSettings {
  readonly dModel: number;
  readonly heads: number;
  readonly nLayers: number;
  readonly maxSeqLen: number;
  readonly vocabSize: number;
  readonly epsilon: number;
  readonly clip: number | null;
  readonly scale: number;
  readonly tieWordEmbeddings: boolean;
}

function settingsOf(options: MptOptions): MptSettings {
  const {
    dModel = 2048,
    nHeads: heads = 16,
    nLayers = 24,
    maxSeqLen = 2048, // [mpt.length]
    vocabSize = 50_368,
    layerNormEpsilon: epsilon = 1e-5, // [mpt.epsilon]
    attnConfig,
    tieWordEmbeddings = true, // [mpt.tied]
  } = checked("MptForCausalLM", options, checks);
  const { clipQkv, softmaxScale } = checked("MptForCausalLM's attnConfig", attnConfig ?? {}, attentionChecks);
  if (dModel % heads !== 0)
    throw new RuleError(
      `a width of ${dModel} cannot be divided among ${heads} heads: dModel must be a multiple of nHeads`,
      "mpt.heads",
    );
  const scale = softmaxScale ?? (dModel / heads) ** -0.5; // [mpt.scale]
  const clip = clipQkv === 0 ? null : (clipQkv ?? null); // [mpt.clip]
  return { dModel, heads, nLayers, maxSeqLen, vocabSize, epsilon, clip, scale, tieWordEmbeddings };
}

/** min(max(x, −limit), limit), exact between the limits. */
export function clipped<A extends string>(x: Tensor<A>, limit: number): Tensor<A> {
  const [above, below] = [relu(addScalar(x, -limit)), relu(addScalar(neg(x), -limit))];
  return add(sub(x, above), below); // [mpt.clip]
}

class MptAttention {
  Wqkv: Linear<"d", "(c h k)">;
  out_proj: Linear<"(h k)", "d">;
  readonly options: MptSettings;

  constructor(settings: MptSettings) {
    const { dModel } = settings;
    this.options = settings;
    this.Wqkv = new Linear("d -> (c h k)", dModel, 3 * dModel, { bias: false });
    this.out_proj = new Linear("(h k) -> d", dModel, dModel, { bias: false });
  }

  /** The cache holds keys and values, b g s k; positions are in the scores only. */
  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    const { dModel: d, heads: h, clip, scale, maxSeqLen } = this.options;
    const keys = at.mayAttend.shape[2] ?? 0;
    if (keys > maxSeqLen)
      throw new RuleError(
        `the text has ${keys} tokens, and maxSeqLen is ${maxSeqLen}: build the model with a larger one, which needs no other weights`,
        "mpt.length",
      );
    // #region attend
    const projected = this.Wqkv.forward(x);
    const limited = clip === null ? projected : clipped(projected, clip); // [mpt.clip]
    const { q, k, v } = split(limited, { q: d, k: d, v: d }); // [mpt.layout]
    const inHeads = <A extends string>(axes: A, part: Tensor): Tensor<A> =>
      named(axes, rearrange("b l (h k) -> b h l k", named("b l (h k)", part), { h }));
    const heads = {
      q: mulScalar(inHeads("b h l k", q), scale), // [mpt.scale]
      k: inHeads("b g l k", k),
      v: inHeads("b g l k", v),
    };
    const { out, now } = multiHead(this, heads, at, past, alibi({ heads: h, keys })); // [mpt.alibi] [mpt.cache]
    const y = this.out_proj.forward(out);
    return { x: tap(this, "", y), now };
    // #endregion
  }
}

class MptMLP {
  up_proj: Linear<"d", "f">;
  down_proj: Linear<"f", "d">;

  constructor({ dModel }: MptSettings) {
    const inner = 4 * dModel; // [mpt.feed-forward]
    this.up_proj = new Linear("d -> f", dModel, inner, { bias: false });
    this.down_proj = new Linear("f -> d", inner, dModel, { bias: false });
  }

  forward(x: Tensor<"b l d">): Tensor<"b l d"> {
    return tap(this, "", this.down_proj.forward(gelu(this.up_proj.forward(x)))); // [mpt.feed-forward]
  }
}

class MptBlock implements DecoderLayer {
  norm_1: LayerNorm;
  attn: MptAttention;
  norm_2: LayerNorm;
  ffn: MptMLP;

  constructor(settings: MptSettings) {
    const { dModel, epsilon } = settings;
    this.norm_1 = new LayerNorm(dModel, { epsilon, bias: false }); // [mpt.biases]
    this.attn = new MptAttention(settings);
    this.norm_2 = new LayerNorm(dModel, { epsilon, bias: false });
    this.ffn = new MptMLP(settings);
  }

  forward(x: Tensor<"b l d">, at: Decoding, past: KeyValues | null): Decoded {
    // #region layer
    const { x: attended, now } = this.attn.forward(this.norm_1.forward(x), at, past); // [mpt.layer]
    const y = add(x, attended);
    return { x: tap(this, "", add(y, this.ffn.forward(this.norm_2.forward(y)))), now };
    // #endregion
  }
}

class MptModel {
  wte: Embedding<"d">;
  blocks: DecoderLayer[];
  norm_f: LayerNorm;

  constructor(settings: MptSettings) {
    const { vocabSize, dModel, nLayers, epsilon } = settings;
    this.wte = new Embedding("d", vocabSize, dModel, { initial: normal(0.02) }); // [decode.initial]
    this.blocks = Array.from({ length: nLayers }, () => new MptBlock(settings));
    this.norm_f = new LayerNorm(dModel, { epsilon, bias: false });
  }
}

/**
 * MPT as a `LanguageModel`; the fields have the names of transformers. [mpt.names] Throws a RuleError for a width that the heads
 * do not divide; a forward pass throws one for a text longer than `maxSeqLen`.
 * Source: Press et al., arXiv 2108.12409, for position biases; MptForCausalLM of transformers 4.57.6.
 */
export class MptForCausalLM implements LanguageModel {
  transformer: MptModel;
  lm_head: Linear<"d", "n">;

  constructor(options: MptOptions = {}) {
    const settings = settingsOf(options);
    this.transformer = new MptModel(settings);
    this.lm_head = new Linear("d -> n", settings.dModel, settings.vocabSize, NO_BIAS);
    if (settings.tieWordEmbeddings) this.lm_head.weight = named("o i", this.transformer.wte.weight); // [mpt.tied]
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

  embed(ids: Int<"b l">): Tensor<"b l d"> {
    return this.transformer.wte.forward(ids);
  }

  logits(x: Tensor<"b l d">): Tensor<"b l n"> {
    return this.lm_head.forward(this.transformer.norm_f.forward(x)); // [mpt.layer]
  }
}
