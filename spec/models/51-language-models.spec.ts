// The executable half of 51-language-models.md.

import fc from "fast-check";
import { expect, test } from "vitest";
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import { type Convention, conventions, mediaLocations } from "../../src/entries/masks.ts";
import { replayDecoding } from "../../src/masks/decoding/decode.ts";
import { FlamingoPaLM } from "../../src/models/flamingo/flamingo-palm.ts";
import {
  type DecoderLayer,
  decodingOf,
  type LanguageModel,
  noPadding,
  readTokens,
  wholeTexts,
} from "../../src/models/language-model.ts";
import { GPTNeoXForCausalLM } from "../../src/models/language-models/gpt-neox.ts";
import { GPTJForCausalLM } from "../../src/models/language-models/gptj.ts";
import { LlamaForCausalLM } from "../../src/models/language-models/llama.ts";
import { MptForCausalLM } from "../../src/models/language-models/mpt.ts";
import { OPTForCausalLM } from "../../src/models/language-models/opt.ts";
import { withStep } from "../../src/models/media-writer.ts";
import { type Cache, type Writer, writerOf } from "../../src/models/writer.ts";
import { initialize, stateDict } from "../../src/nn/state-dict.ts";
import { ndArray } from "../../src/tensor/ops/elementwise.ts";
import { Bool, flat, Int, type Tensor, tensor, view } from "../../src/tensor/tensor.ts";
import { decoders, tiny, WORDS } from "../support/fixtures/decoders.ts";
import { numbers, randomTensor } from "../support/properties/arbitraries.ts";
import { refusal } from "../support/properties/refusals.ts";

const IMAGE = 3;
const FEW = { vocabSize: WORDS, hiddenSize: 8, numAttentionHeads: 2, numHiddenLayers: 1 };

/** Rows of tokens, each behind padding on the left: `at` is the number of padding tokens of a row. */
interface Batch {
  readonly rows: readonly (readonly number[])[];
  readonly padding: readonly number[];
  readonly passes: readonly number[];
}

const token = fc.oneof(
  { weight: 1, arbitrary: fc.constant(IMAGE) },
  { weight: 3, arbitrary: fc.integer({ min: 4, max: WORDS - 1 }) },
);
/** One to three rows of up to nine tokens with unequal numbers of images and of padding tokens, in passes of any sizes. */
const batches: fc.Arbitrary<Batch> = fc.integer({ min: 2, max: 9 }).chain((length) =>
  fc.record({
    rows: fc.array(fc.array(token, { minLength: length, maxLength: length }), { minLength: 1, maxLength: 3 }),
    padding: fc.array(fc.nat({ max: length - 1 }), { minLength: 3, maxLength: 3 }),
    passes: fc
      .array(fc.integer({ min: 1, max: length }), { minLength: length, maxLength: length })
      .map((sizes) => {
        const passes: number[] = [];
        for (let left = length, i = 0; left > 0; left -= passes[i++] ?? left)
          passes.push(Math.min(left, sizes[i] ?? left));
        return passes;
      }),
  }),
);

const idsOf = ({ rows, padding }: Batch, from: number, to: number): Int<"b l"> =>
  new Int(
    [rows.length, to - from],
    Int32Array.from(
      rows.flatMap((row, b) => row.slice(from, to).map((id, i) => (from + i < (padding[b] ?? 0) ? 0 : id))),
    ),
  );
const maskOf = ({ rows, padding }: Batch, to: number): Bool<"b s"> =>
  new Bool(
    [rows.length, to],
    Uint8Array.from(rows.flatMap((row, b) => row.slice(0, to).map((_, i) => Number(i >= (padding[b] ?? 0))))),
  );

/** Logits of the last position of each pass, as [pass][row][token]. */
function inPasses(given: Writer, batch: Batch, passes: readonly number[]): number[][][] {
  const writer = withStep(given);
  const context = writer.context();
  let cache: Cache | null = null;
  let from = 0;
  return passes.map((size) => {
    const to = from + size;
    const step = writer.step(idsOf(batch, from, to), maskOf(batch, to), cache, context);
    cache = step.cache;
    from = to;
    const [b = 0, n = 0] = step.logits.shape;
    const values = flat(step.logits.data);
    return Array.from({ length: b }, (_, row) => [...values.subarray(row * n, (row + 1) * n)]);
  });
}

/** Compares the last positions of all passes with those of single passes over the same text, in rows that have a real token there. */
function expectCached(writer: Writer, batch: Batch): void {
  const cached = inPasses(writer, batch, batch.passes);
  let to = 0;
  for (const [p, size] of batch.passes.entries()) {
    to += size;
    const [full = []] = inPasses(writer, batch, [to]);
    for (const [b, row] of full.entries()) {
      if (to <= (batch.padding[b] ?? 0)) continue;
      const largest = Math.max(...row.map(Math.abs));
      for (const [n, value] of row.entries())
        expect(Math.abs((cached[p]?.[b]?.[n] ?? NaN) - value)).toBeLessThanOrEqual(1e-12 * largest);
    }
  }
}

const small = {
  dim: 8,
  numTokens: WORDS,
  depth: 3,
  dimHead: 4,
  heads: 2,
  ffMult: 2,
  mediaTokenId: IMAGE,
  crossAttnEvery: 2,
  perceiverNumLatents: 2,
  perceiverDepth: 1,
} as const;

/** Random weights, with open gates: those of a new model are closed, so that images change nothing. */
function weighted<M extends object>(model: M, seed = 1): M {
  initialize(model, seed);
  for (const [name, t] of stateDict(model))
    if (name.endsWith("_gate")) t.assign(view(Float64Array.of(0.8), [1]));
  return model;
}
const embeds = (b: number, m: number): Tensor<"b m s d"> => randomTensor([b, m, 3, 8], 5);

test.each([true, false])(
  "[decode.cached] [decode.visibility] FlamingoPaLM: cached passes equal the whole text to 1e-12, with padding and unequal images (onlyAttendImmediateMedia %s)",
  (onlyAttendImmediateMedia) => {
    const model = weighted(new FlamingoPaLM({ ...small, onlyAttendImmediateMedia }));
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 4 }), (batch, images) => {
        expectCached(model.withMedia({ embeds: embeds(batch.rows.length, images) }), batch);
      }),
      { numRuns: 60 },
    );
  },
);

test("[decode.cached] FlamingoPaLM without media: cached passes equal the whole text", () => {
  const model = weighted(new FlamingoPaLM(small));
  fc.assert(
    fc.property(batches, (batch) => expectCached(model.withMedia({}), batch)),
    { numRuns: 40 },
  );
});

test("[decode.visibility] FlamingoPaLM: the first pass of generation has the bits of forward, for every convention", () => {
  for (const convention of Object.values<Convention>(conventions)) {
    if (convention.emptyRow === "nan") continue;
    const model = weighted(new FlamingoPaLM({ ...small, behaviour: { immediate: convention } }));
    const rows = [
      [4, IMAGE, 5, IMAGE, 6],
      [5, 6, IMAGE, 4, 7],
    ];
    const batch = { rows, padding: [0, 0], passes: [5] };
    for (const images of [1, 3]) {
      const media = { embeds: embeds(2, images) };
      const [pass = []] = inPasses(model.withMedia(media), batch, [5]);
      const logits = flat(model.forward(idsOf(batch, 0, 5), media).data); // b l n
      for (const [b, row] of pass.entries())
        expect(row, convention.name).toEqual([...logits.subarray((b * 5 + 4) * WORDS, (b + 1) * 5 * WORDS)]);
    }
  }
});

test("a writer with a step of its own keeps it", () => {
  const writer = writerOf(new LlamaForCausalLM(tiny));
  expect(withStep(writer)).toBe(writer);
});

test.each(decoders)(
  "[decode.cached] %s: cached passes equal the whole text to 1e-12, for both ways to count positions",
  (_, make) => {
    const model = weighted(make());
    for (const count of ["slots", "tokens"] as const)
      fc.assert(
        fc.property(batches, (batch) => expectCached(writerOf(model, count), batch)),
        { numRuns: 40 },
      );
  },
);

test("[decode.padding] a row behind padding has the logits of the row alone", () => {
  const models = [
    ...decoders.flatMap(([, make]) => {
      const model = weighted(make());
      return [writerOf(model, "tokens"), writerOf(model, "slots")];
    }),
    weighted(new FlamingoPaLM(small)).withMedia({ embeds: embeds(1, 2) }),
  ];
  const row = [4, IMAGE, 5, 9, IMAGE, 7];
  for (const writer of models) {
    const alone = inPasses(writer, { rows: [row], padding: [0], passes: [] }, [6])[0]?.[0] ?? [];
    for (const n of [1, 3]) {
      const padded = { rows: [[...new Array<number>(n).fill(0), ...row]], padding: [n], passes: [] };
      for (const passes of [[6 + n], [n + 2, 1, 3]]) {
        const last = inPasses(writer, padded, passes).at(-1)?.[0] ?? [];
        for (const [i, value] of alone.entries()) expect(last[i]).toBeCloseTo(value, 12);
      }
    }
  }
});

test("[decode.causal] [decode.padding] [decode.positions] masks and positions equal the loop", () => {
  const masks = fc
    .integer({ min: 1, max: 7 })
    .chain((s) =>
      fc.tuple(
        fc.array(fc.array(fc.boolean(), { minLength: s, maxLength: s }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 0, max: s }),
      ),
    );
  fc.assert(
    fc.property(masks, ([rows, l]) => {
      const s = rows[0]?.length ?? 0;
      const mask = new Bool<"b s">([rows.length, s], Uint8Array.from(rows.flat(), Number));
      for (const count of ["slots", "tokens"] as const) {
        const { mayAttend, positions } = decodingOf(mask, l, count);
        const expected = rows.map((row) =>
          Array.from({ length: l }, (_, q) => row.map((real, j) => Number(real && j <= s - l + q))),
        );
        expect([...mayAttend.flat()]).toEqual(expected.flat(2));
        expect(mayAttend.shape).toEqual([rows.length, l, s]);
        expect([...positions.flat()]).toEqual(
          rows.flatMap((row) =>
            Array.from({ length: l }, (_, q) =>
              count === "slots" ? s - l + q : row.slice(0, s - l + q).filter(Boolean).length,
            ),
          ),
        );
      }
    }),
  );
});

test("[decode.causal] [decode.positions] whole texts without padding have the masks and positions of one pass", () => {
  for (const b of [1, 2])
    for (const l of [0, 1, 5, 40]) {
      const { mayAttend, positions } = wholeTexts(b, l);
      const expected = decodingOf(noPadding(b, l), l);
      expect([mayAttend.shape, positions.shape]).toEqual([
        [b, l, l],
        [b, l],
      ]);
      expect(mayAttend.flat()).toEqual(expected.mayAttend.flat());
      expect(positions.flat()).toEqual(expected.positions.flat());
    }
});

/** The attention module of a language model's first layer. */
const attentionOf = (model: LanguageModel): DecoderLayer =>
  (model.layers[0] as unknown as { self_attn: DecoderLayer }).self_attn;

test.each([
  ["llama", () => new LlamaForCausalLM({ ...FEW, intermediateSize: 6 })],
  ["opt", () => new OPTForCausalLM({ ...FEW, ffnDim: 6 })],
])(
  "[decode.empty-row] attention to no token is 0, or the mean of that to each token alone: %s",
  (_, make) => {
    const attention = attentionOf(initialize(make(), 3));
    const x = randomTensor<"b l d">([1, 1, 8], 4);
    const past = { k: randomTensor([1, 2, 3, 4], 5), v: randomTensor([1, 2, 3, 4], 6) };
    const seeing = (keys: readonly number[], emptyRow?: "zero" | "uniform"): number[] => {
      const mayAttend = new Bool<"b l s">([1, 1, 4], Uint8Array.from(keys));
      const positions = new Int<"b l">([1, 1], Int32Array.of(3));
      const at = { positions, mayAttend, media: null, visibility: null, emptyRow };
      return [...flat(attention.forward(x, at, past).x.data)];
    };
    const [bias, ...alone] = [0, 1, 2, 3, 4].map((key) =>
      seeing(
        [1, 2, 3, 4].map((each) => Number(each === key)),
        "zero",
      ),
    ); // no token: the bias of the projection, if it has one
    const uniform = seeing([0, 0, 0, 0], "uniform");
    for (const [i, value] of uniform.entries()) {
      const mean = alone.reduce((sum, each) => sum + (each[i] ?? 0) / 4, 0);
      expect(value).toBeCloseTo(mean, 13);
    }
    expect(seeing([0, 0, 0, 0])).toEqual(bias);
    expect(uniform).not.toEqual(bias);
    expect(seeing([0, 1, 1, 0], "uniform")).toEqual(seeing([0, 1, 1, 0], "zero"));
  },
);

test("[decode.mask] a mask that is shorter than the pass is refused", () => {
  const error = refusal(() => decodingOf(noPadding(1, 2), 3));
  expect([error.rule, error.message]).toEqual([
    "decode.mask",
    expect.stringContaining("a pass of 3 tokens is longer than its text, which has 2"),
  ]);
});

test("[decode.mask] [decode.layers] a step refuses a mask that does not cover its text, and a cache of another batch or model", () => {
  const writer = writerOf(weighted(new LlamaForCausalLM(tiny)));
  const { cache } = writer.step(new Int([1, 2], Int32Array.of(4, 5)), noPadding(1, 2), null, {});
  const ids = (b: number) => new Int<"b l">([b, 1], new Int32Array(b));
  const short = { ...cache, layers: cache.layers.slice(1) };
  for (const [rule, message, step] of [
    ["decode.mask", "the mask is [1 2]", () => writer.step(ids(1), noPadding(1, 2), cache, {})],
    ["decode.mask", "are [1 3]", () => writer.step(ids(1), noPadding(1, 4), cache, {})],
    ["decode.mask", "the mask is [2 3]", () => writer.step(ids(1), noPadding(2, 3), cache, {})],
    ["decode.mask", "are [2 1]", () => writer.step(ids(2), noPadding(1, 1), null, {})],
    ["decode.layers", "a batch of 1", () => writer.step(ids(2), noPadding(2, 3), cache, {})],
    ["decode.layers", "those of the cache 2", () => writer.step(ids(1), noPadding(1, 3), short, {})],
  ] as const) {
    const error = refusal(step);
    expect([error.rule, error.message]).toEqual([rule, expect.stringContaining(message)]);
  }
});

test("a writer of something that is no language model, or with another count of positions, is refused", () => {
  const model = new LlamaForCausalLM(tiny);
  for (const args of [[{}], [null], [model, "token"]])
    expect(refusal(() => Reflect.apply(writerOf, undefined, args)).message).toContain("writerOf: ");
});

test("[decode.layers] each layer is given its own cache, and returns keys and values of all tokens in order", () => {
  const model = weighted(new LlamaForCausalLM(tiny));
  const seen: unknown[] = [];
  model.layers = model.layers.map(
    (layer): DecoderLayer => ({
      forward(x, at, past) {
        seen.push(past);
        return layer.forward(x, at, past);
      },
    }),
  );
  const at = (l: number, s: number) => ({ ...decodingOf(noPadding(1, s), l), media: null, visibility: null });
  const first = readTokens(model, new Int([1, 3], Int32Array.of(4, 5, 6)), at(3, 3), null);
  const second = readTokens(model, new Int([1, 2], Int32Array.of(7, 8)), at(2, 5), first.layers);
  expect(seen).toEqual([null, null, null, ...first.layers]);
  expect(second.layers.map(({ k, v }) => [k.shape, v.shape])).toEqual(
    first.layers.map(() => [
      [1, 2, 5, 6],
      [1, 2, 5, 6],
    ]),
  );
  for (const [i, { k, v }] of second.layers.entries())
    for (const [now, before] of [
      [k, first.layers[i]?.k],
      [v, first.layers[i]?.v],
    ] as const)
      for (let head = 0; head < 2; head++)
        for (let s = 0; s < 3; s++)
          for (let d = 0; d < 6; d++)
            expect(ndArray(now.data).get(0, head, s, d)).toBe(
              before && ndArray(before.data).get(0, head, s, d),
            );
});

test("[decode.visibility] a cached pass sees what the convention's cached step sees", () => {
  // With a single gated layer an image reaches a row of the pass exactly where the convention says so (21-decoding.md).
  const texts = [
    [4, IMAGE, 5, IMAGE, 6, 7, IMAGE, 8],
    [IMAGE, 5, 5, 6, 4, IMAGE, 4, 4],
  ];
  const [length, images] = [8, 2];
  for (const convention of Object.values<Convention>(conventions)) {
    if (convention.emptyRow === "nan") continue;
    const model = weighted(new FlamingoPaLM({ ...small, depth: 1, behaviour: { immediate: convention } }));
    for (const passes of [
      [3, 1, 1, 1, 1, 1],
      [4, 2, 2],
    ]) {
      const locations = mediaLocations({ shape: [2, length], data: texts.flat() }, IMAGE);
      const steps = replayDecoding(locations, images, convention, { prompt: passes[0] ?? 1, passes });
      const media = embeds(2, images);
      const batch = { rows: texts, padding: [0, 0], passes };
      const before = inPasses(model.withMedia({ embeds: media }), batch, passes);
      for (let image = 0; image < images; image++) {
        const next = numbers(image + 77);
        const values = Float64Array.from(flat(media.data), (x, i) =>
          Math.floor(i / 24) % images === image ? next() : x,
        );
        const changed = tensor("b m s d", media.shape, values);
        const after = inPasses(model.withMedia({ embeds: changed }), batch, passes);
        for (const [p, { rows, refused }] of steps.entries()) {
          expect(refused).toBe(null);
          for (let b = 0; b < 2; b++) {
            const reached = rows[b]?.at(-1)?.images.includes(image + 1);
            const differs = before[p]?.[b]?.some((value, n) => value !== after[p]?.[b]?.[n]);
            expect(differs, `${convention.name}, pass ${p}, row ${b}, image ${image + 1}`).toBe(reached);
          }
        }
      }
    }
  }
});

test("[decode.layers] a gated layer around a decoder layer is a decoder layer", () => {
  const model = weighted(new LlamaForCausalLM(tiny));
  const cross = weighted(new GatedCrossAttentionBlock({ dim: 12, dimMedia: 8, heads: 2, dimHead: 4 }), 3);
  model.layers = model.layers.map(
    (layer): DecoderLayer => ({
      forward: (x, at, past) =>
        layer.forward(at.media ? cross.forward(x, at.media, { visibility: at.visibility }) : x, at, past),
    }),
  );
  expectCached(writerOf(model), { rows: [[4, 5, 6, 7]], padding: [1], passes: [2, 1, 1] });
});

test("[decode.initial] token embeddings have the deviation 0.02, and the row of padding is 0", () => {
  // transformers 4.57.6: initializer_range of LlamaConfig, GPTNeoXConfig, GPTJConfig and MptConfig, init_std of OPTConfig. Drawn there
  // with 900 rows of 96 numbers, the deviations are 0.0199 to 0.0201, and the only rows of zeros are those of pad_token_id.
  const size = { vocabSize: 900, hiddenSize: 96, numHiddenLayers: 0, numAttentionHeads: 2 };
  const table = "embed_tokens.weight";
  const models: readonly (readonly [LanguageModel, string, readonly number[]])[] = [
    [new LlamaForCausalLM({ ...size, padTokenId: 3 }), `model.${table}`, [3]],
    [new LlamaForCausalLM(size), `model.${table}`, []],
    [new OPTForCausalLM(size), `model.decoder.${table}`, [1]],
    [new OPTForCausalLM(size), "model.decoder.embed_positions.weight", []],
    [new GPTNeoXForCausalLM(size), "gpt_neox.embed_in.weight", []],
    [
      new GPTJForCausalLM({ vocabSize: 900, nEmbd: 96, nLayer: 0, nHead: 2, rotaryDim: 4 }),
      "transformer.wte.weight",
      [],
    ],
    [new MptForCausalLM({ vocabSize: 900, dModel: 96, nLayers: 0, nHeads: 2 }), "transformer.wte.weight", []],
  ];
  for (const [model, name, zeros] of models) {
    const weight = stateDict(initialize(model, 5)).get(name) as Tensor;
    const drawn = [...weight.flat()];
    const rows = Array.from({ length: weight.shape[0] ?? 0 }, (_, i) => drawn.slice(96 * i, 96 * i + 96));
    const empty = rows.flatMap((row, i) => (row.every((x) => x === 0) ? [i] : []));
    expect(empty, model.constructor.name).toEqual(zeros);
    const deviation = Math.sqrt(drawn.reduce((sum, x) => sum + x * x, 0) / drawn.length);
    expect(Math.abs(deviation / 0.02 - 1), model.constructor.name).toBeLessThan(0.012); // five standard errors of 86,400 numbers
  }
});
