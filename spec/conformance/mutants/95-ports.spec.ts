// [mutant.nearest] of 95-mutants.md: ports with one mistake each, as loops of their own, are named. Formulas: A. Vaswani et al. (arXiv
// 1706.03762), equation (1) and §3.2.2; J.-B. Alayrac et al. (arXiv 2204.14198), figure 5; J. L. Ba et al. (arXiv 1607.06450); SiLU of
// S. Elfwing et al. (arXiv 1702.03118).
import { describe, expect, test } from "vitest";
import { MaskedCrossAttention } from "../../../src/blocks/masked-cross-attention.ts";
import { ParallelTransformerBlock } from "../../../src/blocks/parallel-transformer-block.ts";
import { evaluationOf } from "../../../src/conformance/mutants/evaluation.ts";
import { mutants, nearestMutant } from "../../../src/conformance/mutants/mutants.ts";
import { check, type PortCase, type PortForward } from "../../../src/entries/conformance.ts";
import { readCase } from "../../../src/io/golden/cases.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Tensor as FloatTensor, flat, tensor, view } from "../../../src/tensor/tensor.ts";

type Row = readonly number[];
type Tensor = PortCase["inputs"][string];

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (values: Row): number => values.reduce((total, x) => total + x, 0);
const dot = (a: Row, b: Row): number => sum(a.map((x, i) => x * (b[i] ?? Number.NaN)));

/** The rows of a tensor, of all leading axes. */
function rows({ shape, data }: Tensor): Row[] {
  const width = shape.at(-1) ?? 0;
  return upTo(data.length / width).map((i) => [...data.subarray(i * width, (i + 1) * width)]);
}

/** A weight or an input of a case. */
function named(from: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const found = from[name];
  if (!found) throw new Error(`no ${name}`);
  return found;
}

/** Φ(x) = 1/2 + ∫₀ˣ e^(−t²/2) / √(2π) dt by Simpson's rule. */
function normalCdf(x: number): number {
  const [to, steps] = [Math.max(-9, Math.min(9, x)), 1000];
  const weight = (i: number): number => (i === 0 || i === steps ? 1 : i % 2 === 0 ? 2 : 4);
  const terms = upTo(steps + 1).map((i) => weight(i) * Math.exp(-(((i * to) / steps) ** 2) / 2));
  return 0.5 + ((sum(terms) / Math.sqrt(2 * Math.PI)) * to) / (3 * steps);
}

const linear = ({ weights }: PortCase, layer: string, x: Row): Row =>
  rows(named(weights, `${layer}.weight`)).map((weight) => dot(weight, x));

function norm({ weights }: PortCase, layer: string, x: Row): Row {
  const mean = sum(x) / x.length;
  const deviation = Math.sqrt(sum(x.map((v) => (v - mean) ** 2)) / x.length + 1e-5);
  const [scale, shift] = ["weight", "bias"].map((part) => named(weights, `${layer}.${part}`).data);
  return x.map((v, i) => ((v - mean) / deviation) * (scale?.[i] ?? 1) + (shift?.[i] ?? 0));
}

interface Widths {
  readonly dim: number;
  readonly head: number;
  readonly heads: number;
}

/** The parts of an attention that mistakes change. */
interface Choices {
  /** The factor of the scores. */
  readonly scale: (widths: Widths) => number;
  /** The column of a head's feature, in a projection and in the joined results. */
  readonly column: (h: number, c: number, widths: Widths) => number;
  /** Whether results in the order prompt, head, image, latent are read in the order prompt, image, latent, head. */
  readonly unmoved: boolean;
}
const RIGHT: Choices = {
  scale: ({ head }) => 1 / Math.sqrt(head),
  column: (h, c, { head }) => h * head + c,
  unmoved: false,
};

/** PerceiverAttention: softmax(q kᵀ scale) v of the latents over features and latents, for each image by itself. */
const perceiverAttention =
  (mistake: Partial<Choices>): PortForward =>
  (one) => {
    const { scale, column, unmoved } = { ...RIGHT, ...mistake };
    const [x, latents] = ["x", "latents"].map((name) => named(one.inputs, name)) as [Tensor, Tensor];
    const [b = 0, m = 0, r = 0] = latents.shape;
    const [dim, head, heads] = ["dim", "dim_head", "heads"].map((name) => Number(one.config[name])) as [
      number,
      number,
      number,
    ];
    const [widths, inner] = [{ dim, head, heads }, head * heads];
    const ofImage = (all: readonly Row[], i: number): Row[] =>
      all.slice((i * all.length) / (b * m), ((i + 1) * all.length) / (b * m));
    const columns = (row: Row, h: number, from = 0): Row =>
      upTo(head).map((c) => row[from + column(h, c, widths)] ?? Number.NaN);
    const joined = new Float64Array(b * m * r * inner);
    for (const i of upTo(b * m)) {
      const queries = ofImage(rows(latents), i).map((row) => norm(one, "norm_latents", row));
      const media = ofImage(rows(x), i).map((row) => norm(one, "norm_media", row));
      const kv = [...media, ...queries].map((row) => linear(one, "to_kv", row));
      for (const [l, query] of queries.map((row) => linear(one, "to_q", row)).entries())
        for (const h of upTo(heads)) {
          const scores = kv.map((row) => scale(widths) * dot(columns(query, h), columns(row, h)));
          const powers = scores.map((score) => Math.exp(score - Math.max(...scores)));
          const values = kv.map((row) => columns(row, h, inner));
          for (const c of upTo(head)) {
            const moved = (i * r + l) * inner + column(h, c, widths);
            const still = (((Math.floor(i / m) * heads + h) * m + (i % m)) * r + l) * head + c;
            const mean =
              dot(
                powers,
                values.map((row) => row[c] ?? Number.NaN),
              ) / sum(powers);
            joined[unmoved ? still : moved] = mean;
          }
        }
    }
    const results = { ...latents, shape: [b, m, r, inner], data: joined };
    return rows(results).flatMap((row) => linear(one, "to_out", row));
  };

/** The prompt whose mask a head of a prompt reads, of so many prompts and heads. */
type MaskedAs = (b: number, h: number, prompts: number, heads: number) => number;
const ITS_OWN: MaskedAs = (b) => b;
/** Position b · heads + h of masks that follow each other as 0, 1, 0, 1, …: those of `mask.repeat(heads, 1, 1)` in PyTorch. */
const TILED: MaskedAs = (b, h, prompts, heads) => (b * heads + h) % prompts;
/** Position h · prompts + b of masks that follow each other as 0, 0, …, 1, 1, …: those of `mask.repeat_interleave(heads, 0)`. */
const INTERLEAVED: MaskedAs = (b, h, prompts, heads) => Math.floor((h * prompts + b) / heads);

/** MaskedCrossAttention: a token attends to the last image before it and is zero before the first (arXiv 2204.14198, §3.1.3). */
const maskedCrossAttention =
  (maskOf: MaskedAs, zeroingOf: MaskedAs): PortForward =>
  (one) => {
    const [x, media, located] = ["x", "media", "media_locations"].map((name) => named(one.inputs, name)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const [prompts = 0, l = 0] = x.shape;
    const [, images = 0, latents = 0] = media.shape;
    const { heads = 8, dim_head = 64 } = one.config as { heads?: number; dim_head?: number };
    const column = (row: Row, h: number, from = 0): Row =>
      row.slice(from + h * dim_head, from + (h + 1) * dim_head);
    const imagesUpTo = (b: number, i: number): number =>
      sum([...located.data.subarray(b * l, b * l + i + 1)].map(Number));
    const queries = rows(x).map((row) => linear(one, "to_q", norm(one, "norm", row)));
    const kv = rows(media).map((row) => linear(one, "to_kv", row));
    return upTo(prompts * l).flatMap((at) => {
      const [b, i] = [Math.floor(at / l), at % l];
      const keys = kv.slice(b * images * latents, (b + 1) * images * latents);
      const joined = upTo(heads).flatMap((h) => {
        if (imagesUpTo(zeroingOf(b, h, prompts, heads), i) === 0) return upTo(dim_head).map(() => 0);
        const image = imagesUpTo(maskOf(b, h, prompts, heads), i) - 1;
        const isSeen = (s: number): boolean => Math.floor(s / latents) === image;
        const none = !keys.some((_, s) => isSeen(s)); // a finite fill leaves the average of all keys
        const scores = keys.map((row) =>
          none ? 0 : dot(column(queries[at] ?? [], h), column(row, h)) / Math.sqrt(dim_head),
        );
        const powers = scores.map((score, s) => (none || isSeen(s) ? Math.exp(score) : 0));
        const values = keys.map((row) => column(row, h, heads * dim_head));
        return upTo(dim_head).map(
          (c) =>
            dot(
              powers,
              values.map((row) => row[c] ?? Number.NaN),
            ) / sum(powers),
        );
      });
      return linear(one, "to_out", joined);
    });
  };

/** FeedForward with another activation. */
const feedForward =
  (activation: (x: number) => number): PortForward =>
  (one) =>
    rows(named(one.inputs, "input")).flatMap((row) =>
      linear(one, "3", linear(one, "1", norm(one, "0", row)).map(activation)),
    );

/** The mistakes found in the cases, without repetition; "passed" and null where there is none. */
async function mistakesFound(port: PortForward, cases: string | string[]): Promise<(string | null)[]> {
  const { cases: results } = await check(port, { cases });
  return [
    ...new Set(
      results.map(({ status, mistake }) => (status === "passed" ? "passed" : (mistake?.id ?? null))),
    ),
  ];
}

describe("ports", () => {
  // Widths of the model, of a head and of all heads: 12, 8, 16 and 9, 3, 12. Four and five latents.
  const ATTENTION = ["perceiver-attention--basic", "perceiver-attention--many-heads"];

  test("a port without a mistake passes", async () => {
    expect(await mistakesFound(perceiverAttention({}), ATTENTION)).toEqual(["passed"]);
  });

  test.each<[string, Partial<Choices>]>([
    ["query-scaled-by-model-width", { scale: ({ dim }) => dim ** -0.5 }],
    ["query-scaled-by-inner-width", { scale: ({ head, heads }) => (head * heads) ** -0.5 }],
    ["query-divided-by-scale", { scale: ({ head }) => 1 / head ** -0.5 }],
    ["query-unscaled", { scale: () => 1 }],
    ["heads-inside-throughout", { column: (h, c, { heads }) => c * heads + h }],
    ["heads-not-moved-back", { unmoved: true }],
  ])("[mutant.nearest] %s is named in every case", async (id, mistake) => {
    expect(await mistakesFound(perceiverAttention(mistake), ATTENTION)).toEqual([id]);
  });

  // Two prompts with different masks, and eight and three heads: with as many prompts as heads both orders are the same mistake.
  const MASKED = ["defaults", "adjacent-images"].map(
    (name) => `flamingo-pytorch/masked-cross-attention--${name}`,
  );

  test.each<[string, MaskedAs, MaskedAs]>([
    ["passed", ITS_OWN, ITS_OWN],
    ["mask-tiled-over-heads", TILED, ITS_OWN],
    ["mask-tiled-with-zeroing", TILED, TILED],
    ["mask-interleaved-over-heads", INTERLEAVED, ITS_OWN],
    ["mask-interleaved-with-zeroing", INTERLEAVED, INTERLEAVED],
  ])(
    "[mutant.nearest] masks in another order than the scores: %s in every case",
    async (id, mask, zeroing) => {
      expect(await mistakesFound(maskedCrossAttention(mask, zeroing), MASKED)).toEqual([id]);
    },
  );

  test("with one head, or one prompt's mask for all, the order of masks is no mistake", async () => {
    const cases = ["one-head", "all-media"].map((name) => `flamingo-pytorch/masked-cross-attention--${name}`);
    expect(await mistakesFound(maskedCrossAttention(TILED, TILED), cases)).toEqual(["passed"]);
  });

  test("[mutant.nearest] silu, relu and the sigmoid approximation in a feed-forward are distinguished", async () => {
    const cases = ["feed-forward--basic", "feed-forward--low-variance"];
    const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
    expect(
      await mistakesFound(
        feedForward((x) => x * sigmoid(x)),
        cases,
      ),
    ).toEqual(["silu"]);
    expect(
      await mistakesFound(
        feedForward((x) => Math.max(x, 0)),
        cases,
      ),
    ).toEqual(["relu"]);
    expect(
      await mistakesFound(
        feedForward((x) => x * sigmoid(1.702 * x)),
        cases,
      ),
    ).toEqual(["gelu-quick"]);
  });

  test("with one head, or as wide as the model, the layout and the width of the scale are no mistake", async () => {
    const inside = perceiverAttention({ column: (h, c, { heads }) => c * heads + h });
    expect(await mistakesFound(inside, "perceiver-attention--one-head")).toEqual(["passed"]);
    expect(
      await mistakesFound(perceiverAttention({ unmoved: true }), "perceiver-attention--one-head"),
    ).toEqual(["passed"]);
  });

  test("[mutant.nearest] GELU with erf, where the module has the approximation by tanh", async () => {
    const port: PortForward = ({ inputs }) => [...named(inputs, "input").data].map((x) => x * normalCdf(x));
    expect(await mistakesFound(port, "gelu--basic")).toEqual(["passed"]);
    expect(await mistakesFound(port, "gelu--tanh")).toEqual(["gelu-exact"]);
  });
});

/** A matrix whose row or column i is that at `from(i)` of another; a bias has rows only. */
function permuted(matrix: FloatTensor, axis: 0 | 1, from: (i: number) => number): FloatTensor {
  const [o = 0, width = 1] = matrix.shape;
  const values = flat(matrix.data);
  const moved = upTo(o * width).map((at) => {
    const [row, column] = [Math.floor(at / width), at % width];
    return values[axis === 0 ? from(row) * width + column : row * width + from(column)] ?? Number.NaN;
  });
  return new FloatTensor(matrix.shape, view(Float64Array.from(moved), matrix.shape));
}

/** The output of a model with a mistake, and that of the right model with other weights. */
function outputs(folder: string, id: string, changed: (name: string, weight: FloatTensor) => FloatTensor) {
  const golden = readCase(`golden/cases/${folder}`);
  const { context, outputOf } = evaluationOf(golden);
  const mistaken = mutants.find((one) => one.id === id)?.apply(context);
  if (!mistaken) throw new Error(`${id} does not apply`);
  const weights: Record<string, FloatTensor> = {};
  for (const [name, weight] of golden.weights)
    if (weight instanceof FloatTensor) weights[name] = changed(name, weight);
  const right = evaluate(context.program, weights).outputs[golden.manifest.outputs[0] ?? ""];
  if (!right) throw new Error("no output");
  const nearest = nearestMutant(golden, right)?.mutant.id;
  golden.close();
  const [mistake, other] = [outputOf(mistaken), right].map(({ data }) => [...flat(data)]);
  return {
    mistake: mistake ?? [],
    other: other ?? [],
    unchanged: [...flat(outputOf(context.program).data)],
    nearest,
  };
}

describe("a mistake in the order of heads equals the right order with the weights' rows in another order", () => {
  const farthest = (a: readonly number[], b: readonly number[]): number =>
    Math.max(...a.map((x, i) => Math.abs(x - (b[i] ?? Number.NaN))));

  test("[mutant.nearest] heads-inside-throughout: feature c of head h has the row c · heads + h", () => {
    const [heads, head] = [4, 3];
    const from = (i: number): number => {
      const [part, at] = [Math.floor(i / (heads * head)), i % (heads * head)]; // part: keys or values
      return part * heads * head + (at % head) * heads + Math.floor(at / head);
    };
    const { mistake, other, unchanged, nearest } = outputs(
      "flamingo-pytorch/perceiver-attention--many-heads",
      "heads-inside-throughout",
      (name, weight) =>
        name.startsWith("to_") ? permuted(weight, name.startsWith("to_out") ? 1 : 0, from) : weight,
    );
    expect(farthest(mistake, other)).toBeLessThan(1e-13);
    expect(farthest(mistake, unchanged)).toBeGreaterThan(0.01);
    expect(nearest).toBe("heads-inside-throughout");
  });

  test("[mutant.nearest] grouped-keys-tiled: head h of group g has the rows of head h · groups + g", () => {
    const [groups, perGroup, head] = [2, 2, 6];
    const from = (i: number): number => {
      const at = Math.floor(i / head);
      return ((at % perGroup) * groups + Math.floor(at / perGroup)) * head + (i % head);
    };
    const { mistake, other, unchanged, nearest } = outputs(
      "transformers/llama-for-causal-lm--grouped-queries",
      "grouped-keys-tiled",
      (name, weight) => {
        if (name.endsWith("q_proj.weight")) return permuted(weight, 0, from);
        return name.endsWith("o_proj.weight") ? permuted(weight, 1, from) : weight;
      },
    );
    expect(farthest(mistake, other)).toBeLessThan(1e-12);
    expect(farthest(mistake, unchanged)).toBeGreaterThan(0.01);
    expect(nearest).toBe("grouped-keys-tiled");
  });
});

describe("keys and values in the other order are a port that reads a joint projection with its rows exchanged", () => {
  /** Rows of keys and values exchanged, which follow `before` rows; the pattern repeats every `period` rows. */
  const exchanged =
    (before: number, width: number, period: number) =>
    (i: number): number => {
      const at = i % period;
      if (at < before || at >= before + 2 * width) return i;
      return at < before + width ? i + width : i - width;
    };

  // Widths of the projections' parts, from the configurations of the cases: rows of queries, then of keys, then of values.
  test.each<[folder: string, weight: string, (i: number) => number]>([
    ["flamingo-pytorch/perceiver-attention--many-heads", "to_kv", exchanged(0, 12, 24)],
    ["flamingo-pytorch/masked-cross-attention--adjacent-images", "to_kv", exchanged(0, 12, 24)],
    ["flamingo-pytorch/parallel-transformer-block--basic", "fused_attn_ff_proj", exchanged(8, 4, 112)],
    ["transformers/gpt-neox-for-causal-lm--parallel-residual", "query_key_value", exchanged(8, 8, 24)],
    ["transformers/mpt-for-causal-lm--three-heads", "Wqkv", exchanged(12, 12, 36)],
    ["llm-foundry/mosaic-mpt-for-causal-lm--without-qk-ln", "Wqkv", exchanged(12, 12, 36)],
    ["open-clip/vision-transformer--raw", "in_proj", exchanged(12, 12, 36)],
  ])("[mutant.nearest] keys-as-values in %s", (folder, projection, from) => {
    const { nearest } = outputs(folder, "keys-as-values", (name, weight) =>
      name.includes(projection) ? permuted(weight, 0, from) : weight,
    );
    expect(nearest).toBe("keys-as-values");
  });

  const x = tensor("b l d", [1, 3, 8], Float64Array.from(upTo(24), Math.sin));
  const media = tensor("b m r e", [1, 1, 2, 8], Float64Array.from(upTo(16), Math.cos));
  const options = { dim: 8, heads: 2, dimHead: 4 };
  const [palm, cross] = [new ParallelTransformerBlock(options), new MaskedCrossAttention(options)];

  test.each<[string, object, () => FloatTensor, string, (i: number) => number]>([
    [
      "ParallelTransformerBlock",
      palm,
      () => palm.forward(palm.forward(x)),
      "fused_attn_ff_proj.weight",
      exchanged(8, 4, 80),
    ],
    [
      "MaskedCrossAttention",
      cross,
      () => cross.forward(cross.forward(x, media), media),
      "to_kv.weight",
      exchanged(0, 8, 16),
    ],
  ])("keys-as-values in both calls of a %s", (_, model, forward, name, from) => {
    initialize(model, 1);
    const recorded = (around: <T>(f: () => T) => T = (f) => f()) => record(() => around(forward), { model });
    const program = recorded();
    const mistaken = mutants
      .find(({ id }) => id === "keys-as-values")
      ?.apply({ program, model, inputs: {} as never, record: recorded });
    if (!mistaken) throw new Error("does not apply");
    const weight = stateDict(model).get(name) as FloatTensor;
    const other = evaluate(program, { [name]: permuted(weight, 0, from) }).outputs.out?.flat();
    const mistake = evaluate(mistaken).outputs.out?.flat();
    expect([...(mistake ?? [])]).toEqual([...(other ?? [Number.NaN])]);
    expect([...(mistake ?? [])]).not.toEqual([...(evaluate(program).outputs.out?.flat() ?? [])]);
  });
});
