// The executable half of 78-rank-classification.md. Expected scores are sums over full forward passes, without a cache; the release's own
// are in golden/cases/open-flamingo.
import { expect, test } from "vitest";
import { mediaLocations, visibilityOf } from "../../src/entries/masks.ts";
import { classProbabilities, ensembled, ensembleOrders } from "../../src/evaluation/classes.ts";
import { type RankOptions, rankClassifications } from "../../src/evaluation/rank-classification.ts";
import { prefill } from "../../src/generation/prompts.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { conventions } from "../../src/masks/conventions/conventions.ts";
import { readTokens } from "../../src/models/language-model.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { OPTForCausalLM } from "../../src/models/language-models/opt.ts";
import type { OpenFlamingo } from "../../src/models/open-flamingo/flamingo.ts";
import { Bool, flat, Int, sizeOf, type Tensor } from "../../src/tensor/tensor.ts";
import { IMAGE, images as imagesFor, smallFlamingo } from "../support/fixtures/open-flamingo/small.ts";
import { list } from "../support/oracles/modules.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";
import { refusalOf } from "../support/properties/refusals.ts";

const PAD = 7;
const sizes = { vocabSize: 11, hiddenSize: 8, numAttentionHeads: 2, numHiddenLayers: 3 };

const llama = smallFlamingo(
  new LlamaForCausalLM({ ...sizes, intermediateSize: 6, rotaryPrecision: "float64" }),
);
const opt = smallFlamingo(new OPTForCausalLM({ ...sizes, ffnDim: 6, maxPositionEmbeddings: 40 }));

const PROMPTS = [
  [1, IMAGE, 2, 3],
  [IMAGE, 4, 2, IMAGE, 9, 1, 3],
];
const CLASSES = [[4], [9, 2], [3, 8, 10], [1, 1]];
const images = imagesFor(2, 2);

/** A text of one row; `hidden` positions are padding, to which the first `seeing` positions do not attend. */
interface Text {
  readonly ids: readonly number[];
  readonly hidden: number;
  readonly blind: number;
}

/** log softmax of the logits at each position of one row, in one pass over its text. */
function fullPass(model: OpenFlamingo, row: number, { ids, hidden, blind }: Text): number[][] {
  const l = ids.length;
  const text = new Int<"b l">([1, l], Int32Array.from(ids));
  const mayAttend = Uint8Array.from({ length: l * l }, (_, i) => {
    const [q, k] = [Math.floor(i / l), i % l];
    return Number(k <= q && (k >= hidden || q >= blind));
  });
  const media = model.perceive(slicedRow(images, row));
  const visibility = visibilityOf(mediaLocations(text, IMAGE), 2, conventions["open-flamingo@2.0.1"]);
  const positions = new Int<"b l">(
    [1, l],
    Int32Array.from(ids, (_, i) => i),
  );
  const at = { positions, mayAttend: new Bool<"b l s">([1, l, l], mayAttend), media, visibility };
  const logits = model.lang_encoder.logits(readTokens(model.lang_encoder, text, at, null).x);
  const [rows = []] = list<number[][]>(logits);
  return rows.map((scores) => {
    const sum = Math.log(scores.reduce((total, x) => total + Math.exp(x), 0));
    return scores.map((x) => x - sum);
  });
}

function slicedRow(all: Tensor<"b m f c h w">, row: number): Tensor<"b m f c h w"> {
  const one = randomTensor<"b m f c h w">([1, 2, 1, 3, 2, 2], 1);
  const size = sizeOf(one.data.shape);
  one.data.data.set(flat(all.data).subarray(row * size, (row + 1) * size));
  return one;
}

/** Σ_t log p(c_t | prompt, before, c_1 … c_{t−1}) */
function expected(
  model: OpenFlamingo,
  row: number,
  at: number,
  {
    before = [],
    pads = 0,
    seesPadding = false,
  }: { before?: number[]; pads?: number; seesPadding?: boolean } = {},
): number {
  const prompt = [...new Array<number>(pads).fill(PAD), ...(PROMPTS[row] ?? [])];
  const tokens = CLASSES[at] ?? [];
  const blind = seesPadding ? prompt.length : Number.POSITIVE_INFINITY;
  const logs = fullPass(model, row, { ids: [...prompt, ...before, ...tokens], hidden: pads, blind });
  const first = fullPass(model, row, { ids: prompt, hidden: pads, blind }).at(-1) ?? [];
  return tokens.reduce((sum, id, t) => {
    const log = t === 0 ? first : (logs[prompt.length + before.length + t - 1] ?? []);
    return sum + (log[id] ?? Number.NaN);
  }, 0);
}

const table = (value: (row: number, at: number) => number): number[][] =>
  PROMPTS.map((_, row) => CLASSES.map((_, at) => value(row, at)));
const mean = (values: readonly (readonly number[])[]): number[][] =>
  values.map((row) => row.map((x, at) => x / (CLASSES[at]?.length ?? 0)));

function expectScores(actual: readonly number[][], wanted: readonly number[][], digits = 12): void {
  expect(actual.map((row) => row.length)).toEqual(wanted.map((row) => row.length));
  for (const [row, values] of wanted.entries())
    for (const [at, x] of values.entries()) expect(actual[row]?.[at]).toBeCloseTo(x, digits);
}

const ranked = (model: OpenFlamingo, options: Partial<RankOptions> = {}): Promise<number[][]> =>
  rankClassifications(model.withMedia(images), prefill(PROMPTS, PAD), { classes: CLASSES, ...options });

test.each([
  ["llama", llama],
  ["opt", opt],
])(
  "[evaluate.rank] [evaluate.own-cache] sums of log-probabilities in one pass over prompt and class: %s",
  async (_, model) => {
    const sums = table((row, at) => expected(model, row, at));
    expectScores(await ranked(model, { normalizeLength: false }), sums);
    for (const batch of [1, 2, 3]) expectScores(await ranked(model, { normalizeLength: false, batch }), sums);
  },
);

test("[evaluate.normalize-length] the mean over the tokens is the default", async () => {
  const means = mean(table((row, at) => expected(llama, row, at)));
  expectScores(await ranked(llama), means);
  expectScores(await ranked(llama, { normalizeLength: true }), means);
});

test("[evaluate.own-cache] with the release's cache a class follows all classes before it", async () => {
  const unpadded = (model: OpenFlamingo, classes: readonly (readonly number[])[], options = {}) =>
    rankClassifications(model.withMedia(slicedRow(images, 1)), prefill(PROMPTS.slice(1), PAD), {
      classes,
      normalizeLength: false,
      ...options,
    });
  const profile = "open-flamingo@2.0.1";
  const shared = CLASSES.map((_, at) => expected(llama, 1, at, { before: CLASSES.slice(0, at).flat() }));
  expectScores(await unpadded(llama, CLASSES, { profile }), [shared]);
  const [own = []] = await unpadded(llama, CLASSES);
  const [reversed = []] = await unpadded(llama, CLASSES.toReversed());
  expectScores([reversed.toReversed()], [own]);
  const differences = shared.map((x, at) => Math.abs(x - (own[at] ?? 0)));
  expect(differences.map((x) => x > 1e-3)).toEqual([false, true, true, true]);
});

test.each([
  ["llama", llama],
  ["opt", opt],
])("[evaluate.padding] classes attend to padding in the release only: %s", async (name, model) => {
  const pads = 3;
  const first = [CLASSES[1] ?? []];
  const scores = (profile?: RankOptions["profile"]) =>
    ranked(model, { classes: first, normalizeLength: false, profile });
  const seen = expected(model, 0, 1, { pads, seesPadding: true });
  const masked = expected(model, 0, 1, { pads });
  expect((await scores())[0]?.[0]).toBeCloseTo(masked, 12);
  if (name === "llama") expect((await scores("open-flamingo@2.0.1"))[0]?.[0]).toBeCloseTo(seen, 12);
  expect(Math.abs(((await scores("open-flamingo@2.0.1"))[0]?.[0] ?? 0) - masked)).toBeGreaterThan(1e-3);
  expect((await scores("open-flamingo@2.0.1"))[1]?.[0]).toBeCloseTo(expected(model, 1, 1), 12);
});

test("[evaluate.rank] more pairs than one batch holds, and another backend", async () => {
  const classes = Array.from({ length: 50 }, (_, i) => [i % 5, 6 + (i % 4)]);
  const scores = (options: Partial<RankOptions> = {}) => ranked(llama, { classes, ...options });
  const apart = await Promise.all(classes.map((one) => ranked(llama, { classes: [one] })));
  const wanted = PROMPTS.map((_, row) => apart.map((each) => each[row]?.[0] ?? Number.NaN));
  expectScores(await scores(), wanted);
  const backend = await simd({ threads: 1 });
  try {
    expectScores(await scores({ backend }), wanted, 4);
  } finally {
    await backend.close();
  }
});

const refused = async (options: Partial<RankOptions>, prompts = prefill(PROMPTS, PAD)): Promise<string> =>
  (
    await refusalOf(() =>
      rankClassifications(llama.withMedia(images), prompts, { classes: CLASSES, ...options }),
    )
  ).message;

test("[evaluate.classes] classes without tokens, and tokens that the model lacks, are refused", async () => {
  expect(await refused({ classes: [[4], []] })).toContain("each a list of at least one token id");
  expect(await refused({ classes: [] })).toContain("a list of classes");
  expect(await refused({ classes: [[4], [1, 11]] })).toContain(
    "class 1 has the token 11, which is none of the model's 11 tokens",
  );
});

test("[evaluate.prompts] prompts without text, or with padding behind it, are refused", async () => {
  const batch = (mask: readonly number[]) => ({
    ids: new Int<"b l">([1, 3], new Int32Array(3)),
    mask: new Bool<"b s">([1, 3], Uint8Array.from(mask)),
  });
  expect(await refused({}, batch([0, 0, 0]))).toContain("prompt 0 is empty");
  expect(await refused({}, batch([1, 1, 0]))).toContain("padding at position 2, behind its text");
  expect(await refused({}, batch([0, 1, 0]))).toContain("padding at position 2");
});

test("[evaluate.ensemble] n! orders, at most 6, each of all demonstrations; their scores are averaged", () => {
  expect([1, 2, 3, 4, 32].map((n) => ensembleOrders(n, 1).length)).toEqual([1, 2, 6, 6, 6]);
  for (const order of ensembleOrders(32, 5))
    expect(order.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, i) => i));
  expect(ensembleOrders(4, 1)).toEqual(ensembleOrders(4, 1));
  expect(ensembleOrders(4, 1)).not.toEqual(ensembleOrders(4, 2));
  const counts = new Map<string, number>();
  for (let seed = 0; seed < 1000; seed++)
    for (const order of ensembleOrders(3, seed)) counts.set(`${order}`, (counts.get(`${order}`) ?? 0) + 1);
  expect(counts.size).toBe(6);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150); // five standard deviations: √(6000 · 5/36) = 29
  expect(
    ensembled([
      [-1, -4],
      [-3, -2],
    ]),
  ).toEqual([-2, -3]);
});

test("[evaluate.class-probabilities] exp(logprob − logsumexp)", () => {
  const [a, b, c] = classProbabilities([Math.log(0.02), Math.log(0.05), Math.log(0.03)]);
  expect(a).toBeCloseTo(0.2, 14);
  expect(b).toBeCloseTo(0.5, 14);
  expect(c).toBeCloseTo(0.3, 14);
  expect(classProbabilities([-2000, -2000])).toEqual([0.5, 0.5]);
});
