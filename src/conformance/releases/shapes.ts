// What the releases say where shapes do not fit together, by the place of the ShapeError and the shapes of its operands.
import {
  batchNormError,
  broadcastError,
  concatError,
  convolutionError,
  kernelSizeError,
  layerNormError,
  productError,
  rmsNormError,
  scaleError,
} from "./torch.ts";

type Shape = readonly number[];
type Shapes = Readonly<Record<string, Shape>>;

const widthOf = (shape: Shape | undefined): number => shape?.at(-1) ?? 0;

/** flamingo-pytorch's MaskedCrossAttention: the norm of the text, the projection of the media, and the mask of the locations. */
function crossAttention({ x = [], media, norm, to_kv, mediaLocations }: Shapes): string | null {
  if (mediaLocations) {
    const [given, needed] = [mediaLocations[1], x[1] ?? 0];
    return given === undefined || given === needed || given === 1 || needed === 1
      ? null
      : broadcastError(given, needed, 2);
  }
  if (!norm || !media || !to_kv) return null;
  if (x.at(-1) !== norm[0]) return layerNormError(widthOf(norm), x);
  const [columns = 0, width = 0] = to_kv;
  const [b = 0, m = 0, r = 0, e] = media;
  if (media.length !== 4 || e === undefined || e === width) return null;
  return productError([b * m * r, e], [width, columns]);
}

/** flamingo-pytorch's PerceiverAttention: the norms of features and latents, then their concatenation. */
function perceiverAttention({ x = [], latents = [], norm_latents }: Shapes): string | null {
  const dim = widthOf(norm_latents);
  const wide = [x, latents].find((shape) => shape.at(-1) !== dim);
  if (wide) return layerNormError(dim, wide);
  if (x.length !== 4 || latents.length !== 4) return null;
  const axis = [0, 1].find((axis) => x[axis] !== latents[axis]);
  return axis === undefined ? null : concatError(2, x[axis] ?? 0, latents[axis] ?? 0);
}

/** A sum of the features and embeddings of another width, of which torch repeats one that is 1 wide. */
function perceiverResampler({ x = [], latents }: Shapes): string | null {
  const [width, dim] = [widthOf(x), widthOf(latents)];
  if (width === dim || width === 1) return null;
  return dim === 1 ? layerNormError(dim, x) : broadcastError(width, dim, 3);
}

/** A convolution, of which windows that are too large have the sizes of the padded planes. */
function convolution({ x, weight, padded, kernel }: Shapes): string | null {
  if (x && weight) return convolutionError(weight, x);
  return padded && kernel ? kernelSizeError(padded, kernel) : null;
}

export const places = {
  MaskedCrossAttention: crossAttention,
  GatedCrossAttentionBlock: crossAttention,
  PerceiverAttention: perceiverAttention,
  PerceiverResampler: perceiverResampler,
  ParallelTransformerBlock: ({ x, norm }: Shapes) =>
    widthOf(x) === widthOf(norm) ? null : scaleError(widthOf(norm), widthOf(x)),
  LayerNorm: ({ x = [], scale }: Shapes) => layerNormError(widthOf(scale), x),
  RMSNorm: ({ x = [], scale }: Shapes) => rmsNormError(widthOf(scale), x),
  PaLMLayerNorm: ({ x, scale }: Shapes) => scaleError(widthOf(scale), widthOf(x)),
  BatchNorm2d: ({ x = [], scale }: Shapes) =>
    x.length === 4 ? batchNormError(widthOf(scale), x[1] ?? 0) : null,
  conv2d: convolution,
};
