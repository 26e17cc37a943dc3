// The executable half of 60-magneto.md. The loops are those of support/oracles/language-models/magneto.ts.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { releaseMessage } from "../../../../src/conformance/releases/message.ts";
import { systemUnderTest } from "../../../../src/conformance/sources/registry.ts";
import { beamSearch } from "../../../../src/generation/beam-search.ts";
import { generate } from "../../../../src/generation/generate.ts";
import { readCase } from "../../../../src/io/golden/cases.ts";
import { gpu } from "../../../../src/kernels/gpu/index.ts";
import { reference } from "../../../../src/kernels/reference/index.ts";
import { run } from "../../../../src/kernels/replay.ts";
import { simd } from "../../../../src/kernels/simd/index.ts";
import {
  type Decoding,
  decodingOf,
  type KeyValues,
  noPadding,
  readTokens,
} from "../../../../src/models/language-model.ts";
import { MagnetoDecoder } from "../../../../src/models/language-models/magneto/decoder.ts";
import type { MagnetoLayer } from "../../../../src/models/language-models/magneto/layer.ts";
import {
  type MagnetoNormalization,
  type MagnetoOptions,
  NORMALIZATIONS,
} from "../../../../src/models/language-models/magneto/options.ts";
import { writerOf } from "../../../../src/models/writer.ts";
import { stateDict, ties } from "../../../../src/nn/state-dict.ts";
import { setTraining } from "../../../../src/nn/train-mode.ts";
import { ndArray } from "../../../../src/tensor/ops/elementwise.ts";
import { Bool, Int, type Tensor } from "../../../../src/tensor/tensor.ts";
import { type MagnetoShape, magnetoLogits } from "../../../support/oracles/language-models/magneto.ts";
import { linear, mat, norm, row, under, at as valueAt } from "../../../support/oracles/layers.ts";
import {
  expectNear,
  forAll,
  from,
  list,
  seeds,
  weighted,
  weightsOf,
} from "../../../support/oracles/modules.ts";
import { randomTensor } from "../../../support/properties/arbitraries.ts";
import { firstCache } from "../../../support/properties/caches.ts";
import {
  expectClose,
  expectSame,
  replayEqualsEager,
  valuesOf,
  vjpEqualsFiniteDifferences,
} from "../../../support/properties/programs.ts";
import { refusal } from "../../../support/properties/refusals.ts";

const small = {
  vocabSize: 7,
  width: 8,
  feedForwardWidth: 6,
  layers: 2,
  heads: 2,
  rotaryPrecision: "float64",
} as const satisfies MagnetoOptions;
const ids = [3, 1, 6, 6, 0, 2, 5, 4];
const everyToken = (tokens: readonly number[]): boolean[] => tokens.map(() => true);

const textOf = (rows: readonly (readonly number[])[]): Int<"b l"> =>
  new Int([rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));
const maskOf = (marks: readonly (readonly boolean[])[]): Bool<"b s"> =>
  new Bool([marks.length, marks[0]?.length ?? 0], Uint8Array.from(marks.flat(), Number));
const decoding = (mask: Bool<"b s">, l: number, more: Partial<Decoding> = {}): Decoding => ({
  ...decodingOf(mask, l, "slots"),
  media: null,
  visibility: null,
  ...more,
});

function logits(
  model: MagnetoDecoder,
  rows: readonly (readonly number[])[],
  marks?: readonly (readonly boolean[])[],
  more: Partial<Decoding> = {},
): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const at = decoding(marks ? maskOf(marks) : noPadding(b, l), l, more);
  return model.logits(readTokens(model, textOf(rows), at, null).x);
}

/** Logits of one text that is read in passes of the given sizes. */
function inPasses(
  model: MagnetoDecoder,
  rows: readonly (readonly number[])[],
  passes: readonly number[],
): number[][][] {
  let past: readonly KeyValues[] | null = null;
  let end = 0;
  const found = rows.map((): number[][] => []);
  for (const l of passes) {
    end += l;
    const pass = textOf(rows.map((tokens) => tokens.slice(end - l, end)));
    const { x, layers } = readTokens(model, pass, decoding(noPadding(rows.length, end), l), past);
    past = layers;
    for (const [b, states] of list<number[][]>(model.logits(x)).entries()) found[b]?.push(...states);
  }
  return found;
}

const plain: MagnetoShape = {
  layers: 2,
  heads: 2,
  act: "gelu",
  before: true,
  subNorms: true,
  deepNorm: false,
  epsilon: 1e-5,
  xposBase: null,
  buckets: null,
  split: null,
  scaled: false,
  embedNorm: false,
  positions: false,
};

const sizes = {
  l: from(1, 8),
  heads: from(1, 3),
  pairs: from(1, 2),
  inner: from(1, 6),
  depth: from(0, 3),
  norms: from(0, 3),
  deep: from(0, 1),
  act: from(0, 2),
  base: from(0, 9),
  buckets: from(0, 2),
  split: from(-2, 5),
  scaled: from(0, 1),
  embedNorm: from(0, 1),
  positions: from(0, 1),
  tied: from(0, 1),
  inside: from(1, 7),
  right: from(0, 3),
  seed: seeds,
};

test("[magneto.norms] [magneto.sub-norms] [magneto.final-norm] [magneto.deep-norm] [magneto.heads] [magneto.xpos] [magneto.relative] [magneto.multiway] [magneto.split] [magneto.feed-forward] [magneto.embedding] [magneto.positions] [magneto.logits] the model equals the loop, for any options and padding", () => {
  forAll(
    sizes,
    (n) => {
      const normalization: MagnetoNormalization = NORMALIZATIONS[n.norms] ?? "sub-ln";
      const deepNorm = n.deep === 1 && !normalization.includes("sub");
      const activation = (["gelu", "relu", "swish"] as const)[n.act] ?? "gelu";
      const buckets = n.buckets === 0 ? null : { count: 4 + 4 * n.buckets, maxDistance: 4 * n.buckets + 3 };
      const xposBase = n.base < 3 ? null : n.base;
      const multiway = n.split > -2;
      const model = weighted(
        new MagnetoDecoder({
          ...small,
          width: 2 * n.heads * n.pairs,
          heads: n.heads,
          feedForwardWidth: n.inner,
          layers: n.depth,
          normalization,
          deepNorm,
          activation,
          eps: 1e-3,
          xpos: xposBase !== null,
          xposScaleBase: xposBase ?? undefined,
          relativePosition: buckets && { buckets: buckets.count, maxDistance: buckets.maxDistance },
          multiway,
          splitPosition: multiway ? n.split : undefined,
          scaleEmbedding: n.scaled === 1,
          layerNormEmbedding: n.embedNorm === 1,
          maxPositions: n.positions === 1 ? n.l : null,
          tied: n.tied === 1,
        }),
        n.seed,
      );
      const rows = [ids.slice(0, n.l), [...ids].reverse().slice(0, n.l)];
      // Padding inside of the first row and at the end of the second; the first token of each is real.
      const marks = [
        ids.slice(0, n.l).map((_, i) => i !== n.inside),
        rows[1]?.map((_, i) => i === 0 || i < n.l - n.right) ?? [],
      ];
      const shape: MagnetoShape = {
        layers: n.depth,
        heads: n.heads,
        act: activation,
        before: normalization === "sub-ln" || normalization === "pre-ln",
        subNorms: normalization.includes("sub"),
        deepNorm,
        epsilon: 1e-3,
        xposBase,
        buckets,
        split: multiway ? n.split : null,
        scaled: n.scaled === 1,
        embedNorm: n.embedNorm === 1,
        positions: n.positions === 1,
      };
      expectNear(
        logits(model, rows, marks),
        rows.map((tokens, b) => magnetoLogits(weightsOf(model), tokens, marks[b] ?? [], shape)),
      );
    },
    60,
  );
});

test("[magneto.norms] [magneto.sub-norms] [magneto.heads] [magneto.feed-forward] [magneto.split] [magneto.deep-norm] the defaults are torchscale's ones", () => {
  // DecoderConfig: decoder_embed_dim 768, 12 heads and layers, decoder_ffn_embed_dim 3072, gelu, subln, layernorm_eps 1e-5, xpos_scale_base 512
  const full = new MagnetoDecoder({ vocabSize: 7 });
  expect([full.width, full.layers.length, stateDict(full).get("layers.11.ffn.fc1.weight")?.shape]).toEqual([
    768,
    12,
    [3072, 768],
  ]);
  const tiny = { vocabSize: 7, width: 24, layers: 1, feedForwardWidth: 6 };
  const shape = { ...plain, layers: 1, heads: 12 };
  const model = weighted(new MagnetoDecoder(tiny), 3);
  const table = model.embed_tokens.weight; // so small that ε counts in the first norm
  for (let i = 0; i < table.size; i++)
    ndArray(table.data).set(
      Math.floor(i / 24),
      i % 24,
      ndArray(table.data).get(Math.floor(i / 24), i % 24) * 1e-3,
    );
  expectNear(logits(model, [ids]), [magnetoLogits(weightsOf(model), ids, everyToken(ids), shape)]);
  const xpos = weighted(new MagnetoDecoder({ ...tiny, xpos: true, rotaryPrecision: "float64" }), 3);
  expectNear(logits(xpos, [ids]), [
    magnetoLogits(weightsOf(xpos), ids, everyToken(ids), { ...shape, xposBase: 512 }),
  ]);
  const deep = weighted(new MagnetoDecoder({ ...tiny, deepNorm: true }), 3);
  expectNear(logits(deep, [ids]), [
    magnetoLogits(weightsOf(deep), ids, everyToken(ids), {
      ...shape,
      before: false,
      subNorms: false,
      deepNorm: true,
    }),
  ]);
  const both = weighted(new MagnetoDecoder({ ...tiny, multiway: true }), 4);
  expectNear(logits(both, [ids]), [
    magnetoLogits(weightsOf(both), ids, everyToken(ids), { ...shape, split: -1 }),
  ]);
});

test("[magneto.xpos] angles are float32 numbers unless float64 is asked for", () => {
  const of = (rotaryPrecision?: "float32" | "float64") =>
    valuesOf(logits(weighted(new MagnetoDecoder({ ...small, xpos: true, rotaryPrecision }), 4), [ids]));
  expect(of()).toEqual(of("float32"));
  const exact = of("float64");
  const off = Math.max(...of().map((x, i) => Math.abs(x - (exact[i] ?? NaN))));
  expect(off).toBeGreaterThan(1e-9);
  expect(off).toBeLessThan(1e-5);
});

/** Models that together have every option that reads more than one token. */
const models: readonly (readonly [string, MagnetoOptions])[] = [
  ["xPos, positions, branches", { ...small, xpos: true, maxPositions: 8, multiway: true, splitPosition: 3 }],
  ["buckets, DeepNorm", { ...small, deepNorm: true, relativePosition: { buckets: 8, maxDistance: 5 } }],
  [
    "norms after the sums",
    { ...small, normalization: "post-sub-ln", layerNormEmbedding: true, maxPositions: 8 },
  ],
];

describe.each(models)("%s", (_, options) => {
  const model = weighted(new MagnetoDecoder(options), 7);
  const rows = [ids, [...ids].reverse(), [0, 0, 5, 2, 2, 6, 1, 3]];
  const whole = list<number[][]>(logits(model, rows));
  const expectRows = (actual: readonly (readonly number[][])[], expected: readonly (readonly number[][])[]) =>
    expectClose(actual.flat(2), expected.flat(2), 1e-12);

  test("[magneto.causal] a token's logits do not depend on later tokens, nor on other rows", () => {
    for (let l = 1; l <= ids.length; l++) {
      const prefix = list<number[][]>(logits(model, [ids.slice(0, l)]));
      expectRows(prefix, [whole[0]?.slice(0, l) ?? []]);
    }
    for (const [b, tokens] of rows.entries()) expectRows(list(logits(model, [tokens])), [whole[b] ?? []]);
    const other = list<number[][]>(logits(model, [[...ids.slice(0, 7), 6]]))[0] ?? [];
    expect(
      other.map((states, l) => String(states) === String(list<number[][]>(logits(model, [ids]))[0]?.[l])),
    ).toEqual(ids.map((_, l) => l < 7));
  });

  test("[magneto.cache] [magneto.split] passes of any sizes compute what one pass computes", () => {
    fc.assert(
      fc.property(fc.array(from(1, 8), { minLength: 8, maxLength: 8 }), (wanted) => {
        const passes: number[] = [];
        for (let left = 8, i = 0; left > 0; left -= passes[i++] ?? left)
          passes.push(Math.min(left, wanted[i] ?? 1));
        expectRows(inPasses(model, rows, passes), whole);
      }),
      { numRuns: 12 },
    );
  });

  test("[magneto.cache] beams and greedy decoding with the cache find what they find without", async () => {
    const cached = writerOf(model, "slots");
    const uncached: typeof cached = {
      ...cached,
      step(next, mask, cache, context) {
        const before = cache ? list<number[]>(cache.text) : [];
        const text = list<number[]>(next).map((tokens, b) => [...(before[b] ?? []), ...tokens]);
        return cached.step(textOf(text), mask, null, context);
      },
    };
    for (const writer of [cached, uncached]) expect(writer.model).toBe(model);
    const options = { stop: 0, maxTokens: 5, beams: 3 };
    const [found, expected] = [
      await beamSearch(
        cached,
        rows.map((r) => r.slice(0, 3)),
        options,
      ),
      await beamSearch(
        uncached,
        rows.map((r) => r.slice(0, 3)),
        options,
      ),
    ];
    const tokens = (beams: typeof found) => beams.map((prompt) => prompt.map((beam) => [...beam.tokens]));
    expect(tokens(found)).toEqual(tokens(expected));
    expect(found[0]?.length).toBeGreaterThan(0);
    expectClose(
      found.flat().map(({ score }) => score),
      expected.flat().map(({ score }) => score),
      1e-12,
    );
    const greedy = { stop: 0, maxTokens: 5 };
    expect(await generate(cached, [ids.slice(0, 3)], greedy)).toEqual(
      await generate(uncached, [ids.slice(0, 3)], greedy),
    );
  });

  test("[magneto.norms] replay equals eager, and backends compute the same", async () => {
    await replayEqualsEager(() => logits(model, rows), { model });
    const expected = valuesOf(logits(model, rows));
    const largest = Math.max(...expected.map(Math.abs));
    for (const backend of [reference("float32"), await simd({ threads: 1 }), await gpu({ mode: "cpu" })]) {
      const actual = valuesOf(await run(backend, () => logits(model, rows), { model }));
      const off = Math.max(...actual.map((x, i) => Math.abs(x - (expected[i] ?? NaN))));
      expect(off / largest).toBeLessThan(1e-5);
      expect(off).toBeGreaterThan(0); // another arithmetic than the definition's
    }
  });
});

test("[magneto.norms] derivatives equal finite differences", () => {
  const options = {
    ...small,
    layers: 1,
    xpos: true,
    multiway: true,
    splitPosition: 1,
    relativePosition: { buckets: 4, maxDistance: 4 },
  };
  for (const more of [{}, { normalization: "post-ln", deepNorm: true } as const]) {
    const model = weighted(new MagnetoDecoder({ ...options, ...more }), 3);
    const x = randomTensor<"b l d">([1, 3, 8], 2);
    const table = model.self_attn_relative_position?.relative_attention_bias.weight;
    if (!table) throw new Error("there are buckets");
    const at = decoding(noPadding(1, 3), 3);
    vjpEqualsFiniteDifferences(
      () => model.logits(readTokens(model, textOf([[0, 0, 0]]), at, null, { layer: 0, x }).x),
      { x, table },
      1e-7,
    );
  }
});

test("[magneto.xpos] scores depend on the distance of two tokens only", () => {
  // One token, again and again: with xPos and no other positions a row of scores is that of the row before, moved by one.
  const model = weighted(new MagnetoDecoder({ ...small, layers: 1, xpos: true, xposScaleBase: 4 }), 6);
  const { k } = firstCache(model, [3, 3, 3, 3, 3, 3, 3]);
  for (const head of k) for (const key of head) expectClose(key, head[0] ?? [], 1e-14);
  // A row behind padding has the logits of the row alone, although all of its angles and scales are others.
  const alone = list<number[][]>(logits(model, [ids]))[0] ?? [];
  for (const n of [1, 2, 5]) {
    const padded = [...new Array<number>(n).fill(0), ...ids];
    const found = list<number[][]>(logits(model, [padded], [padded.map((_, i) => i >= n)]))[0] ?? [];
    expectClose(found.slice(n).flat(), alone.flat(), 1e-11);
  }
});

test("[magneto.cache] keys are cached before xPos, by heads and with their biases", () => {
  const model = weighted(new MagnetoDecoder({ ...small, xpos: true, maxPositions: 8 }), 5);
  const { k, v } = firstCache(model, ids);
  const w = weightsOf(model);
  const layer = under(w, "layers.0");
  for (const [l, id] of ids.entries()) {
    const place = row(mat(w, "embed_positions.weight"), l + 2);
    const x = row(mat(w, "embed_tokens.weight"), id).map((value, i) => value + valueAt(place, i));
    const normed = norm(under(layer, "self_attn_layer_norm"), x);
    for (const h of [0, 1]) {
      const part = (name: string) =>
        linear(under(layer, `self_attn.${name}`), normed).slice(4 * h, 4 * h + 4);
      expectClose(k[h]?.[l] ?? [], part("k_proj"), 1e-13);
      expectClose(v[h]?.[l] ?? [], part("v_proj"), 1e-13);
    }
  }
});

test("[magneto.multiway] [options.bounds] equal branches compute what one branch computes, at any split position", () => {
  const options = { ...small, xpos: true };
  const one = weighted(new MagnetoDecoder(options), 4);
  const two = new MagnetoDecoder({ ...options, multiway: true, splitPosition: 3 });
  const weights = new Map([...stateDict(one)]);
  for (const [name, t] of stateDict(two)) {
    const own = weights.get(name.replace(/\.[AB]\./, "."));
    if (!own) throw new Error(`one branch has no ${name}`);
    t.assign(own.data);
  }
  const expected = valuesOf(logits(one, [ids]));
  for (const position of [-1, 0, 1, 3, 7, 8, 50]) {
    two.splitPosition = position;
    expect(two.splitPosition).toBe(position);
    expectClose(valuesOf(logits(two, [ids])), expected, 1e-13);
  }
  const names = [...stateDict(two).keys()].filter((name) => name.includes(".A."));
  const module = (name: string) => name.replace(/^layers\.\d\.|\.A\..*/g, "");
  expect([...new Set(names.map(module))]).toEqual(
    ["k_proj", "v_proj", "q_proj", "out_proj", "inner_attn_ln"].map((name) => `self_attn.${name}`),
  );
  expect(refusal(() => new MagnetoDecoder({ ...options, splitPosition: 2 })).rule).toBe("magneto.multiway");
  const split = refusal(() => {
    one.splitPosition = 2;
  });
  expect([split.rule, split.message]).toEqual([
    "magneto.multiway",
    expect.stringContaining("no branches to choose from"),
  ]);
  two.splitPosition = 2 ** 24;
  for (const position of [-2, 0.5, 2 ** 24 + 1])
    expect(
      refusal(() => {
        two.splitPosition = position;
      }).rule,
    ).toBe("options.values");
});

test("[magneto.split] A serves the tokens before the split position, and B the others", () => {
  const model = weighted(new MagnetoDecoder({ ...small, multiway: true, splitPosition: 3 }), 8);
  const before = list<number[][]>(logits(model, [ids]))[0] ?? [];
  const changed = (branch: "A" | "B") => {
    const other = weighted(new MagnetoDecoder({ ...small, multiway: true, splitPosition: 3 }), 8);
    for (const [name, t] of stateDict(other))
      if (name.includes(`out_proj.${branch}.bias`)) t.assign(randomTensor([8], 99).data);
    return (list<number[][]>(logits(other, [ids]))[0] ?? []).map(
      (states, l) => String(states) !== String(before[l]),
    );
  };
  expect(changed("A")).toEqual(ids.map(() => true)); // later tokens attend to the first ones
  expect(changed("B")).toEqual(ids.map((_, l) => l >= 3));
});

test("[magneto.split] prompts of a batch are split at their own beginning, whatever padding is in front of them", async () => {
  const prompts = [[3, 5, 2, 6, 4, 1], [4], [5, 6, 2, 3]];
  const options = { stop: [], maxTokens: 5 };
  for (const splitPosition of [2, 5]) {
    const model = weighted(new MagnetoDecoder({ ...small, xpos: true, multiway: true, splitPosition }), 8);
    const together = await generate(writerOf(model), prompts, options);
    for (const [b, prompt] of prompts.entries()) {
      const text = [...prompt];
      for (let i = 0; i < 5; i++) {
        const last = list<number[][]>(logits(model, [text]))[0]?.at(-1) ?? [];
        text.push(last.indexOf(Math.max(...last)));
      }
      expect(together[b]).toEqual(text);
    }
  }
});

test("[magneto.positions] positions have the rows from 2 on; one beyond the table is refused", () => {
  const model = weighted(new MagnetoDecoder({ ...small, maxPositions: 6 }), 2);
  expect(model.embed_positions?.weight.shape).toEqual([8, 8]);
  expect(logits(model, [ids.slice(0, 6)]).shape).toEqual([1, 6, 7]);
  const found = refusal(() => logits(model, [ids.slice(0, 7)]));
  expect([found.rule, found.message, releaseMessage(found)]).toEqual([
    "magneto.positions",
    expect.stringContaining("position 6 is beyond the 6 positions of the model"),
    "IndexError: index out of range in self", // torch 2.13, F.embedding
  ]);
  // Behind padding a row has the positions of the row alone where tokens are counted, and others where slots are.
  const real = [false, false, true, true, true];
  const padded = [0, 0, ...ids.slice(0, 3)];
  const alone = list<number[][]>(logits(model, [ids.slice(0, 3)]))[0] ?? [];
  const { positions } = decodingOf(maskOf([real]), 5, "tokens");
  const counted = list<number[][]>(logits(model, [padded], [real], { positions }))[0] ?? [];
  expectClose(counted.slice(2).flat(), alone.flat(), 1e-13);
  const slots = list<number[][]>(logits(model, [padded], [real]))[0] ?? [];
  expect(Math.abs((slots[2]?.[0] ?? NaN) - (alone[0]?.[0] ?? NaN))).toBeGreaterThan(1e-3);
});

test("[magneto.embedding] [magneto.logits] embeddings of other things get positions too, and a tied table serves as projection", () => {
  const options = { ...small, scaleEmbedding: true, maxPositions: 8 } as const;
  const model = weighted(new MagnetoDecoder({ ...options, tied: true }), 3);
  expect([...ties(model)]).toEqual([["output_projection.weight", "embed_tokens.weight"]]);
  expect([...ties(new MagnetoDecoder(options))]).toEqual([]);
  const at = decoding(noPadding(1, 8), 8);
  expectSame(model.placed(model.tokens(textOf([ids])), at.positions), model.embed(textOf([ids]), at));
  const rows = list<number[]>(model.embed_tokens.weight);
  expectClose(
    valuesOf(model.tokens(textOf([ids]))),
    ids.flatMap((id) => rows[id]?.map((value) => value * Math.sqrt(8)) ?? []),
    1e-14,
  );
  const padded = new MagnetoDecoder({ ...options, paddingId: -1 });
  expect(valuesOf(padded.embed_tokens.weight).slice(-8)).toEqual(new Array(8).fill(0));
  const beyond = refusal(() => new MagnetoDecoder({ ...options, paddingId: 7 }));
  expect([beyond.rule, beyond.message]).toEqual([
    "magneto.embedding",
    expect.stringContaining("paddingId is 7"),
  ]);
});

test("[magneto.heads] [magneto.xpos] [magneto.deep-norm] options that do not go together are refused", () => {
  const rule = (more: Partial<MagnetoOptions>) =>
    refusal(() => new MagnetoDecoder({ ...small, ...more })).rule;
  expect(rule({ heads: 3 })).toBe("magneto.heads");
  expect(rule({ width: 6, heads: 2, xpos: true })).toBe("magneto.xpos");
  for (const normalization of ["sub-ln", "post-sub-ln"] as const)
    expect(rule({ deepNorm: true, normalization })).toBe("magneto.deep-norm");
  expect(rule({ relativePosition: { buckets: 3, maxDistance: 8 } })).toBe("relative.buckets");
});

test("[magneto.causal] padding in front of a text gives 0, or NaN in every row as in torchscale", () => {
  const model = weighted(new MagnetoDecoder({ ...small, xpos: true }), 2);
  const [text, real] = [
    [0, ...ids],
    [false, ...everyToken(ids)],
  ];
  expect(valuesOf(logits(model, [text], [real])).every(Number.isFinite)).toBe(true);
  expect(valuesOf(logits(model, [text], [real], { emptyRow: "nan" })).every(Number.isNaN)).toBe(true);
  const config = {
    args: {
      decoder_embed_dim: 8,
      decoder_attention_heads: 2,
      decoder_ffn_embed_dim: 6,
      decoder_layers: 2,
      vocab_size: 7,
    },
    embed_tokens: { class: "Embedding", num_embeddings: 7, embedding_dim: 8 },
  };
  const source = { package: "torchscale", class: "Decoder" };
  const { forward } = systemUnderTest({ id: "left-padding", source, config, profile: "torchscale@0.3.0" });
  const found = forward?.({
    prev_output_tokens: textOf([text]),
    self_attn_padding_mask: maskOf([real.map((one) => !one)]),
  }) as Record<string, Tensor>;
  expect(valuesOf(found.logits as Tensor).every(Number.isNaN)).toBe(true);
});

test("[magneto.drop-path] [magneto.dropout] rates grow by layers, and a rate of 1 leaves the residuals", () => {
  const rates = (layers: number, dropPathRate: number) =>
    new MagnetoDecoder({ ...small, layers, dropPathRate }).layers.map(
      (one) => (one as MagnetoLayer).drop_path.p,
    );
  expectClose(rates(4, 0.3), [0, 0.1, 0.2, 0.3], 1e-15); // numpy.linspace(0, 0.3, 4)
  expect(rates(1, 0.3)).toEqual([0]);
  const x = randomTensor<"b l d">([2, 3, 8], 3);
  const at = decoding(noPadding(2, 3), 3);
  const last = (options: Partial<MagnetoOptions>): { layer: MagnetoLayer; out: Tensor } => {
    const model = weighted(new MagnetoDecoder({ ...small, ...options }), 4);
    setTraining(model, { seed: 1 });
    const layer = model.layers[1] as MagnetoLayer;
    return { layer, out: layer.forward(x, at, null).x };
  };
  const alpha = 4 ** 0.25;
  for (const options of [{ dropPathRate: 1 }, { dropout: 1 }] as const) {
    expectSame(last(options).out, x);
    const deep = valuesOf(last({ ...options, deepNorm: true, normalization: "pre-ln" }).out);
    expectClose(
      deep,
      valuesOf(x).map((value) => value * alpha * alpha),
      1e-14,
    );
  }
  // Without weights attention gives the bias of its last projection after a norm of zeros: that norm's bias.
  const { layer, out } = last({ attentionDropout: 1, activationDropout: 1 });
  const w = weightsOf(layer);
  const attended = linear(under(w, "self_attn.out_proj"), w["self_attn.inner_attn_ln.bias"] as number[]);
  const fed = linear(under(w, "ffn.fc2"), w["ffn.ffn_layernorm.bias"] as number[]);
  expectClose(
    valuesOf(out),
    list<number[][]>(x).flatMap((rows) =>
      rows.flatMap((r) => r.map((value, i) => value + valueAt(attended, i) + valueAt(fed, i))),
    ),
    1e-13,
  );
  const embedded = new MagnetoDecoder({ ...small, dropout: 1 });
  setTraining(embedded, { seed: 1 });
  expect(
    valuesOf(embedded.embed(textOf([ids]), decoding(noPadding(1, 8), 8))).every((value) => value === 0),
  ).toBe(true);
});

test.each([
  "decoder--kosmos",
  "decoder--multiway-split",
  "decoder--deep-norm",
  "decoder--relative",
  "decoder--embedding-norm",
])("[magneto.names] the state dict is that of torchscale: %s", (id) => {
  const { manifest } = readCase(`golden/cases/torchscale/${id}`);
  const { model } = systemUnderTest(manifest);
  const names = [...stateDict(model)].map(([key, t]) => `${key} ${t.shape.join(" ")}`);
  const tied = new Set(ties(model).keys());
  expect(names.filter((name) => !tied.has(name.split(" ")[0] ?? ""))).toEqual(
    [...manifest.weights].map(([key, shape]) => `${key} ${shape.join(" ")}`),
  );
});
