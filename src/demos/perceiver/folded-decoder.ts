// The decoder of Perceiver IO (src/models/perceiver-io/encoder.ts) for very many outputs of one modality. Products of weights and
// latents that are the same for all outputs are computed once; a quarter of the arithmetic remains for each output:
//
//   scores   Only the channels of a query's position differ between outputs; the others are padding. The query projection is multiplied
//            into the keys, so that a query is its normalised position, with three more channels for the padding.
//   norm 2   The centred vectors that attention returns lie in a space of few dimensions. The values are their coordinates in an
//            orthonormal basis, which have the same length, so that the norm, and fc1 behind it, need the coordinates only.
//   outputs  fc2, the final layer and the projection of the modality follow each other without a nonlinearity: one linear layer.
import type { PerceiverIO } from "../../models/perceiver-io/perceiver-io.ts";
import { ProjectionPostprocessor } from "../../models/perceiver-io/postprocessors.ts";
import { ACTIVATIONS } from "../../nn/activations.ts";
import { attention } from "../../nn/attention/attention.ts";
import type { Linear } from "../../nn/linear.ts";
import { EPSILON, normalize } from "../../nn/norms/layer-norm.ts";
import { Bug } from "../../tensor/errors.ts";
import { concat, einsum, slice } from "../../tensor/ops/arrange.ts";
import {
  add,
  addScalar,
  div,
  expand,
  meanLast,
  mul,
  mulScalar,
  sqrt,
  square,
  sub,
  sumLast,
  zerosLike,
} from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { type Int, Tensor, view } from "../../tensor/tensor.ts";

/** Products that all outputs share: keys and values of the latents, and the linear layers before and after the activation. */
export type Products = {
  readonly keys: Tensor;
  readonly values: Tensor;
  readonly inner: Tensor;
  readonly innerBias: Tensor;
  readonly outer: Tensor;
  readonly outerBias: Tensor;
};

/** Outputs of a modality whose queries are positions and whose postprocessor is a projection. */
export class FoldedDecoder {
  readonly #model: Parts;
  readonly #basis: Basis;

  /** Throws a Bug for a model whose decoder has several heads, a residual of the queries or no final layer. */
  constructor(perceiver: PerceiverIO, modality: string) {
    this.#model = partsOf(perceiver, modality);
    this.#basis = centredBasis(this.#model.layer.attention.final);
  }

  /** The products for the latents of one input. */
  products(latents: Tensor<"b s c">): Products {
    const { layer, final, projection } = this.#model;
    const read = layer.layer_norm_kv.forward(latents);
    const { fc1, fc2 } = layer.mlp;
    const projected = composed(projection.weight, final.weight);
    const { basis } = this.#basis;
    const [channels = 1, coordinates = 1] = basis.shape;
    const scaled = mul(fc1.weight, expand(layer.layer_norm2.weight, fc1.weight));
    return {
      keys: this.#keys(named("b s d", read)),
      values: this.#values(named("b s e", read), projected),
      inner: mulScalar(composed(scaled, basis), Math.sqrt(channels / coordinates)), // normalize divides by fewer channels
      innerBias: applied(fc1, layer.layer_norm2.bias),
      outer: composed(projected, fc2.weight),
      outerBias: applied(projection, applied(final, fc2.bias)),
    };
  }

  /** For each latent, the factors of the channels of a query. */
  #keys(read: Tensor<"b s d">): Tensor {
    const { layer, query, padding } = this.#model;
    const { proj_k, proj_q, options } = layer.attention;
    const keys = mulScalar(proj_k.forward(read), options.scale);
    const weight = mul(proj_q.weight, expand(layer.layer_norm_q.weight, proj_q.weight));
    const factors = einsum("b s j, j c -> b s c", named("b s j", keys), named("j c", weight));
    const padded = slice(factors, -1, query.queryChannels, weight.shape[1] ?? 0);
    const deviations = sub(padding, expand(meanLast(padding), padding));
    return besides(
      slice(factors, -1, 0, query.queryChannels),
      sumLast(padded),
      sumLast(mul(padded, expand(deviations, padded))),
      sumLast(mul(keys, expand(applied(proj_q, layer.layer_norm_q.bias), keys))),
    );
  }

  /** The coordinates of each value after the last linear layer of attention, then its part of the result that passes by the MLP. */
  #values(read: Tensor<"b s e">, projected: Tensor): Tensor {
    const { proj_v, final } = this.#model.layer.attention;
    const values = named("b s j", proj_v.forward(read));
    const { coordinates, offset } = this.#basis;
    const within = einsum("b s j, r j -> b s r", values, coordinates);
    const beyond = einsum("b s j, o j -> b s o", values, named("o j", composed(projected, final.weight)));
    return besides(
      add(within, expand(offset, within)),
      add(beyond, expand(productWith(projected, required(final.bias)), beyond)),
    );
  }

  /** The normalised query of each point: its own channels, then three for the padding and the bias of the norm. */
  #queries(points: Int, batch: number): Tensor {
    const { query, padding } = this.#model;
    const own = query.forward({ batch, inputs: null, withoutPos: null, points });
    const rest = padding.shape[1] ?? 0;
    const share = 1 / (query.queryChannels + rest);
    const sums = sumLast(own);
    const mean = mulScalar(add(sums, expand(sumLast(padding), sums)), share);
    const centred = sub(own, expand(mean, own));
    const distance = sub(expand(meanLast(padding), mean), mean);
    const deviations = sub(padding, expand(meanLast(padding), padding));
    const squares = add(sumLast(square(centred)), mulScalar(square(distance), rest));
    const variance = mulScalar(add(squares, expand(sumLast(square(deviations)), squares)), share);
    const deviation = sqrt(addScalar(variance, EPSILON));
    const one = addScalar(zerosLike(mean), 1);
    return besides(
      div(centred, expand(deviation, centred)),
      div(distance, deviation),
      div(one, deviation),
      one,
    );
  }

  /** The results at points of the modality's grid. */
  outputs({ keys, values, inner, innerBias, outer, outerBias }: Products, points: Int): Tensor<"b o e"> {
    const { layer } = this.#model;
    const [channels = 1, coordinates = 1] = this.#basis.basis.shape;
    const q = named("b l k", this.#queries(points, keys.shape[0] ?? 0));
    const k = named("b s k", keys);
    const read = attention(this, q, k, named("b s e", values), { mayAttend: null, emptyRow: "zero" });
    const within = slice(read, -1, 0, coordinates);
    const beyond = slice(read, -1, coordinates, values.shape[2] ?? 0);
    const epsilon = (EPSILON * channels) / coordinates;
    const normed = normalize(within, { centred: false, epsilon });
    const hidden = linear(normed, inner, innerBias);
    const activated = ACTIVATIONS[layer.mlp.options.activation](hidden);
    return named("b o e", add(beyond, linear(activated, outer, outerBias)));
  }
}

/** The parts of a model that decode a modality. */
function partsOf(perceiver: PerceiverIO, modality: string) {
  const { decoding_cross_attn: layer, final_layer: final } = perceiver._decoder;
  const post = perceiver._output_postprocessors?.[modality];
  const query = perceiver._output_queries[modality];
  const padding = perceiver.padding_embeddings[modality]?.pos_embs;
  const isPlain = layer.attention.options.heads === 1 && !layer.options.useQueryResidual;
  if (!isPlain || !final || !query || !padding || !(post instanceof ProjectionPostprocessor))
    throw new Bug(`the decoder of ${modality} does not fold`);
  return { layer, final, query, padding, projection: post.projection };
}
type Parts = ReturnType<typeof partsOf>;

function required<T>(value: T | null): T {
  if (value === null) throw new Bug("the layer has no bias");
  return value;
}

/** Several tensors along their last axis. */
const besides = (...parts: readonly [Tensor, ...Tensor[]]): Tensor =>
  parts.reduce((all, part) => concat("b s k, b s n -> b s m", named("b s k", all), named("b s n", part)));

/** The matrix of one linear layer behind another. */
const composed = (after: Tensor, before: Tensor): Tensor<"o i"> =>
  einsum("o j, j i -> o i", named("o j", after), named("j i", before));

const productWith = (matrix: Tensor, vector: Tensor): Tensor<"o"> =>
  einsum("o i, i -> o", named("o i", matrix), named("i", vector));

/** A layer's result for one vector. */
const applied = ({ weight, bias }: Linear<string, string>, vector: Tensor | null): Tensor<"o"> =>
  add(productWith(weight, required(vector)), required(bias));

function linear(x: Tensor, weight: Tensor, bias: Tensor): Tensor {
  const y = einsum("b o i, f i -> b o f", named("b o i", x), named("f i", weight));
  return add(y, expand(bias, y));
}

/** Vectors of a linear layer, each minus the mean of its channels: basis · (coordinates · input + offset). */
interface Basis {
  readonly basis: Tensor<"c r">;
  readonly coordinates: Tensor<"r j">;
  readonly offset: Tensor<"r">;
}

/** A basis of as many vectors as the layer has inputs, and one for its bias. */
function centredBasis({ weight, bias }: Linear<string, string>): Basis {
  const [channels = 0, inputs = 0] = weight.shape;
  const [matrix, last] = [weight.flat(), required(bias).flat()];
  const columns = Array.from({ length: inputs + 1 }, (_, i) => {
    const column = Float64Array.from(last, (x, c) => (i < inputs ? (matrix[c * inputs + i] ?? 0) : x));
    const mean = column.reduce((sum, x) => sum + x, 0) / channels;
    return column.map((x) => x - mean);
  });
  const factors = orthonormalize(columns);
  const size = columns.length;
  const values = new Float64Array(size * channels);
  for (const [r, column] of columns.entries()) values.set(column, r * channels);
  return {
    basis: new Tensor([channels, size], view(values, [channels, size], [1, channels])),
    coordinates: new Tensor([size, inputs], view(factors, [size, inputs], [size, 1])),
    offset: new Tensor([size], view(factors, [size], [size], inputs)),
  };
}

/**
 * Makes vectors orthonormal by the modified method of Gram and Schmidt, in place; a vector that depends on others becomes 0. Returns the
 * factors, row by row: vector j was the sum over i of factor [i, j] times the new vector i.
 */
function orthonormalize(vectors: readonly Float64Array[]): Float64Array {
  const size = vectors.length;
  const factors = new Float64Array(size * size);
  for (const [i, vector] of vectors.entries()) {
    const length = Math.sqrt(dot(vector, vector));
    factors[i * size + i] = length;
    for (let c = 0; c < vector.length; c++) vector[c] = length > 0 ? (vector[c] ?? 0) / length : 0;
    for (let j = i + 1; j < size; j++) {
      const other = vectors[j] ?? vector;
      const factor = dot(vector, other);
      factors[i * size + j] = factor;
      for (let c = 0; c < other.length; c++) other[c] = (other[c] ?? 0) - factor * (vector[c] ?? 0);
    }
  }
  return factors;
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}
