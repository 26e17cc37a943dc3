// Calls whose shapes and errors the docstrings describe. Sizes are primes that differ, so that exchanged axes do not fit.
import { GatedCrossAttentionBlock } from "../../../../src/blocks/gated-cross-attention-block.ts";
import { MaskedCrossAttention } from "../../../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock, SwiGLU } from "../../../../src/blocks/parallel-transformer-block.ts";
import { PerceiverAttention } from "../../../../src/blocks/perceiver-attention.ts";
import { PerceiverResampler } from "../../../../src/blocks/perceiver-resampler.ts";
import { accuracy } from "../../../../src/evaluation/scorers/classification.ts";
import { readImage } from "../../../../src/io/images/read.ts";
import { writeSafetensors } from "../../../../src/io/safetensors/write.ts";
import { loadTokenizer } from "../../../../src/io/tokenizers/load.ts";
import { writeTorch } from "../../../../src/io/torch/write.ts";
import { matmul } from "../../../../src/kernels/matmul.ts";
import { reference } from "../../../../src/kernels/reference/index.ts";
import { replay } from "../../../../src/kernels/replay.ts";
import { simd } from "../../../../src/kernels/simd/index.ts";
import { conventionOf } from "../../../../src/masks/conventions/conventions.ts";
import { mediaLocations } from "../../../../src/masks/grid.ts";
import { mediaMask } from "../../../../src/masks/media-mask.ts";
import { FlamingoPaLM } from "../../../../src/models/flamingo/flamingo-palm.ts";
import { kosmosTextLimit } from "../../../../src/models/kosmos/layout.ts";
import { GPTJForCausalLM } from "../../../../src/models/language-models/gptj.ts";
import { LlamaForCausalLM } from "../../../../src/models/language-models/llama.ts";
import { ViT } from "../../../../src/models/vision/vit.ts";
import { geluTanh } from "../../../../src/nn/activations.ts";
import { attention } from "../../../../src/nn/attention/attention.ts";
import { Conv2d } from "../../../../src/nn/conv/conv2d.ts";
import { conv2d, maxPool2d, unfold } from "../../../../src/nn/conv/planes.ts";
import { crossEntropy } from "../../../../src/nn/cross-entropy.ts";
import { Embedding } from "../../../../src/nn/embedding.ts";
import { FeedForward } from "../../../../src/nn/feed-forward.ts";
import { Linear } from "../../../../src/nn/linear.ts";
import { BatchNorm2d } from "../../../../src/nn/norms/batch-norm.ts";
import { LayerNorm, normalize, PaLMLayerNorm, RMSNorm } from "../../../../src/nn/norms/layer-norm.ts";
import { fourierFeatures } from "../../../../src/nn/positions/fourier.ts";
import { LearnedPositions } from "../../../../src/nn/positions/learned.ts";
import { RotaryEmbedding } from "../../../../src/nn/positions/palm-rotary.ts";
import { rotary } from "../../../../src/nn/positions/rotary.ts";
import { XPos } from "../../../../src/nn/positions/xpos.ts";
import { loadStateDict } from "../../../../src/nn/state-dict.ts";
import { gradients } from "../../../../src/tensor/autodiff/gradients.ts";
import * as arrange from "../../../../src/tensor/ops/arrange.ts";
import * as ops from "../../../../src/tensor/ops/functions.ts";
import { named } from "../../../../src/tensor/pattern.ts";
import { evaluate } from "../../../../src/tensor/program/evaluate.ts";
import { record } from "../../../../src/tensor/program/record.ts";
import { dropout, generator } from "../../../../src/tensor/random.ts";
import { abstractTensor, Bool, bool, Int, int, Tensor, tensor } from "../../../../src/tensor/tensor.ts";
import { loadCheckpoint } from "../../../../src/training/checkpoint.ts";
import { weightedSum } from "../../../../src/training/losses.ts";
import { sgd } from "../../../../src/training/optimizers/sgd.ts";

type Shape = readonly number[];
type Array = { readonly shape: Shape };

const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);
const t = (...shape: number[]): Tensor =>
  tensor(
    "...",
    shape,
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.cos(i)),
  );
/** Ids 0 and 1 in turn. */
const ids = (...shape: number[]): Int =>
  new Int(
    shape,
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => i % 2),
  );
const all = (...shape: number[]): Bool => new Bool(shape, new Uint8Array(sizeOf(shape)).fill(1));

export interface Call {
  /** An export, or a method of one. */
  readonly name: string;
  readonly given: Readonly<Record<string, Shape>>;
  readonly result: readonly Shape[];
}

/** Calls a function with arrays by the names that its docstring gives them. */
function call<G extends Record<string, Array>>(
  name: string,
  given: G,
  f: (given: G) => Array | readonly Array[],
): Call {
  const result = f(given);
  const results = "shape" in result ? [result] : result;
  const shapes = Object.entries(given).map(([key, { shape }]) => [key, shape] as const);
  return { name, given: Object.fromEntries(shapes), result: results.map(({ shape }) => shape) };
}

const x = t(2, 3, 5);
const options = { mayAttend: all(2, 3, 7), emptyRow: "zero" } as const;

const ofOps: readonly Call[] = [
  call("add", { a: x, b: x }, ({ a, b }) => ops.add(a, b)),
  call("exp", { x }, ({ x }) => ops.exp(x)),
  call("where", { keep: all(2, 3, 5), x }, ({ keep, x }) => ops.where(keep, x)),
  call("sumLast", { x }, ({ x }) => ops.sumLast(x)),
  call("sumExp", { x, shift: t(2, 3, 1) }, ({ x, shift }) => ops.sumExp(x, shift)),
  call("softmax", { x }, ({ x }) => ops.softmax(x)),
  call("maskedSoftmax", { x, mayAttend: all(2, 3, 5) }, ({ x, mayAttend }) =>
    ops.maskedSoftmax(x, mayAttend, { emptyRow: "zero" }),
  ),
  call("gather", { table: t(7, 5), ids: ids(2, 3) }, ({ table, ids }) => ops.gather(table, ids)),
  call("scatter", { x, ids: ids(2, 3) }, ({ x, ids }) => ops.scatter(x, ids, 7)),
  call("pick", { x, ids: ids(2, 3) }, ({ x, ids }) => ops.pick(x, ids)),
  call("place", { x: t(2, 3), ids: ids(2, 3) }, ({ x, ids }) => ops.place(x, ids, 7)),
  call("arange", {}, () => ops.arange("n", 7)),
  call("slice", { x }, ({ x }) => arrange.slice(x, -1, 1, 3)),
  call("pad", { x }, ({ x }) => arrange.pad(x, -1, 1, 3)),
  call("windows", { x }, ({ x }) => arrange.windows(x, -1, 3, 1)),
  call("overlap", { x: t(2, 3, 5) }, ({ x }) => arrange.overlap(x, -1, 1, 7)),
  call("unbind", { x }, ({ x }) => arrange.unbind(x)),
  call("split", { x: t(2, 5) }, ({ x }) => Object.values(arrange.split(x, { w: 5 }))),
  call("chunk", { x: t(2, 14) }, ({ x }) => arrange.chunk(x)),
  call("dropout", { x }, ({ x }) => dropout(x, 0.5, generator(1))),
];

const planes = t(2, 3, 11, 13);

const ofLayers: readonly Call[] = [
  call("geluTanh", { x }, ({ x }) => geluTanh(x)),
  call("Linear.forward", { x }, ({ x }) => new Linear("d -> e", 5, 7).forward(x)),
  call("Embedding.forward", { ids: ids(2, 3) }, ({ ids }) => new Embedding("d", 7, 5).forward(ids)),
  call("FeedForward.forward", { x }, ({ x }) => new FeedForward({ dim: 5 }).forward(x)),
  call("normalize", { x }, ({ x }) => normalize(x)),
  call("LayerNorm.forward", { x }, ({ x }) => new LayerNorm(5).forward(x)),
  call("RMSNorm.forward", { x }, ({ x }) => new RMSNorm(5).forward(x)),
  call("PaLMLayerNorm.forward", { x }, ({ x }) => new PaLMLayerNorm(5).forward(x)),
  call("BatchNorm2d.forward", { x: planes }, ({ x }) => new BatchNorm2d(3).forward(x)),
  call("conv2d", { x: planes, weight: t(17, 3, 5, 7) }, ({ x, weight }) => conv2d(x, weight)),
  call("Conv2d.forward", { x: planes }, ({ x }) => new Conv2d(3, 17, { kernelSize: [5, 7] }).forward(x)),
  call("maxPool2d", { x: planes }, ({ x }) => maxPool2d(x, { size: [2, 3] })),
  call("unfold", { x: planes }, ({ x }) => unfold(x, { size: [5, 7] })),
  call(
    "crossEntropy",
    { logits: x, targets: ids(2, 3) },
    ({ logits, targets }) => crossEntropy(logits, targets).perToken,
  ),
  call(
    "attention",
    { q: t(2, 3, 5), k: t(2, 7, 5), v: t(2, 7, 11), mayAttend: all(2, 3, 7) },
    ({ q, k, v }) => attention({}, q, k, v, options),
  ),
  call("rotary", { x: t(2, 3, 6) }, ({ x }) => rotary(x, { width: 4 })),
  call("XPos.forward", { x: t(2, 3, 6) }, ({ x }) => new XPos({ width: 6 }).forward(x)),
  call("RotaryEmbedding.forward", {}, () => new RotaryEmbedding(6).forward(5)),
  call("fourierFeatures", { positions: t(7, 2) }, ({ positions }) =>
    fourierFeatures(positions, { bands: 3, maxResolution: [5, 5] }),
  ),
  call("LearnedPositions.forward", { positions: ids(2, 3) }, ({ positions }) =>
    new LearnedPositions("d", { rows: 7, dim: 5 }).forward(positions),
  ),
];

const head = { dim: 10, heads: 2, dimHead: 4 };
const llama = new LlamaForCausalLM({
  vocabSize: 17,
  hiddenSize: 12,
  intermediateSize: 5,
  numHiddenLayers: 1,
  numAttentionHeads: 2,
});

const ofModels: readonly Call[] = [
  call("SwiGLU.forward", { x: t(2, 3, 14) }, ({ x }) => new SwiGLU().forward(x)),
  call("PerceiverAttention.forward", { x: t(2, 3, 7, 10), latents: t(2, 3, 5, 10) }, ({ x, latents }) =>
    new PerceiverAttention(head).forward(x, latents),
  ),
  call("MaskedCrossAttention.forward", { x: t(2, 7, 10), media: t(2, 3, 5, 11) }, ({ x, media }) =>
    new MaskedCrossAttention({ ...head, dimMedia: 11 }).forward(x, media),
  ),
  call("GatedCrossAttentionBlock.forward", { x: t(2, 7, 10), media: t(2, 3, 5, 11) }, ({ x, media }) =>
    new GatedCrossAttentionBlock({ ...head, dimMedia: 11 }).forward(x, media),
  ),
  call("ParallelTransformerBlock.forward", { x: t(2, 7, 10) }, ({ x }) =>
    new ParallelTransformerBlock(head).forward(x),
  ),
  call("LlamaForCausalLM.logits", { x: t(2, 3, 12) }, ({ x }) => llama.logits(x)),
];

export const calls: readonly Call[] = [...ofOps, ...ofLayers, ...ofModels];

export interface Refused {
  readonly name: string;
  readonly error: string;
  readonly call: () => unknown;
}

const refusal = (error: string) => (name: string, call: () => unknown) => ({ name, error, call });
const shape = refusal("ShapeError");
const rule = refusal("RuleError");
const load = refusal("LoadError");
const range = refusal("RangeError");

const program = record(() => ({ y: ops.mul(x, x) }), { inputs: { x } });
const oneHead = { vocabSize: 5, nEmbd: 6, nLayer: 1, nHead: 1, rotaryDim: 2 };

export const refused: readonly Refused[] = [
  shape("Tensor", () => new Tensor([1.5])),
  shape("tensor", () => tensor("i j", [[1, 2], [3]])),
  rule("tensor", () => tensor("i", [1, "2" as never])),
  rule("int", () => int("i", [0.5])),
  rule("bool", () => bool("i", [1 as never])),
  shape("abstractTensor", () => abstractTensor("a", [-1])),
  shape("named", () => named("b d", x)),
  shape("add", () => ops.add(x, t(2, 3))),
  shape("expand", () => ops.expand(x, t(3, 3, 5))),
  rule("maskedSoftmax", () => ops.maskedSoftmax(x, all(2, 3, 5), { emptyRow: "none" as never })),
  rule("gather", () => ops.gather(t(1, 5), ids(2, 3))),
  rule("scatter", () => ops.scatter(x, ids(2, 3), 1)),
  rule("pick", () => ops.pick(t(2, 3, 1), ids(2, 3))),
  rule("place", () => ops.place(t(2, 3), ids(2, 3), 1)),
  shape("einsum", () => arrange.einsum("i j, k -> i j k", x, t(2))),
  shape("rearrange", () => arrange.rearrange("a b c -> a b", x as Tensor)),
  shape("slice", () => arrange.slice(x, 0, 1, 3)),
  shape("pad", () => arrange.pad(x, 3, 1, 1)),
  shape("windows", () => arrange.windows(x, 0, 3, 1)),
  shape("overlap", () => arrange.overlap(t(2, 3), 0, 4, 3)),
  shape("unbind", () => arrange.unbind(t(1, 2))),
  shape("split", () => arrange.split(x, { w: 4 })),
  shape("chunk", () => arrange.chunk(x)),
  rule("dropout", () => dropout(x, 2, generator(1))),
  shape("gradients", () => gradients(program, "y", ["x"])),
  shape("evaluate", () => evaluate(program, { z: x })),
  shape("replay", () => replay(program, reference(), { taps: ["none"] })),
  rule("replay", () => replay(program, reference(), { keep: "all" as never })),
  shape("matmul", () => matmul(t(2, 3), t(2, 3), reference())),
  rule("simd", () => simd({ precision: "float64" } as never)),
  shape("LayerNorm", () => new LayerNorm(4).forward(x)),
  shape("BatchNorm2d", () => new BatchNorm2d(4).forward(planes)),
  shape("attention", () => attention({}, t(2, 3, 5), t(2, 7, 4), t(2, 7, 4), options)),
  rule("Embedding", () => new Embedding("d", 1, 5).forward(ids(2))),
  rule("crossEntropy", () => crossEntropy(x, ids(2, 5))),
  rule("fourierFeatures", () =>
    fourierFeatures(abstractTensor("n d", [7, 1]), { bands: 1, maxResolution: [5] }),
  ),
  rule("RotaryEmbedding", () => new RotaryEmbedding(5)),
  load("loadStateDict", () => loadStateDict(new LayerNorm(4), {} as never)),
  rule("SwiGLU", () => new SwiGLU().forward(x)),
  rule("MaskedCrossAttention", () => new MaskedCrossAttention(head).forward(t(2, 7, 10), t(2, 0, 5, 10))),
  rule("PerceiverResampler", () =>
    new PerceiverResampler({ ...head, depth: 1, numMediaEmbeds: 1 }).forward(t(2, 3, 7, 10)),
  ),
  rule("ParallelTransformerBlock", () => new ParallelTransformerBlock(head).forward(t(2, 0, 10))),
  rule(
    "FlamingoPaLM",
    () => new FlamingoPaLM({ ...head, numTokens: 5, depth: 1, profile: "flamingo-pytorch@0.1.2" }),
  ),
  rule("LlamaForCausalLM", () => new LlamaForCausalLM({ numAttentionHeads: 3, numKeyValueHeads: 2 })),
  rule("GPTJForCausalLM", () => new GPTJForCausalLM({ ...oneHead, rotaryDim: 3 })),
  rule(
    "ViT",
    () => new ViT({ imageSize: 7, patchSize: 2, numClasses: 1, dim: 4, depth: 1, heads: 1, mlpDim: 4 }),
  ),
  rule("kosmosTextLimit", () => kosmosTextLimit({ images: -1 })),
  range("mediaLocations", () => mediaLocations({ shape: [1, 2, 3], data: [1] } as never, 1)),
  range("mediaMask", () => mediaMask({ shape: [1, 1], data: [0] }, -1, conventionOf("paper"))),
  rule("readImage", () => readImage(new Uint8Array(1), "CMYK" as never)),
  load("readImage", () => readImage(new Uint8Array(1))),
  rule("writeSafetensors", () => writeSafetensors(new Map([["__metadata__", x]]))),
  rule("writeTorch", () => writeTorch(new Map([["a", ids(2) as never]]))),
  load("loadTokenizer", () => loadTokenizer("no/such/folder")),
  load("loadCheckpoint", () =>
    loadCheckpoint("no/such/file", { model: {}, optimizer: sgd({ groups: [] }) } as never),
  ),
  rule("sgd", () => sgd({ groups: [], nesterov: true })),
  rule("weightedSum", () => weightedSum([] as never)),
  rule("accuracy", () => accuracy([], [])),
];
