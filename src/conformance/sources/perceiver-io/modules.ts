// The modules of perceiver-io that a configuration describes. Constructors check their options themselves.
import { type FieldLocation, object, type Read } from "../../../io/fields.ts";
import { isObject, type Json, type JsonObject } from "../../../io/json.ts";
import { camel } from "../../../io/snake-case.ts";
import { quoted } from "../../../io/wording.ts";
import { PerceiverIO } from "../../../models/perceiver-io/perceiver-io.ts";
import {
  AudioPostprocessor,
  ClassificationPostprocessor,
  EmbeddingPostprocessor,
  FlowPostprocessor,
  IdentityPostprocessor,
  ImagePostprocessor,
  type Postprocessor,
  ProjectionPostprocessor,
} from "../../../models/perceiver-io/postprocessors.ts";
import { AudioPreprocessor } from "../../../models/perceiver-io/preprocessors/audio.ts";
import { EmbeddingPreprocessor } from "../../../models/perceiver-io/preprocessors/embedding.ts";
import { ImagePreprocessor } from "../../../models/perceiver-io/preprocessors/image.ts";
import { OneHotPreprocessor } from "../../../models/perceiver-io/preprocessors/one-hot.ts";
import type { Preprocessor } from "../../../models/perceiver-io/preprocessors/preprocessor.ts";
import {
  BasicQuery,
  FlowQuery,
  FourierQuery,
  type OutputQuery,
  TrainableQuery,
} from "../../../models/perceiver-io/queries.ts";
import { Embedding } from "../../../nn/embedding.ts";
import { className, requireKnown } from "../interface/source.ts";

/** A configuration with the names of the constructor here; Python's None is a default. */
function camelCased(config: JsonObject): Record<string, unknown> {
  const entries = Object.entries(config).filter(([, value]) => value !== null);
  return Object.fromEntries(
    entries.map(([name, value]) => [
      camel(name),
      name.endsWith("_kwargs") && isObject(value) ? camelCased(value) : value,
    ]),
  );
}

/** A class: the source's names of its options, and its constructor. */
export interface ModuleClass<M extends object> {
  readonly options: readonly string[];
  /** Takes the options under the names of the constructor here. */
  readonly make: (options: never) => M;
}

/** Throws a LoadError for an unknown option. */
export function checkOptions(known: readonly string[], config: JsonObject, at: FieldLocation): void {
  for (const name of Object.keys(config))
    requireKnown(known, name, `${at.file}: ${quoted(at.field)} has no option`);
}

/** Reads a module's own options. Throws a LoadError for an unknown one, and whatever the constructor throws. */
export function made<M extends object>(
  { options, make }: ModuleClass<M>,
  config: JsonObject,
  at: FieldLocation,
): M {
  checkOptions(options, config, at);
  return make(camelCased(config) as never);
}

const positions = [
  "position_encoding_type",
  "trainable_position_encoding_kwargs",
  "fourier_position_encoding_kwargs",
  "project_pos_dim",
];

export const PREPROCESSORS = {
  EmbeddingPreprocessor: {
    options: ["vocab_size", "max_seq_len", "embedding_dims"],
    make: (o) => new EmbeddingPreprocessor(o),
  },
  ImagePreprocessor: {
    options: [
      ...[
        "img_size",
        "num_frames",
        "input_channels",
        "prep_type",
        "spatial_downsample",
        "temporal_downsample",
      ],
      ...[
        "n_extra_pos_mlp",
        "num_channels",
        "conv_after_patching",
        "conv2d_use_batchnorm",
        "concat_or_add_pos",
      ],
      ...positions,
    ],
    make: (o) => new ImagePreprocessor(o),
  },
  OneHotPreprocessor: { options: ["input_channels"], make: (o) => new OneHotPreprocessor(o) },
  AudioPreprocessor: {
    options: [
      "samples_per_batch",
      "prep_type",
      "samples_per_patch",
      "n_extra_pos_mlp",
      "concat_or_add_pos",
      ...positions,
    ],
    make: (o) => new AudioPreprocessor(o),
  },
} as const satisfies Readonly<Record<string, ModuleClass<Preprocessor>>>;

/** An embedding, for the postprocessor that is tied to one. */
const EMBEDDING: ModuleClass<Embedding<"c">> = {
  options: ["class", "num_embeddings", "embedding_dim"],
  make: ({ numEmbeddings, embeddingDim }: { numEmbeddings: number; embeddingDim: number }) =>
    new Embedding("c", numEmbeddings, embeddingDim),
};

export const POSTPROCESSORS = {
  EmbeddingPostprocessor: {
    options: ["embedding"],
    make: ({ embedding }: { embedding: JsonObject }) =>
      new EmbeddingPostprocessor(made(EMBEDDING, embedding, { file: "the case", field: "embedding" })),
  },
  ImagePostprocessor: {
    options: [
      ...[
        "img_size",
        "input_channels",
        "postproc_type",
        "spatial_upsample",
        "temporal_upsample",
        "n_outputs",
      ],
      "input_reshape_size",
    ],
    make: (o) => new ImagePostprocessor(o),
  },
  AudioPostprocessor: {
    options: ["postproc_type", "in_channels", "samples_per_patch"],
    make: (o) => new AudioPostprocessor(o),
  },
  IdentityPostprocessor: { options: [], make: () => new IdentityPostprocessor() },
  ClassificationPostprocessor: {
    options: ["num_input_channels", "num_classes", "project"],
    make: (o) => new ClassificationPostprocessor(o),
  },
  ProjectionPostprocessor: {
    options: ["num_inputs", "num_outputs"],
    make: (o) => new ProjectionPostprocessor(o),
  },
  FlowPostprocessor: { options: ["img_size", "flow_scale_factor"], make: (o) => new FlowPostprocessor(o) },
} as const satisfies Readonly<Record<string, ModuleClass<Postprocessor>>>;

const input = ["output_index_dims", "concat_preprocessed_input", "preprocessed_input_channels"];
export const QUERIES = {
  BasicQuery: { options: [...input, ...positions], make: (o) => new BasicQuery(o) },
  TrainableQuery: { options: [...input, "num_channels", "init_scale"], make: (o) => new TrainableQuery(o) },
  FourierQuery: {
    options: [...input, "num_bands", "concat_pos", "max_resolution", "sine_only"],
    make: (o) => new FourierQuery(o),
  },
  FlowQuery: {
    options: ["preprocessed_input_channels", "output_img_size", "output_num_channels"],
    make: (o) => new FlowQuery(o),
  },
} as const satisfies Readonly<Record<string, ModuleClass<OutputQuery>>>;

type Table<M extends object> = Readonly<Record<string, ModuleClass<M>>>;

/** A module of a table, `{ "class": …, … }`. */
function nested<M extends object>(table: Table<M>, config: JsonObject, at: FieldLocation): M {
  const { class: _, ...options } = config;
  const name = className(config, Object.keys(table), at);
  return made(table[name] as ModuleClass<M>, options, at);
}

/** One module, or one for each modality; undefined if there is none. */
const nestedModules =
  <M extends object>(table: Table<M>): Read<M | Record<string, M> | undefined> =>
  (value, at) => {
    if (value === undefined || value === null) return undefined;
    const config = object(value, at);
    if (typeof config.class === "string") return nested(table, config, at);
    const inside = (name: string): FieldLocation => ({ ...at, field: `${at.field}.${name}` });
    return Object.fromEntries(
      Object.entries(config).map(([name, one]) => [
        name,
        nested(table, object(one, inside(name)), inside(name)),
      ]),
    );
  };

const PERCEIVER_OPTIONS = [
  ...["num_blocks", "num_self_attends_per_block", "num_latents", "num_latent_channels", "final_project"],
  ...[
    "final_project_out_channels",
    "perceiver_encoder_kwargs",
    "perceiver_decoder_kwargs",
    "input_preprocessors",
  ],
  ...["output_postprocessors", "output_queries", "output_query_padding_channels", "input_padding_channels"],
  ...["input_channels", "input_mask_probs"],
];

/** A PerceiverIO, whose modules are nested. */
export const PERCEIVER: {
  readonly options: readonly string[];
  build(config: JsonObject, at: FieldLocation): PerceiverIO;
} = {
  options: PERCEIVER_OPTIONS,
  build(config, at) {
    const { input_preprocessors, output_postprocessors, output_queries, ...options } = config;
    const field = (name: string): FieldLocation => ({ ...at, field: `${at.field}.${name}` });
    return made(
      {
        options: PERCEIVER_OPTIONS,
        make: (read: Record<string, unknown>) =>
          new PerceiverIO({
            ...read,
            inputPreprocessors: nestedModules<Preprocessor>(PREPROCESSORS)(
              input_preprocessors,
              field("input_preprocessors"),
            ),
            outputPostprocessors: nestedModules<Postprocessor>(POSTPROCESSORS)(
              output_postprocessors,
              field("output_postprocessors"),
            ),
            outputQueries: nestedModules<OutputQuery>(QUERIES)(
              output_queries,
              field("output_queries"),
            ) as OutputQuery,
          }),
      },
      options,
      at,
    );
  },
};

/** The PerceiverIO that a task class takes in place of its own, or undefined. */
export function perceiverIn(config: JsonObject, at: FieldLocation): PerceiverIO | undefined {
  const { perceiver } = config;
  if (perceiver === undefined) return undefined;
  const { class: _, ...own } = object(perceiver as Json, { ...at, field: `${at.field}.perceiver` });
  return PERCEIVER.build(own, { ...at, field: `${at.field}.perceiver` });
}
