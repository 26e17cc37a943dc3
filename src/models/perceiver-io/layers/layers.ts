// The layers of Perceiver IO: Jaegle et al., arXiv 2107.14795, equations (1)–(4) of appendix E, with the names and defaults of
// JOBR0/PerceiverIO_Pytorch (perceiver_io/transformer_primitives.py).
import { ACTIVATIONS, type ActivationName } from "../../../nn/activations.ts";
import { Dropout, probability } from "../../../nn/dropout.ts";
import { Linear } from "../../../nn/linear.ts";
import { LayerNorm } from "../../../nn/norms/layer-norm.ts";
import { type Check, checked, count, flag, oneOf, optional, positive } from "../../../nn/options.ts";
import { varianceScaling } from "../../../nn/parameter.ts";
import { add } from "../../../tensor/ops/functions.ts";
import { named } from "../../../tensor/pattern.ts";
import { tap } from "../../../tensor/program/apply.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import {
  DEFAULT_PROFILE,
  PERCEIVER_PROFILES,
  type PerceiverProfileName,
  perceiverProfile,
} from "../profiles.ts";
import { type AttendOptions, PerceiverIOAttention } from "./attention.ts";

export interface MLPOptions {
  readonly inChannels: number;
  readonly outChannels?: number | undefined;
  readonly wideningFactor?: number | undefined;
  readonly dropoutProb?: number | undefined;
  readonly initScale?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

const size = optional(count);
const rate = optional(probability);
const scale = optional(positive);
const profileCheck = optional(perceiverProfile);
const mlpChecks: { readonly [K in keyof MLPOptions]-?: Check } = {
  inChannels: count,
  outChannels: size,
  wideningFactor: size,
  dropoutProb: rate,
  initScale: scale,
  profile: profileCheck,
};

/** Linear, GELU, linear, dropout. */
export class MLP {
  fc1: Linear<"c", "f">;
  fc2: Linear<"f", "c">;
  dropout: Dropout;
  readonly options: { readonly activation: ActivationName };

  constructor(options: MLPOptions) {
    const given = checked("MLP", options, mlpChecks);
    const {
      inChannels,
      outChannels = inChannels,
      wideningFactor = 4,
      dropoutProb = 0,
      initScale = 1,
    } = given;
    const { profile = DEFAULT_PROFILE } = given;
    const inner = wideningFactor * inChannels;
    this.options = { activation: PERCEIVER_PROFILES[profile].activation };
    this.fc1 = new Linear("c -> f", inChannels, inner, { initial: varianceScaling(inChannels, initScale) });
    this.fc2 = new Linear("f -> c", inner, outChannels, { initial: varianceScaling(inner, initScale) });
    this.dropout = new Dropout(dropoutProb);
  }

  forward<P extends string>(x: Tensor<`${P} c`>): Tensor<`${P} c`> {
    // #region mlp
    const activation = ACTIVATIONS[this.options.activation]; // [perceiverio.activation]
    return tap(this, "", this.dropout.forward(this.fc2.forward(activation(this.fc1.forward(x))))); // [perceiverio.mlp]
    // #endregion
  }
}

interface LayerOptions {
  readonly wideningFactor?: number | undefined;
  /** Of the outputs of attention and feed-forward. */
  readonly dropoutProb?: number | undefined;
  /** Of the attention weights. */
  readonly dropoutAttnProb?: number | undefined;
  readonly numHeads?: number | undefined;
  /** Default: the channels of the input. */
  readonly qkChannels?: number | undefined;
  /** Default: `qkChannels`. */
  readonly vChannels?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

export interface SelfAttentionOptions extends LayerOptions {
  readonly inChannels: number;
  readonly attInitScale?: number | undefined;
  readonly denseInitScale?: number | undefined;
}

const layerChecks: { readonly [K in keyof LayerOptions]-?: Check } = {
  wideningFactor: size,
  dropoutProb: rate,
  dropoutAttnProb: rate,
  numHeads: size,
  qkChannels: size,
  vChannels: size,
  profile: profileCheck,
};
const selfChecks: { readonly [K in keyof SelfAttentionOptions]-?: Check } = {
  ...layerChecks,
  inChannels: count,
  attInitScale: scale,
  denseInitScale: scale,
};

/** x + attention(norm(x)), then x + MLP(norm(x)). */
export class SelfAttention {
  mlp: MLP;
  attention: PerceiverIOAttention;
  layer_norm1: LayerNorm;
  layer_norm2: LayerNorm;
  dropout: Dropout;

  constructor(options: SelfAttentionOptions) {
    const given = checked("SelfAttention", options, selfChecks);
    const { inChannels, wideningFactor = 4, dropoutProb = 0, dropoutAttnProb = 0, numHeads = 8 } = given;
    const { qkChannels = inChannels, profile = DEFAULT_PROFILE } = given;
    const { vChannels = qkChannels, attInitScale = 1, denseInitScale = 1 } = given; // [perceiverio.channels]
    this.mlp = new MLP({
      inChannels: vChannels,
      wideningFactor,
      dropoutProb,
      initScale: denseInitScale,
      profile,
    });
    this.attention = new PerceiverIOAttention({
      qInChannels: inChannels,
      numHeads,
      initScale: attInitScale,
      qkOutChannels: qkChannels,
      vOutChannels: vChannels,
      dropoutProb: dropoutAttnProb,
      emptyRow: PERCEIVER_PROFILES[profile].emptyRow,
    });
    this.layer_norm1 = new LayerNorm(inChannels);
    this.layer_norm2 = new LayerNorm(vChannels);
    this.dropout = new Dropout(dropoutProb);
  }

  /** Throws a ShapeError if `vChannels` differs from the channels of x, to which the result is added. */
  forward(x: Tensor<"b n c">, options: AttendOptions = {}): Tensor<"b n c"> {
    // #region self-attention
    const normed = this.layer_norm1.forward(x);
    const [q, k, v] = [named("b o c", normed), named("b s d", normed), named("b s e", normed)];
    const read = this.dropout.forward(this.attention.forward(q, k, v, options));
    const y = add(x, named("b n c", read)); // [perceiverio.self-attention]
    return tap(this, "", add(y, this.mlp.forward(this.layer_norm2.forward(y))));
    // #endregion
  }
}

export interface CrossAttentionOptions extends LayerOptions {
  readonly qInChannels: number;
  readonly kvInChannels: number;
  readonly attnInitScale?: number | undefined;
  readonly mlpInitScale?: number | undefined;
  /** Where `qkChannels` is not given, it is the number of channels of the inputs (kv) or of the queries (q). */
  readonly shapeForAttn?: "kv" | "q" | undefined;
  /** Whether the queries are added to the result of attention. */
  readonly useQueryResidual?: boolean | undefined;
}
const crossChecks: { readonly [K in keyof CrossAttentionOptions]-?: Check } = {
  ...layerChecks,
  qInChannels: count,
  kvInChannels: count,
  attnInitScale: scale,
  mlpInitScale: scale,
  shapeForAttn: optional(oneOf(["kv", "q"])),
  useQueryResidual: optional(flag),
};

/** q + attention(norm(q), norm(kv)), or without the residual; then x + MLP(norm(x)). */
export class CrossAttention {
  attention: PerceiverIOAttention;
  mlp: MLP;
  layer_norm_q: LayerNorm;
  layer_norm_kv: LayerNorm;
  layer_norm2: LayerNorm;
  dropout: Dropout;
  readonly options: { readonly useQueryResidual: boolean };

  constructor(options: CrossAttentionOptions) {
    const given = checked("CrossAttention", options, crossChecks);
    const { qInChannels, kvInChannels, wideningFactor = 1, dropoutProb = 0, dropoutAttnProb = 0 } = given;
    const { numHeads = 8, shapeForAttn = "kv", useQueryResidual = true, profile = DEFAULT_PROFILE } = given;
    const { qkChannels = shapeForAttn === "q" ? qInChannels : kvInChannels } = given; // [perceiverio.channels]
    const { vChannels = qkChannels, attnInitScale = 1, mlpInitScale = 1 } = given;
    this.options = { useQueryResidual };
    this.attention = new PerceiverIOAttention({
      qInChannels,
      kInChannels: kvInChannels,
      numHeads,
      initScale: attnInitScale,
      dropoutProb: dropoutAttnProb,
      qkOutChannels: qkChannels,
      vOutChannels: vChannels,
      outputChannels: qInChannels,
      emptyRow: PERCEIVER_PROFILES[profile].emptyRow,
    });
    this.mlp = new MLP({
      inChannels: qInChannels,
      wideningFactor,
      dropoutProb,
      initScale: mlpInitScale,
      profile,
    });
    this.layer_norm_q = new LayerNorm(qInChannels);
    this.layer_norm_kv = new LayerNorm(kvInChannels);
    this.layer_norm2 = new LayerNorm(qInChannels);
    this.dropout = new Dropout(dropoutProb);
  }

  forward(q: Tensor<"b o c">, inputs: Tensor<"b s c">, options: AttendOptions = {}): Tensor<"b o c"> {
    // #region cross-attention
    const kv = this.layer_norm_kv.forward(inputs);
    const attended = this.attention.forward(
      this.layer_norm_q.forward(q),
      named("b s d", kv),
      named("b s e", kv),
      options,
    );
    const read = this.dropout.forward(attended);
    const x = this.options.useQueryResidual ? add(q, read) : read; // [perceiverio.query-residual]
    const out = add(x, this.mlp.forward(this.layer_norm2.forward(x))); // [perceiverio.cross-attention]
    return tap(this, "", out);
    // #endregion
  }
}
