// torchscale's MultiheadAttention, as self-attention, and FeedForwardNetwork. Besides the package's options a case of the former may give
// `causal`, the mask of the Decoder, and `multiway_split_position`.
import { boolean, number, optional } from "../../../io/fields.ts";
import type { Decoding } from "../../../models/language-model.ts";
import { MagnetoAttention } from "../../../models/language-models/magneto/attention.ts";
import { MagnetoFeedForward } from "../../../models/language-models/magneto/feed-forward.ts";
import { activationCheck } from "../../../models/language-models/magneto/options.ts";
import { checkValue } from "../../../nn/options.ts";
import { only } from "../../../pretrained/configurations/configuration.ts";
import { repeat } from "../../../tensor/ops/arrange.ts";
import type { Bool } from "../../../tensor/tensor.ts";
import { Arguments, type Inputs } from "../interface/arguments.ts";
import { moduleClass, readOptions, type SourceClass, size } from "../interface/source.ts";
import { activationName, decoderConfig, type Torchscale } from "./config.ts";
import { decodingFor, realTokens, splitPosition } from "./decoder.ts";

const rate = optional(number, 0);
const epsilon = optional(number, 1e-5);
const flag = optional(boolean, false);

/** The initial weights, which those of the case replace. */
const init = { layers: 1 };

/** Every token may attend to every real token. */
function everywhere(real: Bool<"b s">, at: Decoding): Decoding {
  const [, l = 0] = real.shape;
  return { ...at, mayAttend: repeat("b s -> b l s", real, { l }) };
}

const attentionOptions = {
  args: decoderConfig,
  embed_dim: size,
  num_heads: size,
  dropout: rate,
  self_attention: only(true),
  encoder_decoder_attention: only(false),
  subln: flag,
  causal: flag,
  multiway_split_position: splitPosition,
};
const [QUERY, PADDING] = ["query", "key_padding_mask"] as const;

export const attentionClass: SourceClass<Torchscale> = {
  options: Object.keys(attentionOptions),
  call: [QUERY, PADDING],
  build(config, location) {
    const own = readOptions(attentionOptions, config, location);
    const { args, embedDim, numHeads, dropout, subln, causal, multiwaySplitPosition: position } = own;
    const { layernormEps = 1e-5, xposRelPos, xposScaleBase: scaleBase = 512, multiway } = args;
    const model = new MagnetoAttention({
      width: embedDim,
      heads: numHeads,
      subNorms: subln,
      epsilon: layernormEps,
      xpos: xposRelPos ? { scaleBase, precision: "float32" } : null,
      split: multiway ? { position } : null,
      attentionDropout: dropout,
      init,
    });
    const forward = (inputs: Inputs) => {
      const given = new Arguments(inputs);
      const x = given.tensor(QUERY, "b l d");
      const real = realTokens(given, PADDING, x.shape);
      const at = decodingFor(real, x.shape[1] ?? 0);
      return model.forward(x, causal ? at : everywhere(real, at), null).x;
    };
    return { model, forward };
  },
};

export const feedForwardClass = moduleClass({
  options: {
    embed_dim: size,
    ffn_dim: size,
    activation_fn: activationName,
    dropout: rate,
    activation_dropout: rate,
    layernorm_eps: epsilon,
    subln: flag,
  },
  call: ["x"],
  build: (own) => {
    const { embedDim, ffnDim, activationFn, dropout, activationDropout, layernormEps, subln } = own;
    checkValue("MagnetoFeedForward", "activation", activationFn, activationCheck);
    return new MagnetoFeedForward({
      width: embedDim,
      innerWidth: ffnDim,
      activation: activationFn,
      subNorms: subln,
      epsilon: layernormEps,
      dropout,
      activationDropout,
      init,
    });
  },
  forward: (model, args) => model.forward(args.tensor("x", "b l d")),
});
