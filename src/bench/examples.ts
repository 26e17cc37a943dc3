// The four examples of flamingo-pytorch's README (https://github.com/lucidrains/flamingo-pytorch, 0.1.2) at full size, with random weights.
import { GatedCrossAttentionBlock } from "../blocks/gated-cross-attention-block.ts";
import { PerceiverResampler } from "../blocks/perceiver-resampler.ts";
import { FlamingoPaLM } from "../models/flamingo/flamingo-palm.ts";
import { Extractor, ViT } from "../models/vision/vit.ts";
import { initialize } from "../nn/state-dict.ts";
import { type Generator, generator } from "../tensor/random.ts";
import { Bool, Int, type Shape, sizeOf, Tensor, view } from "../tensor/tensor.ts";

/** A model and one call of it. */
export interface Example {
  readonly model: object;
  readonly forward: () => Tensor;
}

function normal(shape: Shape, { normal }: Generator): Tensor {
  return new Tensor(shape, view(Float32Array.from({ length: sizeOf(shape) }, normal), shape));
}

function ids(shape: Shape, tokens: number, { uniform }: Generator): Int {
  return new Int(
    shape,
    Int32Array.from({ length: sizeOf(shape) }, () => 4 + Math.floor((tokens - 4) * uniform())),
  );
}

const IMAGE = 3;

/** The same text with an image token at every eighth position, until each row has `images` of them. */
function withImages(text: Int, images: number): Int {
  const [rows = 0, length = 0] = text.shape;
  const data = text.flat().slice();
  for (let row = 0; row < rows; row++) for (let i = 0; i < images; i++) data[row * length + 8 * i] = IMAGE;
  return new Int(text.shape, data);
}

/** The options of the README's ViT, without its dropout. */
export const README_VIT = {
  imageSize: 256,
  patchSize: 32,
  numClasses: 1000,
  dim: 1024,
  depth: 6,
  heads: 16,
  mlpDim: 2048,
};

/** The options of the README's FlamingoPaLM, without its image encoder. */
export const README_FLAMINGO = {
  numTokens: 20000,
  dim: 1024,
  depth: 12,
  heads: 8,
  dimHead: 64,
  mediaTokenId: IMAGE,
  crossAttnEvery: 3,
  perceiverNumLatents: 64,
  perceiverDepth: 2,
};

/** The model of the README, with weights that are drawn when they are first read. */
export const readmeFlamingo = (): FlamingoPaLM =>
  new FlamingoPaLM({
    ...README_FLAMINGO,
    imgEncoder: new Extractor(new ViT({ ...README_VIT, dropout: 0.1, embDropout: 0.1 })),
  });

const TINY = { imageSize: 32, patchSize: 16, dim: 32, mlpDim: 64 };

/** A small model that has every part: an image, its latents, a gated block and two layers of the language model. */
export function tinyFlamingo(): Example {
  const model = new FlamingoPaLM({
    numTokens: 128,
    dim: 32,
    depth: 2,
    heads: 2,
    dimHead: 16,
    imgEncoder: new Extractor(new ViT({ ...TINY, numClasses: 10, depth: 1, heads: 2 })),
    mediaTokenId: IMAGE,
    crossAttnEvery: 2,
    perceiverNumLatents: 4,
    perceiverDepth: 1,
  });
  initialize(model, 1);
  const text = withImages(ids([1, 16], 128, generator(2)), 1);
  const images = normal([1, 1, 3, TINY.imageSize, TINY.imageSize], generator(3));
  return { model, forward: () => model.forward(text, { images }) };
}

/** Each builds its model and inputs; the arguments of the first two vary the sizes for `scaling`. */
export const examples = {
  "perceiver-resampler": (images = 2, dim = 1024): Example => {
    const options = { dim, depth: 2, dimHead: 64, heads: 8, numLatents: 64 };
    const model = initialize(new PerceiverResampler({ ...options, numMediaEmbeds: Math.max(4, images) }), 1);
    const media = normal([1, images, 256, dim], generator(2));
    return { model, forward: () => model.forward(media) };
  },
  "gated-cross-attention-block": (length = 512, images = 2, dim = 1024): Example => {
    const model = initialize(new GatedCrossAttentionBlock({ dim, dimHead: 64, heads: 8 }), 1);
    const text = normal([1, length, dim], generator(2));
    const media = normal([1, images, 64, dim], generator(3));
    const mediaLocations = new Bool(
      [1, length],
      Uint8Array.from({ length }, (_, i) => (i % 8 === 0 && i < 8 * images ? 1 : 0)),
    );
    return { model, forward: () => model.forward(text, media, { mediaLocations }) };
  },
  "flamingo-palm-text": (): Example => {
    const model = initialize(readmeFlamingo(), 1);
    const text = ids([2, 512], 20000, generator(2));
    return { model, forward: () => model.forward(text) };
  },
  "flamingo-palm-dialogue": (): Example => {
    const model = initialize(readmeFlamingo(), 1);
    const text = withImages(ids([4, 512], 20000, generator(2)), 2);
    const images = normal([4, 2, 3, 256, 256], generator(3));
    return { model, forward: () => model.forward(text, { images }) };
  },
} as const;

export type ExampleName = keyof typeof examples;
export const EXAMPLES = Object.keys(examples) as ExampleName[];
/** Smaller versions for --quick. */
export const quickExamples: { readonly [K in ExampleName]?: () => Example } = {
  "perceiver-resampler": () => examples["perceiver-resampler"](1, 64),
};
