// The executable half of 59-layers.md. The loops are those of support/oracles/perceiver-io/loops.ts.
import { expect, test } from "vitest";
import { PerceiverDecoder, PerceiverEncoder } from "../../../src/models/perceiver-io/encoder.ts";
import {
  crossAttentionMask,
  PerceiverIOAttention,
} from "../../../src/models/perceiver-io/layers/attention.ts";
import { CrossAttention, MLP, SelfAttention } from "../../../src/models/perceiver-io/layers/layers.ts";
import { PerceiverIO, type PerceiverIOOptions } from "../../../src/models/perceiver-io/perceiver-io.ts";
import {
  ClassificationPostprocessor,
  IdentityPostprocessor,
  ProjectionPostprocessor,
} from "../../../src/models/perceiver-io/postprocessors.ts";
import { AudioPreprocessor } from "../../../src/models/perceiver-io/preprocessors/audio.ts";
import { OneHotPreprocessor } from "../../../src/models/perceiver-io/preprocessors/one-hot.ts";
import { FourierQuery, TrainableQuery } from "../../../src/models/perceiver-io/queries.ts";
import type { Parameter } from "../../../src/nn/parameter.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { setTraining } from "../../../src/nn/train-mode.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, bool, int, type Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { type Mat, range, type Vec } from "../../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  nested,
  seeds,
  weighted,
  weightsOf,
} from "../../support/oracles/modules.ts";
import {
  attend,
  crossAttention,
  mlp,
  perceiver,
  selfAttention,
} from "../../support/oracles/perceiver-io/loops.ts";
import { randomMask, randomTensor } from "../../support/properties/arbitraries.ts";
import { expectSame, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../../support/properties/refusals.ts";

const rows = (x: Tensor): readonly Mat[] => nested(x) as unknown as readonly Mat[];
/** A row of the mask is empty. */
const maskOf = (b: number, o: number, s: number, seed: number): Bool<"b o s"> => {
  const mask = randomMask([b, o, s], seed);
  return new Bool<"b o s">([b, o, s], mask.flat());
};
const allowedIn = (mask: Bool, b: number) => (o: number, s: number) =>
  (mask.flat()[(b * (mask.shape[1] ?? 0) + o) * (mask.shape[2] ?? 0) + s] ?? 0) === 1;

test("[perceiverio.channels] [perceiverio.heads] [perceiverio.bias] [perceiverio.mask] [perceiverio.empty-row] attention equals the loop, for any sizes", () => {
  const sizes = {
    b: from(1, 2),
    o: from(1, 5),
    s: from(1, 6),
    heads: from(1, 3),
    qk: from(1, 3),
    v: from(1, 4),
    seed: seeds,
  };
  forAll(sizes, ({ b, o, s, heads, qk, v, seed }) => {
    const model = weighted(
      new PerceiverIOAttention({
        qInChannels: 5,
        kInChannels: 4,
        vInChannels: 3,
        numHeads: heads,
        qkOutChannels: heads * qk,
        vOutChannels: heads * v,
        outputChannels: 7,
      }),
      seed,
    );
    const [q, k, values] = [
      randomTensor<"b o c">([b, o, 5], seed),
      randomTensor<"b s d">([b, s, 4], seed + 1),
      randomTensor<"b s e">([b, s, 3], seed + 2),
    ];
    const bias = randomTensor([1, heads, o, s], seed + 3, (x) => 3 * x);
    const mask = maskOf(b, o, s, seed);
    const biases = rows(bias)[0] as unknown as readonly Mat[];
    expectNear(
      model.forward(q, k, values, { mask, bias }),
      range(b).map((i) =>
        attend(weightsOf(model), rows(q)[i] ?? [], rows(k)[i] ?? [], rows(values)[i] ?? [], {
          heads,
          allowed: allowedIn(mask, i),
          bias: (h, l, j) => biases[h]?.[l]?.[j] ?? Number.NaN,
        }),
      ),
    );
  });
});

test("[perceiverio.channels] the defaults of the channels follow from the inputs", () => {
  const shapes = (model: object) =>
    [...stateDict(model)].map(([name, { shape }]) => `${name} ${shape.join(" ")}`);
  expect(shapes(new PerceiverIOAttention({ qInChannels: 16, kInChannels: 6, vInChannels: 5 }))).toEqual([
    "proj_q.weight 16 16",
    "proj_q.bias 16",
    "proj_k.weight 16 6",
    "proj_k.bias 16",
    "proj_v.weight 16 5",
    "proj_v.bias 16",
    "final.weight 16 16",
    "final.bias 16",
  ]);
  const cross = (shapeForAttn?: "kv" | "q") =>
    new CrossAttention({ qInChannels: 16, kvInChannels: 8, shapeForAttn }).attention;
  expect(cross().proj_q.weight.shape).toEqual([8, 16]);
  expect(cross("q").proj_q.weight.shape).toEqual([16, 16]);
  expect(cross("q").final.weight.shape).toEqual([16, 16]);
  expect(new PerceiverIOAttention({ qInChannels: 8, withFinalBias: false }).final.bias).toBe(null);
});

test("[perceiverio.heads] channels that heads cannot share are refused", () => {
  const message = (options: object) =>
    refusal(() => new PerceiverIOAttention({ qInChannels: 8, ...options })).message;
  expect(message({ numHeads: 3 })).toContain("qkOutChannels is 8, which 3 heads cannot share equally");
  expect(message({ numHeads: 2, vOutChannels: 7 })).toContain("vOutChannels is 7");
  const encoder = (options: object) =>
    refusal(() => new PerceiverEncoder({ numInputChannels: 8, numLatentChannels: 12, ...options })).message;
  expect(encoder({})).toContain("numLatentChannels is 12, which is no multiple of numSelfAttendHeads, 8");
  expect(encoder({ numSelfAttendHeads: 4, numCrossAttendHeads: 5 })).toContain("numCrossAttendHeads, 5");
});

test("[perceiverio.matrix] the weights are those of the output, and equal for a query without keys", () => {
  const model = weighted(new PerceiverIOAttention({ qInChannels: 4, numHeads: 2 }), 3);
  const x = (n: number, seed: number) => randomTensor<never>([1, n, 4], seed);
  const mask = bool("b o s", [
    [
      [true, false, true],
      [false, false, false],
      [true, true, true],
    ],
  ]);
  const [q, k, v] = [x(3, 1), x(3, 2), x(3, 3)];
  const { matrix, out } = model.withMatrix(q, k, v, { mask });
  const weights = nested(matrix) as unknown as readonly (readonly Mat[])[];
  expect(matrix.shape).toEqual([1, 2, 3, 3]);
  for (const head of weights[0] ?? []) {
    expect(head[0]?.[1]).toBe(0);
    expect(head[1]).toEqual([1 / 3, 1 / 3, 1 / 3]);
    for (const r of head) expect(Math.abs(r.reduce((a, b) => a + b) - 1)).toBeLessThan(1e-12);
  }
  expectNear(out, nested(model.forward(q, k, v, { mask })));
});

test("[perceiverio.mask] a mask of two sequences is true where both are", () => {
  const mask = crossAttentionMask(
    bool("b o", [
      [true, false],
      [true, true],
    ]),
    bool("b s", [
      [true, false, true],
      [false, true, false],
    ]),
  );
  expect(mask.shape).toEqual([2, 2, 3]);
  expect([...mask.flat()]).toEqual([1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0]); // by hand
});

test("[perceiverio.mlp] [perceiverio.activation] [perceiverio.self-attention] [perceiverio.cross-attention] [perceiverio.query-residual] layers equal the loops, for any sizes", () => {
  const sizes = {
    n: from(1, 4),
    s: from(1, 5),
    heads: from(1, 2),
    width: from(1, 3),
    widening: from(1, 3),
    residual: from(0, 1),
    seed: seeds,
  };
  forAll(sizes, ({ n, s, heads, width, widening, residual, seed }) => {
    const channels = heads * width;
    const own = weighted(
      new SelfAttention({ inChannels: channels, numHeads: heads, wideningFactor: widening }),
      seed,
    );
    const x = randomTensor<"b n c">([1, n, channels], seed);
    expectNear(own.forward(x), [selfAttention(weightsOf(own), rows(x)[0] ?? [], { heads })]);
    const cross = weighted(
      new CrossAttention({
        qInChannels: channels,
        kvInChannels: 2 * heads,
        numHeads: heads,
        wideningFactor: widening,
        useQueryResidual: residual === 1,
      }),
      seed,
    );
    const [q, kv] = [
      randomTensor<"b o c">([1, n, channels], seed),
      randomTensor<"b s c">([1, s, 2 * heads], seed + 1),
    ];
    const loop = crossAttention(
      weightsOf(cross),
      rows(q)[0] ?? [],
      rows(kv)[0] ?? [],
      { heads },
      residual === 1,
    );
    expectNear(cross.forward(q, kv), [loop]);
    const network = weighted(
      new MLP({ inChannels: channels, outChannels: 3, wideningFactor: widening }),
      seed,
    );
    expectNear(network.forward(x), [mlp(weightsOf(network), rows(x)[0] ?? [])]);
  });
});

test("[perceiverio.activation] DeepMind's profile has the tanh approximation of GELU", () => {
  const exact = weighted(new MLP({ inChannels: 4, wideningFactor: 1 }), 5);
  const approximate = weighted(new MLP({ inChannels: 4, wideningFactor: 1, profile: "deepmind" }), 5);
  const x = randomTensor<"b n c">([1, 6, 4], 2);
  const [a, b] = [valuesOf(exact.forward(x)), valuesOf(approximate.forward(x))];
  const far = Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? 0))));
  expect(far).toBeGreaterThan(1e-5);
  expect(far).toBeLessThan(5e-3);
});

const small: Omit<PerceiverIOOptions, "outputQueries"> = {
  numBlocks: 2,
  numSelfAttendsPerBlock: 2,
  numLatents: 3,
  numLatentChannels: 8,
  inputChannels: 6,
  perceiverEncoderKwargs: { numSelfAttendHeads: 2 },
};
const shape = { blocks: 2, layers: 2, crossHeads: 1, selfHeads: 2, decoderHeads: 1, residual: false };

test("[perceiverio.blocks] [perceiverio.final-layer] [perceiverio.query-mask] [perceiverio.forward] the model equals the loop, for any sizes and masks", () => {
  const sizes = {
    s: from(1, 6),
    outputs: from(1, 4),
    blocks: from(0, 3),
    layers: from(0, 2),
    crossHeads: from(1, 2),
    decoderHeads: from(1, 2),
    residual: from(0, 1),
    seed: seeds,
  };
  forAll(sizes, ({ s, outputs, blocks, layers, crossHeads, decoderHeads, residual, seed }) => {
    const model = weighted(
      new PerceiverIO({
        ...small,
        numBlocks: blocks,
        numSelfAttendsPerBlock: layers,
        finalProjectOutChannels: 5,
        perceiverEncoderKwargs: { numSelfAttendHeads: 2, numCrossAttendHeads: crossHeads },
        perceiverDecoderKwargs: { numHeads: decoderHeads, useQueryResidual: residual === 1 },
        outputQueries: new TrainableQuery({ outputIndexDims: outputs, numChannels: 4 }),
      }),
      seed,
    );
    const w = weightsOf(model);
    const x = randomTensor<"b s c">([1, s, 6], seed);
    const [read, wanted] = [
      range(s).map((i) => i === 0 || (seed + i) % 3 > 0),
      range(outputs).map((i) => (seed + i) % 4 > 0),
    ];
    const inputMask = bool("b s", [read]);
    const queryMask = bool("b o", [wanted]);
    const queries = w["_output_queries.__default._position_encoding.pos_embs"] as Mat;
    const own = { blocks, layers, crossHeads, selfHeads: 2, decoderHeads, residual: residual === 1 };
    expectNear(model.forward(x, { inputMask, queryMask }) as Tensor, [
      perceiver(w, rows(x)[0] ?? [], queries, own, { inputs: read, outputs: wanted }),
    ]);
    expectNear(model.decode(model.encode(x)) as Tensor, [perceiver(w, rows(x)[0] ?? [], queries, own)]);
  });
});

test("[perceiverio.blocks] the defaults are those of the source", () => {
  const model = new PerceiverIO({
    inputChannels: 16,
    outputQueries: new TrainableQuery({ outputIndexDims: 1 }),
  });
  const state = stateDict(model);
  expect(model._encoder.options.numBlocks).toBe(8);
  expect(model._encoder.self_attends.length).toBe(6);
  expect(state.get("_encoder.latent_pos_enc.pos_embs")?.shape).toEqual([512, 1024]);
  expect(model._encoder.self_attends[0]?.attention.options.heads).toBe(8);
  expect(model._encoder.cross_attend.attention.options.heads).toBe(1);
  expect(model._decoder.decoding_cross_attn.attention.options.heads).toBe(1);
  expect(model._encoder.cross_attend.options.useQueryResidual).toBe(true);
  expect(model._decoder.decoding_cross_attn.options.useQueryResidual).toBe(false);
  expect(state.get("_encoder.self_attends.0.mlp.fc1.weight")?.shape).toEqual([1024, 1024]);
  expect(state.get("_encoder.cross_attend.mlp.fc1.weight")?.shape).toEqual([1024, 1024]);
  expect(state.get("_decoder.final_layer.weight")?.shape).toEqual([1024, 128]);
  expect(new SelfAttention({ inChannels: 8 }).mlp.fc1.weight.shape).toEqual([32, 8]);
  expect(new CrossAttention({ qInChannels: 8, kvInChannels: 8 }).mlp.fc1.weight.shape).toEqual([8, 8]);
});

test("[perceiverio.query-mask] [perceiverio.empty-row] in transformers' profile masked outputs are computed, and a query without keys has equal weights", () => {
  const options = { ...small, outputQueries: new TrainableQuery({ outputIndexDims: 2, numChannels: 4 }) };
  const queryMask = bool("b o", [[true, false]]);
  const x = randomTensor<"b s c">([1, 4, 6], 3);
  const model = weighted(new PerceiverIO({ ...options, profile: "transformers@5.18.0" }), 3);
  expectSame(model.forward(x, { queryMask }) as Tensor, model.forward(x) as Tensor);
  const layer = weighted(
    new CrossAttention({ qInChannels: 4, kvInChannels: 4, numHeads: 1, profile: "transformers@5.18.0" }),
    4,
  );
  const [q, kv] = [randomTensor<"b o c">([1, 1, 4], 1), randomTensor<"b s c">([1, 3, 4], 2)];
  const nothing = bool("b o s", [[[false, false, false]]]);
  const equal = weighted(new CrossAttention({ qInChannels: 4, kvInChannels: 4, numHeads: 1 }), 4);
  for (const t of [equal.attention.proj_q.weight, equal.attention.proj_q.bias as Tensor])
    t.assign(view(new Float64Array(t.size), t.shape)); // queries of 0 give equal weights
  expectNear(layer.forward(q, kv, { mask: nothing }), nested(equal.forward(q, kv)));
});

test("[perceiverio.final-layer] without the last layer the decoder returns its queries' width, and zeros begin at 0", () => {
  const query = new TrainableQuery({ outputIndexDims: 2, numChannels: 4 });
  const plain = new PerceiverIO({ ...small, finalProject: false, outputQueries: query });
  expect((plain.forward(randomTensor([1, 2, 6], 1)) as Tensor).shape).toEqual([1, 2, 4]);
  const zero = new PerceiverDecoder({
    queryChannels: 4,
    finalProjectOutChannels: 3,
    numLatentChannels: 8,
    outputWInit: "zeros",
  });
  expect(valuesOf(zero.final_layer?.weight as Tensor).every((x) => x === 0)).toBe(true);
});

test("[perceiverio.initial] projections are truncated normal with the variance 1 over the inputs, and biases are 0", () => {
  const model = initialize(new PerceiverIOAttention({ qInChannels: 64, kInChannels: 200, initScale: 4 }), 3);
  const values = valuesOf(model.proj_k.weight);
  const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
  expect(Math.abs(deviation / Math.sqrt(4 / 200) - 1)).toBeLessThan(0.03);
  const bound = (2 * Math.sqrt(4 / 200)) / 0.8796256610342398;
  const largest = Math.max(...values.map(Math.abs));
  expect(largest).toBeLessThanOrEqual(bound);
  expect(largest).toBeGreaterThan(0.97 * bound);
  expect(valuesOf(model.proj_k.bias as Parameter).every((x) => x === 0)).toBe(true);
});

test("[perceiverio.initial] latents begin with the deviation 0.02, or the given one", () => {
  for (const scale of [undefined, 0.5]) {
    const options = {
      numInputChannels: 8,
      numLatents: 64,
      numLatentChannels: 64,
      latentPosEncInitScale: scale,
    };
    const drawn = valuesOf(initialize(new PerceiverEncoder(options), 4).latent_pos_enc.pos_embs);
    const deviation = Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length);
    expect(Math.abs(deviation / (scale ?? 0.02) - 1)).toBeLessThan(0.05); // four standard errors
  }
});

const label = new OneHotPreprocessor({ inputChannels: 5 });
const sound = () =>
  new AudioPreprocessor({
    samplesPerBatch: 12,
    samplesPerPatch: 3,
    fourierPositionEncodingKwargs: { numBands: 1 },
  });
const modal = (options: Partial<PerceiverIOOptions> = {}) =>
  new PerceiverIO({
    numBlocks: 1,
    numSelfAttendsPerBlock: 1,
    numLatents: 3,
    numLatentChannels: 8,
    perceiverEncoderKwargs: { numSelfAttendHeads: 2 },
    inputPreprocessors: { z: sound(), a: label },
    outputQueries: {
      z: new FourierQuery({ outputIndexDims: [4], numBands: 1 }),
      a: new TrainableQuery({ outputIndexDims: 2, numChannels: 7 }),
    },
    outputPostprocessors: { z: new IdentityPostprocessor(), a: new IdentityPostprocessor() },
    ...options,
  });
const inputs = { z: randomTensor([2, 12, 1], 1), a: randomTensor([2, 5], 2) };

test("[perceiverio.padding] [perceiverio.order] tokens have a trained vector behind their channels, in the order of names", () => {
  const model = weighted(modal({ inputPaddingChannels: 2 }), 7);
  const w = weightsOf(model);
  const { tokens } = model.encode(inputs);
  // "a": 5 channels; "z": 3 samples and 3 channels of position; 2 more than the widest is 8.
  const all = rows(tokens.all);
  expect(tokens.all.shape).toEqual([2, 5, 8]);
  const vectors = (name: string) =>
    (w[`_multi_preprocessor.padding_embeddings.${name}.pos_embs`] as Mat)[0] ?? [];
  for (const b of [0, 1]) {
    expect(all[b]?.[0]).toEqual([...((rows(inputs.a) as unknown as Mat)[b] ?? []), ...vectors("a")]);
    for (const n of range(4)) {
      const samples = range(3).map((i) => rows(inputs.z)[b]?.[3 * n + i]?.[0]);
      expect(all[b]?.[1 + n]?.slice(0, 3)).toEqual(samples);
      expect(all[b]?.[1 + n]?.slice(6)).toEqual(vectors("z"));
    }
  }
  expect(
    modal({
      inputPreprocessors: { z: sound() },
      outputQueries: new TrainableQuery({ outputIndexDims: 1 }),
      outputPostprocessors: null,
    })._multi_preprocessor.padding_embeddings,
  ).toBe(null);
  const names = [...stateDict(model).keys()].filter((name) => name.startsWith("padding_embeddings"));
  expect(names).toEqual(["padding_embeddings.a.pos_embs", "padding_embeddings.z.pos_embs"]);
});

test("[perceiverio.order] a modality's name is not empty and has no dots", () => {
  for (const name of ["", "a.b"])
    expect(refusal(() => modal({ inputPreprocessors: { [name]: label } })).message).toContain(
      JSON.stringify(name),
    );
});

test("[perceiverio.masking] tokens are replaced with the probability of their modality, by the draws of the seed", () => {
  const model = weighted(modal({ inputMaskProbs: { a: 1, z: 0.5 } }), 3);
  const w = weightsOf(model);
  const token = (name: string) => (w[`_multi_preprocessor.mask_tokens.${name}.pos_embs`] as Mat)[0];
  const masked = (seed: number) => rows(model.encode(inputs, { seed }).tokens.all);
  for (const b of [0, 1]) expect(masked(1)[b]?.[0]).toEqual(token("a"));
  const counts = range(200).map((seed) => {
    const found = masked(seed)
      .flatMap((all) => all.slice(1))
      .filter((r) => r.every((x, i) => x === token("z")?.[i]));
    return found.length;
  });
  const mean = counts.reduce((a, b) => a + b) / 200;
  expect(Math.abs(mean - 4)).toBeLessThan(0.5); // eight tokens with probability ½: five standard errors
  expect(masked(3)).toEqual(masked(3));
  const never = weighted(modal({ inputMaskProbs: { a: 0, z: 0 } }), 3);
  const plain = modal();
  for (const [name, t] of stateDict(plain)) t.assign((stateDict(never).get(name) as Tensor).data);
  expect(rows(never.encode(inputs).tokens.all)).toEqual(rows(plain.encode(inputs).tokens.all));
});

test("[perceiverio.query-padding] queries have as many channels as the widest, and trained vectors behind their own", () => {
  const model = modal({ outputQueryPaddingChannels: 2 });
  const state = stateDict(model);
  expect(state.get("padding_embeddings.a.pos_embs")?.shape).toEqual([1, 2]);
  expect(state.get("padding_embeddings.z.pos_embs")?.shape).toEqual([1, 6]); // 9 − 3 channels of position
  expect(state.get("_decoder.decoding_cross_attn.attention.proj_q.weight")?.shape).toEqual([8, 9]);
  const single = new PerceiverIO({
    ...small,
    outputQueries: new TrainableQuery({ outputIndexDims: 2, numChannels: 4 }),
  });
  expect(stateDict(single).get("padding_embeddings.__default.pos_embs")?.shape).toEqual([1, 0]);
});

test("[perceiverio.outputs] results have the modalities with postprocessors; an only one is not named", () => {
  const both = modal().forward(inputs) as Record<string, Tensor>;
  expect(Object.fromEntries(Object.entries(both).map(([name, { shape }]) => [name, shape]))).toEqual({
    a: [2, 2, 8],
    z: [2, 4, 8],
  });
  const some = weighted(
    modal({ outputPostprocessors: { z: new ProjectionPostprocessor({ numInputs: 8, numOutputs: 2 }) } }),
    4,
  );
  expect(Object.keys(some.forward(inputs) as object)).toEqual(["z"]);
  const plain = modal({ outputPostprocessors: null }).forward(inputs) as Tensor;
  expect(plain.shape).toEqual([2, 6, 8]);
  const unknown = modal({ outputPostprocessors: { q: new IdentityPostprocessor() } });
  expect(refusal(() => unknown.forward(inputs)).message).toContain('"q" has no query of that name');
});

test("[perceiverio.outputs] outputs of one modality do not depend on the queries of another", () => {
  const model = weighted(modal(), 5);
  const all = model.forward(inputs) as Record<string, Tensor>;
  const some = model.forward(inputs, { subsampledOutputPoints: { z: int("o", [1, 3]) } }) as Record<
    string,
    Tensor
  >;
  expectNear(some.a as Tensor, nested(all.a as Tensor));
});

test("[perceiverio.first-output] a classifier computes one output, unless a mask is given", () => {
  const model = weighted(
    new PerceiverIO({
      ...small,
      finalProjectOutChannels: 5,
      outputQueries: new TrainableQuery({ outputIndexDims: 4, numChannels: 4 }),
      outputPostprocessors: new ClassificationPostprocessor({
        numInputChannels: 5,
        numClasses: 5,
        project: false,
      }),
    }),
    2,
  );
  const x = randomTensor<"b s c">([1, 3, 6], 2);
  const queries = weightsOf(model)["_output_queries.__default._position_encoding.pos_embs"] as Mat;
  const loop = perceiver(weightsOf(model), rows(x)[0] ?? [], queries, shape);
  expectNear(model.forward(x) as Tensor, [loop[0] as Vec]);
  const one = record(() => ({ out: model.forward(x) as Tensor }), { model });
  expect(one.nodes.some(({ shape }) => shape.includes(4) && shape.length === 3 && shape[1] === 4)).toBe(true);
  const queryMask = bool("b o", [[false, true, true, true]]);
  const masked = perceiver(weightsOf(model), rows(x)[0] ?? [], queries, shape, {
    outputs: [false, true, true, true],
  });
  expectNear(model.forward(x, { queryMask }) as Tensor, [masked[0] as Vec]);
});

test("[perceiverio.mask] masked inputs do not matter, and inputs in another order give the same outputs", () => {
  const model = weighted(
    new PerceiverIO({ ...small, outputQueries: new TrainableQuery({ outputIndexDims: 2, numChannels: 4 }) }),
    8,
  );
  const x = randomTensor<"b s c">([1, 4, 6], 5);
  const inputMask = bool("b s", [[true, false, true, true]]);
  const tokens = rows(x)[0] ?? [];
  const other = tokens.map((r, i) => (i === 1 ? r.map((v) => 9 * v + 1) : r));
  const masked = model.forward(x, { inputMask }) as Tensor;
  expectNear(model.forward(tensor("b s c", [other as number[][]]), { inputMask }) as Tensor, nested(masked));
  const reversed = tensor("b s c", [[...tokens].reverse() as number[][]]);
  expectNear(model.forward(reversed) as Tensor, nested(model.forward(x) as Tensor));
  for (const call of [{ inputMask: bool("b s", [[true]]) }, { queryMask: bool("b o", [[true]]) }])
    expect(refusal(() => model.forward(x, call)).message).toContain("[1 1]");
  expect(refusal(() => model.forward(x, { inputMask: [true] as never })).message).toContain("booleans");
});

test("[perceiverio.inputs] missing, surplus and unfitting inputs are refused by name", () => {
  const model = modal();
  expect(refusal(() => model.forward({ a: inputs.a })).message).toContain('"z" is missing');
  expect(refusal(() => model.forward({ ...inputs, extra: inputs.a })).message).toContain(
    '"extra" is none of them',
  );
  expect(refusal(() => model.forward(inputs.a)).message).toContain("is missing");
  expect(shapeRefusal(() => model.forward({ ...inputs, a: randomTensor([2, 6], 1) })).message).toContain(
    "has 6 channels; this module takes 5",
  );
  expect(refusal(() => model.forward({ ...inputs, a: int("b c", [[1]]) })).message).toContain(
    "OneHotPreprocessor takes a tensor",
  );
  const plain = new PerceiverIO({ ...small, outputQueries: new TrainableQuery({ outputIndexDims: 1 }) });
  expect(shapeRefusal(() => plain.forward(randomTensor([1, 2, 5], 1))).message).toContain("tokens b n 6");
  for (const options of [
    { inputPreprocessors: label, inputChannels: 3 },
    { inputPreprocessors: null, inputChannels: null },
  ])
    expect(refusal(() => modal(options)).message).toContain("either inputPreprocessors, or inputChannels");
});

test("[perceiverio.given-positions] given positions are those of the first element", () => {
  const model = modal({
    inputPreprocessors: sound(),
    outputQueries: new TrainableQuery({ outputIndexDims: 1, numChannels: 2 }),
    outputPostprocessors: null,
  });
  const pos = tensor("b n d", [
    [[0.5], [-0.25], [0], [1]],
    [[9], [9], [9], [9]],
  ]);
  const { tokens } = model.encode(inputs.z, { pos });
  for (const b of [0, 1]) expect(rows(tokens.all)[b]?.map((r) => r[3])).toEqual([0.5, -0.25, 0, 1]);
});

test("[perceiverio.self-attention] dropout acts in train mode only, on weights and outputs", () => {
  const model = weighted(new SelfAttention({ inChannels: 8, dropoutProb: 0.5, dropoutAttnProb: 0.5 }), 2);
  const x = randomTensor<"b n c">([1, 6, 8], 4);
  const before = valuesOf(model.forward(x));
  setTraining(model, { seed: 1 });
  expect(valuesOf(model.forward(x))).not.toEqual(before);
  setTraining(model, null);
  expect(valuesOf(model.forward(x))).toEqual(before);
});

test("[perceiverio.forward] recorded and replayed, the model gives the same numbers", async () => {
  const model = weighted(modal(), 6);
  await replayEqualsEager(() => model.forward(inputs) as Record<string, Tensor>, { model });
});

test("[perceiverio.channels] [perceiverio.blocks] sizes that are not given are those of the source's signatures", () => {
  // perceiver_io/transformer_primitives.py and perceiver_io/perceiver.py of JOBR0/PerceiverIO_Pytorch
  const { proj_v, final } = new PerceiverIOAttention({ qInChannels: 6, qkOutChannels: 4, numHeads: 2 });
  expect([proj_v.weight.shape, final.weight.shape]).toEqual([
    [4, 6],
    [4, 4],
  ]);
  const { latent_pos_enc, self_attends, options } = new PerceiverEncoder({ numInputChannels: 8 });
  expect(latent_pos_enc.pos_embs.shape).toEqual([512, 1024]);
  expect([self_attends.length, options.numBlocks]).toEqual([6, 8]);
});
