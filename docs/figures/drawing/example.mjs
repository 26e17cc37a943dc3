// The model of the figures: small, with sizes that all differ, so that the letters of a shape can be checked against it.
import { PerceiverResampler } from "../../../dist/blocks/perceiver-resampler.js";
import { visibilityOf } from "../../../dist/masks/media-mask.js";
import { FlamingoPaLM } from "../../../dist/models/flamingo/flamingo-palm.js";
import { Extractor, ViT } from "../../../dist/models/vision/vit.js";
import { initialize, parameterNames } from "../../../dist/nn/state-dict.js";
import { unify } from "../../../dist/tensor/pattern.js";
import { record } from "../../../dist/tensor/program/record.js";
import { int, tensor } from "../../../dist/tensor/tensor.js";
import { trainable } from "../../../dist/training/trainable.js";

const SIZES = { m: 4, r: 3, h: 2, k: 6, d: 24, f: 96, n: 30, height: 10 };
const { m, r, h, k, d, n, height } = SIZES;

const vit = new ViT({
  imageSize: height,
  patchSize: height / 2,
  numClasses: n,
  dim: d,
  depth: 1,
  heads: h,
  dimHead: k,
  mlpDim: d,
});
export const model = initialize(
  new FlamingoPaLM({
    numTokens: n,
    dim: d,
    depth: 4,
    heads: h,
    dimHead: k,
    perceiverNumLatents: r,
    imgEncoder: new Extractor(vit),
  }),
  0,
);
const ids = [5, 3, 6, 7, 3, 3, 8];
const text = int("b l", [ids]);
const images = tensor("b m c h w", [1, m, 3, height, height], new Float64Array(m * 3 * height * height));
const { nodes, taps, leaves, outputs } = record(() => ({ logits: model.forward(text, { images }) }), {
  model,
});
const { mediaTokenId, convention } = model.options;
const locations = { shape: text.shape, data: ids.map((id) => Number(id === mediaTokenId)) };
const mask = visibilityOf(locations, m, convention).mayAttend;
const others = { images, text, mask };

/**
 * Shapes of the tensors of a forward pass, by the letters of their axes. `axes` gives "[b l d]" for a named activation, a parameter, an
 * input, the mask or the logits, and throws a ShapeError where the tensor has another shape; `sizeOf` gives the size of an axis of them.
 */
export function shapesIn(figure) {
  const sizes = {};
  const axes = (at, pattern) => {
    const { shape } = others[at] ?? nodes[taps[at] ?? leaves[at] ?? outputs[at]];
    unify(`${figure}: ${at}`, pattern, shape, sizes);
    return `[${pattern}]`;
  };
  return { axes, sizeOf: (axis) => sizes[axis] };
}

/** The number of latents by default. */
export const defaultLatents = new PerceiverResampler({ dim: d, depth: 1 }).latents.shape[0];

const trained = trainable(model, "paper");
const frozen = parameterNames(model).filter((name) => !trained.includes(name));
/** Whether the paper trains the parameters below a path; throws an Error where it trains a part of them. */
export function isTrained(path) {
  const below = (name) => name.startsWith(`${path}.`);
  if (trained.some(below) === frozen.some(below)) throw new Error(`${path} is trained in part`);
  return trained.some(below);
}

export const className = (value) => value.constructor.name;
