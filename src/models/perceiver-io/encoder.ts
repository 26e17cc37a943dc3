// The encoder and the decoder of Perceiver IO: Jaegle et al., arXiv 2107.14795, figure 2 and §3.1, with the names and defaults of
// JOBR0/PerceiverIO_Pytorch (perceiver_io/perceiver.py).
import { probability } from "../../nn/dropout.ts";
import { Linear } from "../../nn/linear.ts";
import { type Check, checked, count, flag, layers, notNegative, oneOf, optional } from "../../nn/options.ts";
import { constant, varianceScaling } from "../../nn/parameter.ts";
import { RuleError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { tap } from "../../tensor/program/apply.ts";
import { Bool, type Tensor } from "../../tensor/tensor.ts";
import { crossAttentionMask } from "./layers/attention.ts";
import { CrossAttention, SelfAttention } from "./layers/layers.ts";
import { TrainablePositionEncoding } from "./positions.ts";
import {
  DEFAULT_PROFILE,
  PERCEIVER_PROFILES,
  type PerceiverProfileName,
  perceiverProfile,
} from "./profiles.ts";

/** Options of the encoder that `PerceiverIO` passes on. */
export interface EncoderOptions {
  readonly qkChannels?: number | undefined;
  readonly vChannels?: number | undefined;
  readonly numCrossAttendHeads?: number | undefined;
  readonly numSelfAttendHeads?: number | undefined;
  readonly crossAttendWideningFactor?: number | undefined;
  readonly selfAttendWideningFactor?: number | undefined;
  readonly dropoutProb?: number | undefined;
  readonly latentPosEncInitScale?: number | undefined;
  readonly crossAttentionShapeForAttn?: "kv" | "q" | undefined;
  readonly useQueryResidual?: boolean | undefined;
}

export interface PerceiverEncoderOptions extends EncoderOptions {
  readonly numInputChannels: number;
  readonly numSelfAttendsPerBlock?: number | undefined;
  readonly numBlocks?: number | undefined;
  readonly numLatents?: number | undefined;
  readonly numLatentChannels?: number | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}

const size = optional(count);
const encoderChecks: { readonly [K in keyof PerceiverEncoderOptions]-?: Check } = {
  numInputChannels: count,
  numSelfAttendsPerBlock: optional(layers),
  numBlocks: optional(layers),
  numLatents: size,
  numLatentChannels: size,
  qkChannels: size,
  vChannels: size,
  numCrossAttendHeads: size,
  numSelfAttendHeads: size,
  crossAttendWideningFactor: size,
  selfAttendWideningFactor: size,
  dropoutProb: optional(probability),
  latentPosEncInitScale: optional(notNegative),
  crossAttentionShapeForAttn: optional(oneOf(["kv", "q"])),
  useQueryResidual: optional(flag),
  profile: optional(perceiverProfile),
};

/** Throws a RuleError unless the heads share the latent channels equally. */
function checkLatentHeads(name: string, heads: number, channels: number): void {
  if (channels % heads === 0) return;
  throw new RuleError(
    `numLatentChannels is ${channels}, which is no multiple of ${name}, ${heads}`,
    "perceiverio.heads",
    { name, channels, heads },
  );
}

/** The latents cross-attend to the inputs once, then pass through blocks of self-attention that share their weights. */
export class PerceiverEncoder {
  latent_pos_enc: TrainablePositionEncoding;
  cross_attend: CrossAttention;
  self_attends: SelfAttention[];
  readonly options: { readonly numBlocks: number };

  constructor(options: PerceiverEncoderOptions) {
    const given = checked("PerceiverEncoder", options, encoderChecks);
    const { numInputChannels, numSelfAttendsPerBlock = 6, numBlocks = 8, numLatents = 512 } = given;
    const { numLatentChannels = 1024, numCrossAttendHeads = 1, numSelfAttendHeads = 8 } = given;
    const { dropoutProb = 0, qkChannels, vChannels, profile = DEFAULT_PROFILE } = given;
    const shared = { dropoutProb, qkChannels, vChannels, profile };
    checkLatentHeads("numSelfAttendHeads", numSelfAttendHeads, numLatentChannels);
    checkLatentHeads("numCrossAttendHeads", numCrossAttendHeads, numLatentChannels);
    this.options = { numBlocks };
    this.latent_pos_enc = new TrainablePositionEncoding(numLatents, {
      numChannels: numLatentChannels,
      initScale: given.latentPosEncInitScale ?? 0.02,
    });
    this.cross_attend = new CrossAttention({
      ...shared,
      qInChannels: numLatentChannels,
      kvInChannels: numInputChannels,
      numHeads: numCrossAttendHeads,
      wideningFactor: given.crossAttendWideningFactor ?? 1,
      shapeForAttn: given.crossAttentionShapeForAttn ?? "kv",
      useQueryResidual: given.useQueryResidual ?? true,
    });
    const selfAttention = () =>
      new SelfAttention({
        ...shared,
        inChannels: numLatentChannels,
        numHeads: numSelfAttendHeads,
        wideningFactor: given.selfAttendWideningFactor ?? 1,
      });
    this.self_attends = Array.from({ length: numSelfAttendsPerBlock }, selfAttention);
  }

  /** Latents of the inputs; where `mask` is false, no latent attends to an input. */
  forward(inputs: Tensor<"b s c">, mask: Bool<"b s"> | null = null): Tensor<"b r c"> {
    const [b = 0] = inputs.shape;
    // #region encode
    const initial = named("b o c", this.latent_pos_enc.forward(b));
    const visible = mask && crossAttentionMask(everywhere(b, initial.shape[1] ?? 0), mask); // [perceiverio.mask]
    let latents = named("b n c", this.cross_attend.forward(initial, inputs, { mask: visible }));
    for (let block = 0; block < this.options.numBlocks; block++)
      for (const layer of this.self_attends) latents = layer.forward(latents); // [perceiverio.blocks]
    return tap(this, "", named("b r c", latents));
    // #endregion
  }
}

/** A mask that is true everywhere. */
const everywhere = <A extends string>(b: number, n: number): Bool<A> =>
  new Bool<A>([b, n], new Uint8Array(b * n).fill(1));

/** Options of the decoder that `PerceiverIO` passes on. */
export interface DecoderOptions {
  readonly qkChannels?: number | undefined;
  readonly vChannels?: number | undefined;
  readonly useQueryResidual?: boolean | undefined;
  readonly outputWInit?: "lecun_normal" | "zeros" | undefined;
  readonly numHeads?: number | undefined;
}

export interface PerceiverDecoderOptions extends DecoderOptions {
  readonly queryChannels: number;
  readonly finalProjectOutChannels: number;
  readonly numLatentChannels?: number | undefined;
  readonly finalProject?: boolean | undefined;
  readonly profile?: PerceiverProfileName | undefined;
}
const decoderChecks: { readonly [K in keyof PerceiverDecoderOptions]-?: Check } = {
  queryChannels: count,
  finalProjectOutChannels: count,
  numLatentChannels: size,
  qkChannels: size,
  vChannels: size,
  useQueryResidual: optional(flag),
  outputWInit: optional(oneOf(["lecun_normal", "zeros"])),
  numHeads: size,
  finalProject: optional(flag),
  profile: optional(perceiverProfile),
};

/** Queries cross-attend to the latents; each output depends on its own query only. */
export class PerceiverDecoder {
  decoding_cross_attn: CrossAttention;
  /** null if `finalProject` is false. */
  final_layer: Linear<"c", "e"> | null;
  readonly options: { readonly queryMask: "used" | "ignored" };

  constructor(options: PerceiverDecoderOptions) {
    const given = checked("PerceiverDecoder", options, decoderChecks);
    const { queryChannels, finalProjectOutChannels, numLatentChannels = 1024, finalProject = true } = given;
    const { profile = DEFAULT_PROFILE, outputWInit = "lecun_normal" } = given;
    this.options = { queryMask: PERCEIVER_PROFILES[profile].queryMask };
    this.decoding_cross_attn = new CrossAttention({
      qInChannels: queryChannels,
      kvInChannels: numLatentChannels,
      numHeads: given.numHeads ?? 1,
      wideningFactor: 1,
      shapeForAttn: "kv",
      qkChannels: given.qkChannels,
      vChannels: given.vChannels,
      useQueryResidual: given.useQueryResidual ?? false, // [perceiverio.query-residual]
      profile,
    });
    const initial = outputWInit === "zeros" ? constant(0) : varianceScaling(queryChannels);
    this.final_layer = finalProject
      ? new Linear("c -> e", queryChannels, finalProjectOutChannels, { initial }) // [perceiverio.final-layer]
      : null;
  }

  forward(
    query: Tensor<"b o c">,
    latents: Tensor<"b r c">,
    mask: Bool<"b o"> | null = null,
  ): Tensor<"b o e"> {
    const [b = 0, r = 0] = latents.shape;
    // #region decode
    const used = this.options.queryMask === "used" ? mask : null; // [perceiverio.query-mask]
    const visible = used && crossAttentionMask(used, everywhere(b, r));
    const out = this.decoding_cross_attn.forward(query, named("b s c", latents), { mask: visible });
    return tap(this, "", named("b o e", this.final_layer ? this.final_layer.forward(out) : out)); // [perceiverio.final-layer]
    // #endregion
  }
}
