// The executable half of 56-gptj.md. The loops are those of support/oracles/gptj.ts.

import { expect, test } from "vitest";
import { languageModel } from "../../../src/conformance/sources/transformers.ts";
import { decodingOf, noPadding, readTokens } from "../../../src/models/language-model.ts";
import { GPTJForCausalLM, type GPTJOptions } from "../../../src/models/language-models/gptj.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { Int, type Tensor } from "../../../src/tensor/tensor.ts";
import { gptJLogits } from "../../support/oracles/language-models/gptj.ts";
import { expectNear, forAll, from, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { releasedModels } from "../../support/oracles/released-state.ts";
import { firstCache } from "../../support/properties/caches.ts";
import { expectClose, replayEqualsEager, valuesOf } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const small: GPTJOptions = { vocabSize: 7, nEmbd: 12, nLayer: 2, nHead: 2, rotaryDim: 4, nInner: 6 };
const ids = [3, 1, 6, 6, 0, 2];

function logits(model: GPTJForCausalLM, rows: readonly (readonly number[])[]): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const at = { ...decodingOf(noPadding(b, l), l), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}

const sizes = {
  l: from(1, 6),
  heads: from(1, 3),
  half: from(1, 3),
  rest: from(0, 3),
  inner: from(0, 6),
  depth: from(0, 2),
  exactGelu: from(0, 1),
  tied: from(0, 1),
  seed: seeds,
};

test("[gptj.layer] [gptj.rotary] [gptj.heads] [gptj.feed-forward] [gptj.norm] [gptj.head] the model equals the loop, for any sizes", () => {
  forAll(sizes, ({ l, heads, half, rest, inner, depth, exactGelu, tied, seed }) => {
    const act = exactGelu === 1 ? "gelu" : "gelu_new";
    const model = weighted(
      new GPTJForCausalLM({
        vocabSize: 7,
        nPositions: l,
        nEmbd: heads * (2 * half + rest),
        nLayer: depth,
        nHead: heads,
        rotaryDim: 2 * half,
        rotaryPrecision: "float64",
        nInner: inner === 0 ? null : inner,
        activationFunction: act,
        tieWordEmbeddings: tied === 1,
      }),
      seed,
    );
    const rows = [ids.slice(0, l), [...ids].reverse().slice(0, l)];
    const shape = { layers: depth, heads, rotaryDim: 2 * half, act } as const;
    expectNear(
      logits(model, rows),
      rows.map((row) => gptJLogits(weightsOf(model), row, shape)),
    );
  });
});

test("[gptj.rotary] [gptj.feed-forward] [gptj.norm] [gptj.head] [gptj.positions] the defaults are transformers' ones", () => {
  const model = weighted(
    new GPTJForCausalLM({ vocabSize: 7, nEmbd: 66, nLayer: 1, nHead: 1, rotaryPrecision: "float64" }),
    3,
  );
  // Embeddings so small that ε counts in the first norm.
  const table = model.transformer.wte.weight;
  for (let i = 0; i < table.size; i++)
    ndArray(table.data).set(
      Math.floor(i / 66),
      i % 66,
      ndArray(table.data).get(Math.floor(i / 66), i % 66) * 1e-3,
    );
  const shape = { layers: 1, heads: 1, rotaryDim: 64, act: "gelu_new" } as const;
  expectNear(logits(model, [ids]), [gptJLogits(weightsOf(model), ids, shape)]);
  const full = new GPTJForCausalLM();
  expect(refusal(() => new GPTJForCausalLM({ nEmbd: 1000 })).message).toContain(
    "1000 cannot be split into 16 heads",
  );
  expect([full.transformer.wte.weight.shape, full.layers.length]).toEqual([[50_400, 4096], 28]);
  expect(stateDict(full).get("transformer.h.0.mlp.fc_in.weight")?.shape).toEqual([16_384, 4096]);
  expect(refusal(() => new GPTJForCausalLM({ nHead: 128 })).message).toContain(
    "rotaryDim is 64, which rotates 64 dimensions, and a head has 32",
  );
});

test("[gptj.rotary-precision] rotary angles are those of float32 unless float64 is asked for", () => {
  const out = (rotaryPrecision?: "float32" | "float64") =>
    valuesOf(logits(weighted(new GPTJForCausalLM({ ...small, rotaryPrecision }), 4), [ids]));
  expect(out()).toEqual(out("float32"));
  const exact = out("float64");
  const off = Math.max(...[...out()].map((x, i) => Math.abs(x - (exact[i] ?? NaN))));
  expect(off).toBeGreaterThan(1e-9);
  expect(off).toBeLessThan(1e-5);
});

test("[gptj.cache] keys are cached as they are rotated", () => {
  // A token that is repeated: its keys differ by their rotation only, by neighbours, and its values not at all.
  const { k, v } = firstCache(
    weighted(new GPTJForCausalLM({ ...small, rotaryPrecision: "float64" }), 5),
    [3, 3, 3],
  );
  expect([k.length, k[0]?.length, k[0]?.[0]?.length, v.length]).toEqual([2, 3, 6, 2]);
  for (const m of [1, 2])
    for (const h of [0, 1]) {
      const [a = 0, b = 0, c = 0, d = 0, ...rest] = k[h]?.[0] ?? [];
      const [s, t] = [m, m * 10_000 ** (-2 / 4)];
      const [cs, ss, ct, st] = [Math.cos(s), Math.sin(s), Math.cos(t), Math.sin(t)];
      const turned = [a * cs - b * ss, a * ss + b * cs, c * ct - d * st, c * st + d * ct, ...rest];
      expectClose(k[h]?.[m] ?? [], turned, 1e-14);
      expect(v[h]?.[m]).toEqual(v[h]?.[0]);
    }
});

test("[gptj.positions] a position beyond the table of angles is refused", () => {
  const found = refusal(() => logits(new GPTJForCausalLM({ ...small, nPositions: 5 }), [ids]));
  expect(found.rule).toBe("gptj.positions");
  expect(found.message).toContain("position 5 is beyond the 5 positions");
  const long = new GPTJForCausalLM({ vocabSize: 7, nEmbd: 4, nLayer: 0, nHead: 1, rotaryDim: 2 });
  const row = (l: number) => [Array.from({ length: l }, () => 0)];
  expect(logits(long, row(2048)).shape).toEqual([1, 2048, 7]);
  expect(refusal(() => logits(long, row(2049))).rule).toBe("gptj.positions");
});

test("[gptj.names] [gptj.head] the state dict is that of transformers, and the tied head is the table", () => {
  const [released, ...others] = releasedModels("GPTJForCausalLM");
  expect([released?.name, others.length]).toEqual(["EleutherAI/gpt-j-6b", 0]);
  const { model } = languageModel(released?.config ?? null, { file: "gpt-j-6b", field: "config" });
  expect([...stateDict(model)].map(([key, t]) => `${key} ${t.shape.join(" ")}`)).toEqual(released?.state);
  const tied = (options: GPTJOptions) => [...ties(new GPTJForCausalLM({ ...small, ...options }))];
  expect(tied({})).toEqual([]);
  expect(tied({ tieWordEmbeddings: true })).toEqual([["lm_head.weight", "transformer.wte.weight"]]);
});

test("[gptj.heads] [gptj.rotary] heads that cannot be split or rotated are refused", () => {
  const rule = (options: GPTJOptions) => refusal(() => new GPTJForCausalLM({ ...small, ...options })).rule;
  expect(rule({ nHead: 5 })).toBe("gptj.heads");
  expect(rule({ rotaryDim: 8 })).toBe("gptj.rotary");
  expect(rule({ rotaryDim: 3 })).toBe("options.values");
  // Null stands for the width of the model (GPTJAttention: `pos_embd_dim = self.rotary_dim or self.embed_dim`).
  expect(rule({ rotaryDim: null })).toBe("gptj.rotary");
  expect(rule({ rotaryDim: null, nHead: 1, nEmbd: 7 })).toBe("gptj.rotary");
  const of = (rotaryDim: number | null) =>
    valuesOf(logits(weighted(new GPTJForCausalLM({ ...small, nHead: 1, rotaryDim }), 3), [ids]));
  expect(of(null)).toEqual(of(12));
});

test("[gptj.layer] replay equals eager", async () => {
  const model = weighted(new GPTJForCausalLM(small), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});
