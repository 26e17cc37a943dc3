// The names that other implementations give to the parameters of Perceiver IO, as data. Those of JOBR0/PerceiverIO_Pytorch are the names here.

/** Names of parameters in a kind of checkpoint. `rename`, `ignore` and `optional` are rules of `loadStateDict`. */
export interface PerceiverNames {
  readonly rename: Readonly<Record<string, string>>;
  readonly ignore: readonly string[];
  readonly optional: readonly string[];
  /** Prefixes without which a name is one of those that `rename` knows. */
  readonly prefixes: readonly string[];
  /** The query of the classes, of which only the first row is used. */
  readonly classQuery: string;
  /** New orders of axes, by the last field of a name and the rank. */
  readonly layouts: Readonly<Record<string, Readonly<Record<number, Layout>>>>;
}

/** An order of axes as the checkpoint has it, and the order here. */
export type Layout = keyof typeof LAYOUTS;
export const LAYOUTS = {
  "i o -> o i": [1, 0],
  "h w i o -> o i h w": [3, 2, 0, 1],
  "1 1 1 c -> c": [3],
} as const;

type Table = Readonly<Record<string, string>>;

const QUERIES = "perceiver._output_queries";
const QUERY = `${QUERIES}.__default._position_encoding.pos_embs`;
const INPUT = "perceiver._multi_preprocessor._preprocessors.__default";
const OUTPUTS = "perceiver._output_postprocessors";
const ENCODER = "perceiver._encoder";
const DECODER = "perceiver._decoder";

/** The parts of a module below both of its names; `*` stands for the rest of a name. */
const below = (from: string, to: string, parts: Table): Table =>
  Object.fromEntries(Object.entries(parts).map(([a, b]) => [`${from}${a}`, `${to}.${b}`]));

/** Vectors that are trained for each modality. */
const modalities = (from: (name: string) => string, to: string): Table =>
  Object.fromEntries(["audio", "image", "label"].map((name) => [from(name), `${to}.${name}.pos_embs`]));

// transformers, models/perceiver/modeling_perceiver.py
const HF_LAYER = {
  ".attention.self.query.*": "attention.proj_q.*",
  ".attention.self.key.*": "attention.proj_k.*",
  ".attention.self.value.*": "attention.proj_v.*",
  ".attention.output.dense.*": "attention.final.*",
  ".mlp.dense1.*": "mlp.fc1.*",
  ".mlp.dense2.*": "mlp.fc2.*",
  ".layernorm.*": "layer_norm2.*",
};
const HF_CROSS = {
  ...HF_LAYER,
  ".attention.self.layernorm1.*": "layer_norm_q.*",
  ".attention.self.layernorm2.*": "layer_norm_kv.*",
};
const HF_SELF = { ...HF_LAYER, ".attention.self.layernorm1.*": "layer_norm1.*" };
const HF_INPUT = {
  ".embeddings.weight": "embed.weight",
  ".position_embeddings.weight": "input_pos_encoding.pos_embs",
  ".convnet.conv.weight": "convnet.convs.0.weight",
  ".convnet.batchnorm.*": "convnet.norms.0.*",
  ".convnet_1x1.*": "convnet_1x1.*",
  ".positions_projection.*": "_positional_encoding._projector.*",
  ".position_embeddings.position_embeddings": "_positional_encoding._base_position_encoding.pos_embs",
  ".conv_after_patches.*": "_conv_after_patch_layer.*",
};
const HF_QUERY = "output_position_encodings.position_embeddings";

// DeepMind's deepmind-research, perceiver/, in haiku: the path of a module, a dot, and the name of its parameter
const HK_LAYER = {
  "/attention/linear.*": "attention.proj_q.*",
  "/attention/linear_1.*": "attention.proj_k.*",
  "/attention/linear_2.*": "attention.proj_v.*",
  "/attention/linear_3.*": "attention.final.*",
  "/mlp/linear.*": "mlp.fc1.*",
  "/mlp/linear_1.*": "mlp.fc2.*",
};
const HK_CROSS = {
  ...HK_LAYER,
  "/layer_norm.*": "layer_norm_q.*",
  "/layer_norm_1.*": "layer_norm_kv.*",
  "/layer_norm_2.*": "layer_norm2.*",
};
const HK_SELF = { ...HK_LAYER, "/layer_norm.*": "layer_norm1.*", "/layer_norm_1.*": "layer_norm2.*" };
const HK_IMAGE = "image_preprocessor/~";
const HK_STEM = `${HK_IMAGE}/conv2_d_downsample/~`;
const STEM = `${INPUT}.convnet`;

/** The fields of haiku's modules, and those of torch's. */
const FIELDS = { w: "weight", b: "bias", scale: "weight", offset: "bias" };

/** Names that end with a field of torch's in place of one of haiku's. */
const withFields = (table: Table): Table =>
  Object.fromEntries(
    Object.entries(table).flatMap(([from, to]) =>
      from.endsWith(".*")
        ? Object.entries(FIELDS).map(([a, b]) => [from.slice(0, -1) + a, to.slice(0, -1) + b])
        : [[from, to]],
    ),
  );

/** The same parts below each of several names. */
const belowEach = (names: readonly string[], to: string, parts: Table): Table =>
  Object.assign({}, ...names.map((name) => below(name, to, parts)));

const HK_ENCODER = {
  ...below("/~/cross_attention", "cross_attend", HK_CROSS),
  ...below("/~/self_attention_*", "self_attends.*", HK_SELF),
  ...below("/~/self_attention", "self_attends.0", HK_SELF),
  "/~/trainable_position_encoding.pos_embs": "latent_pos_enc.pos_embs",
};
const HK_DECODER = {
  ...below("/cross_attention", "decoding_cross_attn", HK_CROSS),
  "/output.*": "final_layer.*",
};
const HK_DECODERS = [
  "basic_decoder",
  "classification_decoder/~/basic_decoder",
  "flow_decoder/~/basic_decoder",
  "multimodal_decoder/~/basic_decoder",
];
const HK_CLASS_QUERY = "classification_decoder/~/basic_decoder/~/trainable_position_encoding.pos_embs";
const HK_POSITIONS = "image_preprocessor/~_build_network_inputs";
const POSITIONS = `${INPUT}._positional_encoding`;

const HAIKU: Table = {
  ...belowEach(["perceiver_encoder", "encoder"], ENCODER, HK_ENCODER), // the latter in the autoencoder of videos
  ...belowEach(HK_DECODERS, DECODER, HK_DECODER),
  "embed.embeddings": `${INPUT}.embed.weight`,
  "trainable_position_encoding.pos_embs": `${INPUT}.input_pos_encoding.pos_embs`,
  "basic_decoder/~/trainable_position_encoding.pos_embs": QUERY,
  "embedding_decoder.bias": `${OUTPUTS}.__default.bias`,
  [`${HK_IMAGE}/conv2_d.*`]: `${INPUT}.convnet_1x1.*`,
  [`${HK_POSITIONS}/trainable_position_encoding.pos_embs`]: `${POSITIONS}._base_position_encoding.pos_embs`,
  [`${HK_POSITIONS}/position_encoding_projector/linear.*`]: `${POSITIONS}._projector.*`,
  "image_preprocessor/patches_linear.*": `${INPUT}._conv_after_patch_layer.*`,
  [`${HK_STEM}/conv.*`]: `${STEM}.convs.0.*`,
  [`${HK_STEM}/batchnorm.*`]: `${STEM}.norms.0.*`,
  [`${HK_STEM}/batchnorm/~/mean_ema.average`]: `${STEM}.norms.0.running_mean`,
  [`${HK_STEM}/batchnorm/~/mean_ema.counter`]: `${STEM}.norms.0.num_batches_tracked`,
  [`${HK_STEM}/batchnorm/~/var_ema.average`]: `${STEM}.norms.0.running_var`,
};
const HK_VIDEO: Table = {
  ...modalities(
    (m) => `multimodal_preprocessor/${m}_padding.pos_embs`,
    "perceiver._multi_preprocessor.padding_embeddings",
  ),
  ...modalities(
    (m) => `multimodal_preprocessor/${m}_mask_token.pos_embs`,
    "perceiver._multi_preprocessor.mask_tokens",
  ),
  ...modalities(
    (m) => `multimodal_decoder/~decoder_query/${m}_padding.pos_embs`,
    "perceiver.padding_embeddings",
  ),
  "audio_postprocessor/linear.*": `${OUTPUTS}.audio.linear.*`,
  "projection_postprocessor/linear.*": `${OUTPUTS}.image.projection.*`,
  "classification_postprocessor/linear.*": `${OUTPUTS}.label.linear.*`,
};

/** A query of the only modality has no channels of padding, but an empty parameter for them. */
const optional = ["perceiver.padding_embeddings.__default.pos_embs"];

/**
 * The names of parameters by the kind of checkpoint: "perceiver-io", JOBR0/PerceiverIO_Pytorch; "transformers", its
 * PerceiverForMaskedLM and relatives; "deepmind", DeepMind's Haiku modules.
 */
export const PERCEIVER_NAMES = {
  "perceiver-io": {
    rename: {},
    ignore: [],
    optional: [],
    prefixes: ["model_state_dict."], // [perceiverio.names-source]
    classQuery: QUERY,
    layouts: {},
  },
  transformers: {
    rename: {
      "perceiver.embeddings.latents": `${ENCODER}.latent_pos_enc.pos_embs`,
      ...below("perceiver.encoder.cross_attention", `${ENCODER}.cross_attend`, HF_CROSS),
      ...below("perceiver.encoder.self_attends.*", `${ENCODER}.self_attends.*`, HF_SELF),
      ...belowEach(["perceiver.decoder", "perceiver.decoder.decoder"], DECODER, {
        ...below(".decoding_cross_attention", "decoding_cross_attn", HF_CROSS),
        ".final_layer.*": "final_layer.*",
      }),
      ...below("perceiver.input_preprocessor", INPUT, HF_INPUT),
      [`perceiver.decoder.${HF_QUERY}`]: QUERY,
      [`perceiver.decoder.decoder.${HF_QUERY}`]: QUERY,
      [`perceiver.decoder.modalities.label.decoder.${HF_QUERY}`]: `${QUERIES}.label._position_encoding.pos_embs`,
      "embedding_decoder.bias": `${OUTPUTS}.__default.bias`,
      ...modalities(
        (m) => `perceiver.input_preprocessor.padding.${m}`,
        "perceiver._multi_preprocessor.padding_embeddings",
      ),
      ...modalities(
        (m) => `perceiver.input_preprocessor.mask.${m}`,
        "perceiver._multi_preprocessor.mask_tokens",
      ),
      ...modalities((m) => `perceiver.decoder.padding.${m}`, "perceiver.padding_embeddings"),
      ...below("perceiver.output_postprocessor.modalities", OUTPUTS, {
        ".audio.classifier.*": "audio.linear.*",
        ".image.classifier.*": "image.projection.*",
        ".label.classifier.*": "label.linear.*",
      }),
    },
    ignore: [],
    optional,
    prefixes: [],
    classQuery: `perceiver.decoder.decoder.${HF_QUERY}`,
    layouts: {},
  },
  deepmind: {
    rename: withFields({ ...HAIKU, ...HK_VIDEO, [HK_CLASS_QUERY]: QUERY }),
    ignore: ["*.hidden", "*/var_ema.counter"], // of moving averages, which evaluation does not use
    optional,
    prefixes: ["params.", "state."],
    classQuery: HK_CLASS_QUERY,
    layouts: {
      w: { 2: "i o -> o i", 4: "h w i o -> o i h w" },
      scale: { 4: "1 1 1 c -> c" },
      offset: { 4: "1 1 1 c -> c" },
      average: { 4: "1 1 1 c -> c" },
    },
  },
} as const satisfies Readonly<Record<string, PerceiverNames>>;

/** A kind of checkpoint. */
export type PerceiverCheckpoint = keyof typeof PERCEIVER_NAMES;
