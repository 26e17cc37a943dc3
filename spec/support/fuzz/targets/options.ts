// Options: constructors of models and layers with numbers that make no model, and arguments of the command line.
import fc from "fast-check";
import { GatedCrossAttentionBlock } from "../../../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock } from "../../../../src/blocks/parallel-transformer-block.ts";
import { PerceiverResampler } from "../../../../src/blocks/perceiver-resampler.ts";
import { mask } from "../../../../src/cli/commands/mask.ts";
import { FlamingoPaLM } from "../../../../src/models/flamingo/flamingo-palm.ts";
import { ViT } from "../../../../src/models/vision/vit.ts";
import { Conv2d } from "../../../../src/nn/conv/conv2d.ts";
import { FeedForward } from "../../../../src/nn/feed-forward.ts";
import { BatchNorm2d } from "../../../../src/nn/norms/batch-norm.ts";
import { LayerNorm, RMSNorm } from "../../../../src/nn/norms/layer-norm.ts";
import { target } from "../target.ts";

const value: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 8 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<unknown>(
      ...[
        0,
        -1,
        0.5,
        1e9,
        2 ** 53,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        "3",
        "",
        null,
        undefined,
        true,
        {},
        [],
        [4, 8],
      ],
    ),
  },
);

/** Options and arguments that a constructor takes by position. */
type Positional = { readonly dim: number; readonly out: number };

const classes: Readonly<Record<string, { make: (options: never) => object; names: readonly string[] }>> = {
  FlamingoPaLM: {
    make: (options) => new FlamingoPaLM(options),
    names:
      "dim depth numTokens heads dimHead ffMult mediaTokenId crossAttnEvery perceiverNumLatents perceiverDepth maxVideoFrames onlyAttendImmediateMedia profile behaviour imgEncoder".split(
        " ",
      ),
  },
  ViT: {
    make: (options) => new ViT(options),
    names:
      "imageSize patchSize numClasses dim depth heads mlpDim pool channels dimHead dropout embDropout".split(
        " ",
      ),
  },
  PerceiverResampler: {
    make: (options) => new PerceiverResampler(options),
    names: "dim depth heads dimHead numLatents numMediaEmbeds numTimeEmbeds ffMult".split(" "),
  },
  MaskedCrossAttention: {
    make: (options) => new MaskedCrossAttention(options),
    names: "dim dimMedia heads dimHead onlyAttendImmediateMedia convention".split(" "),
  },
  GatedCrossAttentionBlock: {
    make: (options) => new GatedCrossAttentionBlock(options),
    names: "dim dimMedia heads dimHead ffMult onlyAttendImmediateMedia convention".split(" "),
  },
  ParallelTransformerBlock: {
    make: (options) => new ParallelTransformerBlock(options),
    names: "dim heads dimHead ffMult".split(" "),
  },
  FeedForward: { make: (options) => new FeedForward(options), names: ["dim", "mult"] },
  LayerNorm: {
    make: ({ dim, ...rest }: Positional) => new LayerNorm(dim, rest as never),
    names: ["dim", "epsilon", "bias"],
  },
  RMSNorm: {
    make: ({ dim, ...rest }: Positional) => new RMSNorm(dim, rest as never),
    names: ["dim", "epsilon"],
  },
  BatchNorm2d: {
    make: ({ dim, ...rest }: Positional) => new BatchNorm2d(dim, rest as never),
    names: ["dim", "epsilon"],
  },
  Conv2d: {
    make: ({ dim, out, ...rest }: Positional) => new Conv2d(dim, out, rest as never),
    names: "dim out kernelSize stride padding bias".split(" "),
  },
};

interface Construction {
  readonly type: string;
  readonly options: Readonly<Record<string, unknown>>;
}

export const constructors = target<Construction>({
  inputs: fc.constantFrom(...Object.entries(classes)).chain(([type, { names }]) =>
    fc
      .tuple(
        fc.record(Object.fromEntries(names.map((name) => [name, value])), { requiredKeys: ["dim"] }),
        fc.option(fc.constantFrom("constructor", "toString", "Dim", "heads "), { nil: null }),
      )
      .map(([options, extra]) => ({
        type,
        options: extra === null ? options : { ...options, [extra]: 1 },
      })),
  ),
  size: () => 1 << 22, // a model of a few numbers is larger than its options
  read: ({ type, options }) => void classes[type]?.make(options as never),
});

const word = fc.oneof(
  fc.constantFrom(
    ..."--images --convention --against --cached --known --pad --ids --image-token --end-token --pad-token --trace --latents --ascii --json -- - / . golden/cases golden/cases/flamingo-pytorch/swiglu--basic package.json nowhere.safetensors".split(
      " ",
    ),
  ),
  fc.constantFrom(
    "immediate",
    "idefics",
    "last 2",
    "last two",
    "otter",
    "left",
    "right",
    "middle",
    "1,2",
    "0",
    "-1",
    "1e9",
    "3",
  ),
  fc.constantFrom("<image> a", "a <image> b <image>", "", " ", "\u001b[31m", "constructor", "__proto__"),
  fc.string({ maxLength: 8 }),
);

export const commandLines = target<string[]>({
  inputs: fc.array(word, { maxLength: 7 }).filter((words) => !words.includes("-")), // "-" reads standard input
  asynchronous: true,
  size: (words) => words.join("").length,
  read: async (words) => void (await mask(words)),
});
