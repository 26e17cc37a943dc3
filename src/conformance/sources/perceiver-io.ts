// JOBR0/PerceiverIO_Pytorch at 64947cf. A nested module of a configuration is an object with the member "class", or one such object for
// each modality. The task classes take `perceiver`, the configuration of a PerceiverIO, in place of the one that they build themselves.
import type { FieldLocation } from "../../io/fields.ts";
import { isObject, type JsonObject } from "../../io/json.ts";
import { PerceiverIOAttention } from "../../models/perceiver-io/layers/attention.ts";
import { CrossAttention, MLP, SelfAttention } from "../../models/perceiver-io/layers/layers.ts";
import type { PerceiverCall, PerceiverIO } from "../../models/perceiver-io/perceiver-io.ts";
import { ClassificationPerceiver } from "../../models/perceiver-io/tasks/classification.ts";
import { FlowPerceiver, flow } from "../../models/perceiver-io/tasks/flow.ts";
import { LanguagePerceiver } from "../../models/perceiver-io/tasks/language.ts";
import { autoencode, MultiModalPerceiver } from "../../models/perceiver-io/tasks/multi-modal.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int, Tensor } from "../../tensor/tensor.ts";
import { Arguments, type Input, type Inputs } from "./interface/arguments.ts";
import type { Outputs, Source, SourceClass } from "./interface/source.ts";
import {
  checkOptions,
  type ModuleClass,
  made,
  PERCEIVER,
  POSTPROCESSORS,
  PREPROCESSORS,
  perceiverIn,
  QUERIES,
} from "./perceiver-io/modules.ts";

type Forward<M> = (model: M, args: Arguments) => Tensor | Outputs;

/** A class whose options its constructor checks. */
const simple = <M extends object>(
  own: ModuleClass<M>,
  call: readonly string[],
  forward: Forward<M>,
): SourceClass => ({
  options: own.options,
  call,
  build(config, at, { positional }) {
    const model = made(own, config, at);
    return { model, forward: (inputs) => forward(model, new Arguments(inputs, positional)) };
  },
});

const mask = (args: Arguments, name = "attention_mask") => (args.has(name) ? args.bool(name, "b o s") : null);
const attendOptions = (args: Arguments) => ({
  mask: mask(args),
  bias: args.has("attention_bias") ? args.any("attention_bias") : null,
});

const widths = [
  "widening_factor",
  "dropout_prob",
  "dropout_attn_prob",
  "num_heads",
  "qk_channels",
  "v_channels",
];

const attentionClass: SourceClass = {
  options: [
    ...[
      "q_in_channels",
      "k_in_channels",
      "v_in_channels",
      "num_heads",
      "init_scale",
      "with_final_bias",
      "return_matrix",
    ],
    ...[
      "final_init_scale_multiplier",
      "dropout_prob",
      "qk_out_channels",
      "v_out_channels",
      "output_channels",
    ],
  ],
  call: ["inputs_q", "inputs_k", "inputs_v", "attention_mask", "attention_bias"],
  build({ return_matrix: withMatrix = false, ...config }, at, { positional }) {
    const make = (o: never) => new PerceiverIOAttention(o);
    const model = made({ options: attentionClass.options, make }, config, at);
    return {
      model,
      forward(inputs) {
        const args = new Arguments(inputs, positional);
        const given = [
          args.tensor("inputs_q", "b o c"),
          args.tensor("inputs_k", "b s d"),
          args.tensor("inputs_v", "b s e"),
        ] as const;
        const options = attendOptions(args);
        return withMatrix === true
          ? { ...model.withMatrix(...given, options) }
          : model.forward(...given, options);
      },
    };
  },
};

const layerClasses = {
  Attention: attentionClass,
  MLP: simple(
    {
      options: ["in_channels", "out_channels", "widening_factor", "dropout_prob", "init_scale"],
      make: (o) => new MLP(o),
    },
    ["x"],
    (model, args) => model.forward(args.tensor("x", "b n c")),
  ),
  SelfAttention: simple(
    {
      options: ["in_channels", "att_init_scale", "dense_init_scale", ...widths],
      make: (o) => new SelfAttention(o),
    },
    ["inputs", "attention_mask", "attention_bias"],
    (model, args) => model.forward(args.tensor("inputs", "b n c"), attendOptions(args)),
  ),
  CrossAttention: simple(
    {
      options: [
        ...["q_in_channels", "kv_in_channels", "attn_init_scale", "mlp_init_scale", "shape_for_attn"],
        ...["use_query_residual", ...widths],
      ],
      make: (o) => new CrossAttention(o),
    },
    ["inputs_q", "inputs_kv", "attention_mask", "attention_bias"],
    (model, args) =>
      model.forward(args.tensor("inputs_q", "b o c"), args.tensor("inputs_kv", "b s c"), attendOptions(args)),
  ),
};

/** A tensor or ids of a call. */
function numbersOf(name: string, value: Input | undefined): Tensor | Int {
  if (value instanceof Tensor || value instanceof Int) return value;
  throw new LoadError(`the case gives no tensor or ids "${name}"`);
}

const preprocessors = Object.fromEntries(
  Object.entries(PREPROCESSORS).map(([name, own]) => [
    name,
    simple<PreprocessorOf>(own, ["inputs", "pos"], (model, args) => {
      const { out, withoutPos } = model.forward(numbersOf("inputs", args.values.inputs));
      return { out, without_pos: withoutPos };
    }),
  ]),
);
type PreprocessorOf = ReturnType<(typeof PREPROCESSORS)[keyof typeof PREPROCESSORS]["make"]>;

const postprocessors = Object.fromEntries(
  Object.entries(POSTPROCESSORS).map(([name, own]) => [
    name,
    simple<{ forward(x: Tensor): Tensor }>(
      own as ModuleClass<{ forward(x: Tensor): Tensor }>,
      ["inputs"],
      (model, args) => model.forward(args.any("inputs")),
    ),
  ]),
);

const queries = Object.fromEntries(
  Object.entries(QUERIES).map(([name, own]) => [
    name,
    simple(own, ["inputs", "inputs_without_pos", "subsampled_points"], (model, args) => {
      const inputs = args.tensor("inputs", "b n c");
      return model.forward({
        batch: inputs.shape[0] ?? 0,
        inputs,
        withoutPos: args.optional("inputs_without_pos", "b n e"),
        points: args.has("subsampled_points") ? args.int("subsampled_points", "o") : null,
      });
    }),
  ]),
);

/** Optional arguments of a call of PerceiverIO. */
function callOf(args: Arguments): PerceiverCall {
  const points = args.values.subsampled_output_points;
  const byName =
    points instanceof Int ? points : Object.fromEntries(Object.entries((points ?? {}) as Inputs));
  return {
    subsampledOutputPoints: byName as PerceiverCall["subsampledOutputPoints"],
    pos: args.optional("pos", "b n d"),
    inputMask: args.has("input_mask") ? args.bool("input_mask", "b s") : null,
    queryMask: args.has("query_mask") ? args.bool("query_mask", "b o") : null,
  };
}

function perceiverInputs({ inputs }: Inputs): Tensor | Int | Readonly<Record<string, Tensor | Int>> {
  if (inputs instanceof Tensor || inputs instanceof Int) return inputs;
  if (typeof inputs !== "object" || !isRecordOfInputs(inputs))
    throw new LoadError('the case gives no tensor "inputs" and no "inputs.…"');
  return Object.fromEntries(
    Object.entries(inputs).map(([name, value]) => [name, numbersOf(`inputs.${name}`, value)]),
  );
}
const isRecordOfInputs = (value: object): value is Inputs =>
  Object.getPrototypeOf(value) === Object.prototype;

const perceiverClass: SourceClass = {
  options: PERCEIVER.options,
  call: ["inputs", "subsampled_output_points", "pos", "input_mask", "query_mask"],
  build(config, at, { positional }) {
    const model = PERCEIVER.build(config, at);
    return {
      model,
      forward: (inputs) => model.forward(perceiverInputs(inputs), callOf(new Arguments(inputs, positional))),
    };
  },
};

interface Task {
  readonly perceiver: PerceiverIO;
}

/** A task class: `make` builds it from its own options, `run` calls the PerceiverIO that it has or the case gives. */
const taskClass = <M extends Task>(
  own: ModuleClass<M>,
  call: readonly string[],
  run: (perceiver: PerceiverIO, args: Arguments, config: JsonObject) => Tensor | Outputs,
): SourceClass => ({
  options: [...own.options, "perceiver"],
  call,
  build(config: JsonObject, at: FieldLocation, { positional }) {
    const { perceiver: _, ...rest } = config;
    checkOptions(own.options, rest, at);
    const model: Task = isObject(config.perceiver)
      ? { perceiver: perceiverIn(config, at) as PerceiverIO }
      : made(own, rest, at);
    return { model, forward: (inputs) => run(model.perceiver, new Arguments(inputs, positional), config) };
  },
});

const numberOr = (args: Arguments, name: string, otherwise: number): number =>
  args.has(name) ? args.number(name) : otherwise;
const optionOr = <T>(config: JsonObject, name: string, otherwise: T): T => (config[name] ?? otherwise) as T;

const depth = ["num_self_attends_per_block", "num_blocks", "num_latents", "num_latent_channels"];
const taskClasses = {
  LanguagePerceiver: taskClass(
    { options: ["vocab_size", "max_seq_len", "embed_dim", ...depth], make: (o) => new LanguagePerceiver(o) },
    ["inputs", "input_masks"],
    (perceiver, args) => {
      const both = args.has("input_masks") ? args.bool("input_masks", "b n") : null;
      return perceiver.forward(args.int("inputs", "b n"), {
        inputMask: both,
        queryMask: both,
      } as PerceiverCall);
    },
  ),
  ClassificationPerceiver: taskClass(
    {
      options: ["num_classes", "img_size", "img_channels", "prep_type", ...depth],
      make: (o) => new ClassificationPerceiver(o),
    },
    ["img"],
    (perceiver, args) => perceiver.forward(args.tensor("img", "b c h w")),
  ),
  MultiModalPerceiver: taskClass(
    {
      options: [
        ...["img_size", "img_channels", "num_frames", "num_classes", "audio_samples_per_frame"],
        ...["audio_samples_per_patch", ...depth],
      ],
      make: (o) => new MultiModalPerceiver(o),
    },
    ["images", "audio", "n_chunks"],
    (perceiver, args, config) => ({
      ...autoencode(perceiver, args.tensor("images", "b t c h w"), args.tensor("audio", "b n 1"), {
        numClasses: optionOr(config, "num_classes", 700),
        samplesPerPatch: optionOr(config, "audio_samples_per_patch", 16),
        nChunks: numberOr(args, "n_chunks", 128),
      }),
    }),
  ),
  FlowPerceiver: taskClass(
    {
      options: ["img_size", "flow_scale_factor", "mixed_precision", ...depth],
      make: (o) => new FlowPerceiver(o),
    },
    ["image1", "image2", "test_mode", "min_overlap"],
    (perceiver, args, config) =>
      flow(
        perceiver,
        optionOr<readonly [number, number]>(config, "img_size", [368, 496]),
        [args.tensor("image1", "b c h w"), args.tensor("image2", "b c h w")],
        { testMode: numberOr(args, "test_mode", 0) !== 0, minOverlap: numberOr(args, "min_overlap", 20) },
      ),
  ),
};

export const perceiverIO: Source = {
  package: "perceiver-io",
  profiles: { "perceiver-io@64947cf": {} },
  classes: {
    ...layerClasses,
    ...preprocessors,
    ...postprocessors,
    ...queries,
    PerceiverIO: perceiverClass,
    ...taskClasses,
  },
};
