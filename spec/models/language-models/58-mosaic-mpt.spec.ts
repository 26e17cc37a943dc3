// The executable half of 58-mosaic-mpt.md. The loops are those of support/oracles/mpt.ts.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemUnderTest } from "../../../src/conformance/sources/registry.ts";
import { readCase } from "../../../src/io/golden/cases.ts";
import type { JsonObject } from "../../../src/io/json.ts";
import { saveSafetensors } from "../../../src/io/safetensors/write.ts";
import { decodingOf, type LanguageModel, noPadding, readTokens } from "../../../src/models/language-model.ts";
import {
  MOSAIC_GPT_NAMES,
  MosaicMptForCausalLM,
  type MosaicMptOptions,
} from "../../../src/models/language-models/mosaic-mpt.ts";
import { MptForCausalLM } from "../../../src/models/language-models/mpt.ts";
import { loadStateDict, stateDict } from "../../../src/nn/state-dict.ts";
import { loadPretrained } from "../../../src/pretrained/load-pretrained.ts";
import { buildModel, classFor } from "../../../src/pretrained/model-classes.ts";
import { gradientOf, gradients } from "../../../src/tensor/autodiff/gradients.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { ndArray } from "../../../src/tensor/ops/elementwise.ts";
import { square, sumAll } from "../../../src/tensor/ops/functions.ts";
import { evaluate } from "../../../src/tensor/program/evaluate.ts";
import { record } from "../../../src/tensor/program/record.ts";
import { Bool, flat, Int, sizeOf, Tensor } from "../../../src/tensor/tensor.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { type MosaicShape, mosaicLogits } from "../../support/oracles/language-models/mpt.ts";
import { linear, mat, norm, row, under } from "../../support/oracles/layers.ts";
import { expectNear, forAll, from, list, seeds, weighted, weightsOf } from "../../support/oracles/modules.ts";
import { releasedModels } from "../../support/oracles/released-state.ts";
import { replayEqualsEager } from "../../support/properties/programs.ts";
import { refusal } from "../../support/properties/refusals.ts";

const fresh = folders();

const small: MosaicMptOptions = { vocabSize: 7, dModel: 6, nHeads: 3, nLayers: 2, maxSeqLen: 8 };
const ids = [3, 1, 6, 6, 0, 2];
const all = ids.map(() => true);

type Marks = readonly (readonly boolean[])[];

function logits(model: LanguageModel, rows: readonly (readonly number[])[], marks?: Marks): Tensor<"b l n"> {
  const [b, l] = [rows.length, rows[0]?.length ?? 0];
  const mask = marks ? new Bool<"b s">([b, l], Uint8Array.from(marks.flat(), Number)) : noPadding(b, l);
  const at = { ...decodingOf(mask, l, "slots"), media: null, visibility: null };
  return model.logits(readTokens(model, new Int([b, l], Int32Array.from(rows.flat())), at, null).x);
}

/** Exponents of 1/2, by hand, for a largest exponent of 8: of 1, 2, 3, 4 and 6 heads (see 57-mpt.spec.ts). */
const exponents: Readonly<Record<number, readonly number[]>> = {
  1: [8],
  2: [4, 8],
  3: [4, 8, 2],
  4: [2, 4, 6, 8],
  6: [2, 4, 6, 8, 1, 3],
};
const slopesOf = (heads: number, largest = 8): number[] =>
  (exponents[heads] ?? []).map((n) => 2 ** ((-n * largest) / 8));
const none = (heads: number): number[] => Array.from({ length: heads }, () => 0);

const plain = { layers: 2, heads: 3, keyValueHeads: 3, slopes: none(3), clip: Infinity, logitScale: 1 };
const shape: MosaicShape = { ...plain, scale: 1 / Math.sqrt(2), rms: false, epsilon: 1e-5 };

/** Whether the model has these parameters: the loop uses whichever there are. */
function expectParameters(model: object, wanted: Readonly<Record<string, boolean>>): void {
  const state = stateDict(model);
  const found = Object.keys(wanted).map((name) => [name, state.has(name)]);
  expect(Object.fromEntries(found)).toEqual(wanted);
}

/** The first row has padding on the left, the second on the right; each keeps a token. */
const marksOf = (l: number, left: number, right: number): Marks => [
  Array.from({ length: l }, (_, i) => i >= Math.min(left, l - 1)),
  Array.from({ length: l }, (_, i) => i < Math.max(1, l - right)),
];

const sizes = {
  l: from(1, 6),
  groups: from(1, 3),
  sharing: from(1, 2),
  width: from(1, 4),
  depth: from(0, 2),
  left: from(0, 4),
  right: from(0, 4),
  clip: from(0, 2),
  scale: from(0, 1),
  norm: from(0, 3),
  qkLn: from(0, 1),
  positions: from(0, 2),
  bias: from(0, 2),
  logits: from(0, 2),
  ratio: from(1, 3),
  tied: from(0, 1),
  seed: seeds,
};

test("[mosaic.layer] [mosaic.layout] [mosaic.groups] [mosaic.qk-norm] [mosaic.norms] [mosaic.positions] [mosaic.alibi] [mosaic.scale] [mosaic.clip] [mosaic.feed-forward] [mosaic.biases] [mosaic.logits] the model equals the loop, for any sizes and padding", () => {
  const norms = ["layernorm", "low_precision_layernorm", "rmsnorm", "low_precision_rmsnorm"] as const;
  forAll(
    sizes,
    (n) => {
      const heads = n.groups * n.sharing;
      const d = heads * n.width;
      const type = n.sharing === 1 ? "multihead" : n.groups === 1 ? "multiquery" : "grouped_query";
      const model = weighted(
        new MosaicMptForCausalLM({
          vocabSize: 7,
          dModel: d,
          nHeads: heads,
          nLayers: n.depth,
          maxSeqLen: n.l,
          expansionRatio: n.ratio,
          learnedPosEmb: n.positions === 0,
          logitScale: [null, "inv_sqrt_d_model", -0.5][n.logits] ?? null,
          noBias: n.bias !== 0,
          attentionBias: n.bias === 2 ? true : null,
          normType: norms[n.norm],
          normEps: 0.01,
          tieWordEmbeddings: n.tied === 1,
          attnConfig: {
            attnType: `${type}_attention`,
            kvNHeads: type === "grouped_query" ? n.groups : null,
            qkLn: n.qkLn === 1,
            clipQkv: [null, 0, 0.6][n.clip],
            softmaxScale: [null, 1.25][n.scale],
            alibi: n.positions === 1,
            alibiBiasMax: 6,
          },
        }),
        n.seed,
      );
      const expected = {
        layers: n.depth,
        heads,
        keyValueHeads: n.groups,
        slopes: n.positions === 1 ? slopesOf(heads, 6) : none(heads),
        clip: [Infinity, Infinity, 0.6][n.clip] ?? NaN,
        scale: [1 / Math.sqrt(n.width), 1.25][n.scale] ?? NaN,
        logitScale: [1, 1 / Math.sqrt(d), -0.5][n.logits] ?? NaN,
        rms: n.norm >= 2,
        epsilon: 0.01,
      };
      expectParameters(model, {
        "transformer.wpe.weight": n.positions === 0,
        "lm_head.weight": n.tied === 0,
        "transformer.blocks.0.attn.Wqkv.bias": n.depth > 0 && n.bias !== 1,
        "transformer.norm_f.bias": n.bias === 0 && n.norm < 2,
      });
      const rows = [ids.slice(0, n.l), [...ids].reverse().slice(0, n.l)];
      const marks = marksOf(n.l, n.left, n.right);
      expectNear(
        logits(model, rows, marks),
        rows.map((row, b) => mosaicLogits(weightsOf(model), row, marks[b] ?? [], expected)),
      );
    },
    60,
  );
});

test("[mosaic.norms] [mosaic.biases] [mosaic.qk-norm] [mosaic.groups] [mosaic.positions] [mosaic.feed-forward] the defaults are llm-foundry's", () => {
  const { dModel = 0 } = small;
  const model = weighted(new MosaicMptForCausalLM({ ...small, nHeads: 2 }), 3);
  // Embeddings so small that ε counts in the first norm.
  for (const name of ["wte", "wpe"] as const) {
    const table = model.transformer[name]?.weight;
    if (!table) throw new Error(`no ${name}`);
    for (let i = 0; i < table.size; i++) {
      const place = [Math.floor(i / dModel), i % dModel] as const;
      ndArray(table.data).set(...place, ndArray(table.data).get(...place) * 1e-3);
    }
  }
  const two = { ...shape, heads: 2, keyValueHeads: 2, slopes: none(2), scale: 1 / Math.sqrt(3) };
  expectNear(logits(model, [ids]), [mosaicLogits(weightsOf(model), ids, all, two)], 1e-10);
  const names = [...stateDict(model).keys()];
  expect(names.filter((name) => name.includes("_ln") || name.startsWith("lm_head"))).toEqual([]);
  const { transformer: full } = new MosaicMptForCausalLM();
  expect([full.wte.weight.shape, full.wpe?.weight.shape, full.blocks.length]).toEqual([
    [50_368, 2048],
    [2048, 2048],
    24,
  ]);
  expect(stateDict(full).get("blocks.23.ffn.up_proj.weight")?.shape).toEqual([8192, 2048]);
  // 16 heads: a width that is no multiple of 16 is refused.
  expect(refusal(() => new MosaicMptForCausalLM({ dModel: 2040 })).message).toContain("among 16 heads");
});

test("[mosaic.alibi] the largest exponent is 8 by default", () => {
  const options = { ...small, attnConfig: { alibi: true } };
  const model = weighted(new MosaicMptForCausalLM(options), 4);
  expectNear(logits(model, [ids]), [
    mosaicLogits(weightsOf(model), ids, all, { ...shape, slopes: slopesOf(3) }),
  ]);
});

test("[mosaic.qk-norm] the class of transformers, which leaves these norms out, computes other logits", () => {
  // Without the norms both classes are the same model.
  const options = { vocabSize: 7, dModel: 6, nHeads: 3, nLayers: 2, maxSeqLen: 8 };
  const own = weighted(
    new MosaicMptForCausalLM({ ...options, noBias: true, attnConfig: { alibi: true, clipQkv: 0.7 } }),
    5,
  );
  const other = new MptForCausalLM({ ...options, attnConfig: { clipQkv: 0.7 } });
  loadStateDict(other, stateDict(own));
  expectNear(logits(other, [ids]), list(logits(own, [ids])));

  // With them: the released class's own logits, of the case that is shaped like MPT-1B. Its first row has no padding.
  const golden = readCase("golden/cases/llm-foundry/mosaic-mpt-for-causal-lm--qk-ln");
  const { weights, inputs, expected } = golden;
  const [text, released] = [inputs.get("input_ids"), expected.get("outputs.logits")];
  if (!(text instanceof Int) || !(released instanceof Tensor)) throw new Error("ids and logits");
  const rows = list<number[]>(text).slice(0, 1);
  const sizes = { vocabSize: 24, dModel: 16, nHeads: 4, nLayers: 2, maxSeqLen: 16 };
  const right = new MosaicMptForCausalLM({ ...sizes, noBias: true, attnConfig: { qkLn: true, alibi: true } });
  loadStateDict(right, weights);
  const wanted = list<number[][]>(released).slice(0, 1);
  expectNear(logits(right, rows), wanted);
  const ignoring = new MptForCausalLM(sizes);
  loadStateDict(ignoring, weights, { ignore: ["*.q_ln.*", "*.k_ln.*"], optional: ["lm_head.weight"] });
  const [found, sought] = [flat(logits(ignoring, rows).data), wanted.flat(2)];
  const off = Math.max(...sought.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
  expect(off).toBeGreaterThan(0.1 * Math.max(...sought.map(Math.abs)));
  golden.close();
});

test("[mosaic.names] [mosaic.logits] the state dict is that of llm-foundry", () => {
  // The names, order and shapes that MPTForCausalLM(MPTConfig(…)).state_dict() has in llm-foundry 0.22.0.
  const block = (i: number) =>
    [
      "norm_1.weight 6",
      "norm_1.bias 6",
      "attn.Wqkv.weight 10 6",
      "attn.Wqkv.bias 10",
      "attn.q_ln.weight 6",
      "attn.q_ln.bias 6",
      "attn.k_ln.weight 2",
      "attn.k_ln.bias 2",
      "attn.out_proj.weight 6 6",
      "attn.out_proj.bias 6",
      "norm_2.weight 6",
      "norm_2.bias 6",
      "ffn.up_proj.weight 24 6",
      "ffn.up_proj.bias 24",
      "ffn.down_proj.weight 6 24",
      "ffn.down_proj.bias 6",
    ].map((line) => `transformer.blocks.${i}.${line}`);
  const lines = (options: MosaicMptOptions) =>
    [...stateDict(new MosaicMptForCausalLM({ ...small, ...options }))].map(
      ([name, t]) => `${name} ${t.shape.join(" ")}`,
    );
  const attnConfig = { qkLn: true, attnType: "multiquery_attention" } as const;
  const full = [
    "transformer.wte.weight 7 6",
    "transformer.wpe.weight 8 6",
    ...block(0),
    ...block(1),
    "transformer.norm_f.weight 6",
    "transformer.norm_f.bias 6",
    "lm_head.weight 7 6",
  ];
  expect(lines({ attnConfig, tieWordEmbeddings: false })).toEqual(full);
  const without = full.filter((line) => !/bias|wpe|lm_head/.test(line));
  expect(lines({ attnConfig: { ...attnConfig, alibi: true }, noBias: true })).toEqual(without);
  expect(lines({ attnConfig: { ...attnConfig, alibi: true }, noBias: true, attentionBias: true })).toEqual(
    full.filter((line) => !/bias|wpe|lm_head/.test(line) || line.includes("Wqkv.bias")),
  );
  expect(lines({ attnConfig, normType: "rmsnorm", tieWordEmbeddings: false })).toEqual(
    full.filter((line) => !/norm_.\.bias/.test(line)),
  );
});

test("[mosaic.names] [mosaic.old-names] MPT-1B has the keys and shapes of llm-foundry, and its weights those of MosaicGPT", () => {
  const [released, ...others] = releasedModels("MPTForCausalLM");
  expect([released?.name, others]).toEqual(["mosaicml/mpt-1b-redpajama-200b", []]);
  const { class: type = "", ...config } = released?.config ?? {};
  const { model } = systemUnderTest({
    id: "mpt-1b",
    source: { package: "llm-foundry", class: String(type) },
    config,
    profile: "llm-foundry@0.22.0",
  });
  const state = stateDict(model);
  expect([...state].map(([key, t]) => `${key} ${t.shape.join(" ")}`)).toEqual(released?.state);
  // By hand: (4 + 8) d² + 4d in a block, a table, and the last norm.
  const parameters = [...state.values()].reduce((sum, t) => sum + sizeOf(t.shape), 0);
  expect(parameters).toBe(24 * (12 * 2048 ** 2 + 4 * 2048) + 50_368 * 2048 + 2048);
  // MosaicGPT's own names: mosaicml/examples, examples/llm/src/models (mosaic_gpt.py, layers/gpt_blocks.py, layers/attention.py).
  const block = [
    "ln_1.weight norm_1.weight",
    "attn.Wqkv.weight attn.Wqkv.weight",
    "attn.q_ln.weight attn.q_ln.weight",
    "attn.k_ln.weight attn.k_ln.weight",
    "attn.out_proj.weight attn.out_proj.weight",
    "ln_2.weight norm_2.weight",
    "mlp.mlp_up.weight ffn.up_proj.weight",
    "mlp.mlp_down.weight ffn.down_proj.weight",
  ].map((line) => line.split(" "));
  const old = new Map<string, string>([
    ["transformer.wte.weight", "transformer.wte.weight"],
    ["transformer.ln_f.weight", "transformer.norm_f.weight"],
  ]);
  for (const i of [0, 1])
    for (const [before = "", after = ""] of block)
      old.set(`transformer.blocks.${i}.${before}`, `transformer.blocks.${i}.${after}`);
  const options = { ...small, noBias: true, attnConfig: { qkLn: true, alibi: true } };
  const [from, to] = [weighted(new MosaicMptForCausalLM(options), 6), new MosaicMptForCausalLM(options)];
  const weights = stateDict(from);
  loadStateDict(to, new Map([...old].map(([before, after]) => [before, weights.get(after) as Tensor])), {
    rename: MOSAIC_GPT_NAMES,
  });
  expectNear(logits(to, [ids]), list(logits(from, [ids])), 0);
});

test("[mosaic.embedding] a part of the gradient reaches the embeddings, and none of it the padding token", () => {
  const gradient = (options: MosaicMptOptions): readonly number[][] => {
    const model = weighted(new MosaicMptForCausalLM({ ...small, tieWordEmbeddings: false, ...options }), 7);
    const name = "transformer.wte.weight";
    const program = record(() => ({ loss: sumAll(square(logits(model, [ids]))) }), { model });
    return list(evaluate(gradients(program, "loss", [name])).outputs[gradientOf(name)] as Tensor);
  };
  const full = gradient({});
  const part = gradient({ embeddingFraction: 0.25 });
  expect(part.flat()).toEqual(full.flat().map((value) => expect.closeTo(value / 4, 10)));
  for (const padTokenId of [6, -1]) {
    const padded = gradient({ padTokenId });
    expect(padded[6]).toEqual(new Array<number>(6).fill(0));
    expect(full[6]).not.toEqual(padded[6]);
    expect(padded.slice(0, 6)).toEqual(full.slice(0, 6));
  }
  expect(refusal(() => new MosaicMptForCausalLM({ ...small, padTokenId: 7 })).rule).toBe("mosaic.embedding");
  for (const embeddingFraction of [0, 1.5])
    expect(refusal(() => new MosaicMptForCausalLM({ ...small, embeddingFraction })).message).toContain(
      "embeddingFraction",
    );
});

test("[mosaic.length] a text may be as long as maxSeqLen, and a longer one is refused", () => {
  for (const attnConfig of [{ alibi: true }, {}]) {
    const model = weighted(new MosaicMptForCausalLM({ ...small, maxSeqLen: 6, attnConfig }), 4);
    expect(logits(model, [ids]).shape).toEqual([1, 6, 7]);
    const error = refusal(() => logits(model, [[...ids, 1]]));
    expect([error.rule, error.message]).toEqual([
      "mosaic.length",
      expect.stringContaining("the text has 7 tokens, and maxSeqLen is 6"),
    ]);
    // Padding counts, as in the release.
    expect(refusal(() => logits(model, [[...ids, 1]], [[false, ...all]])).rule).toBe("mosaic.length");
  }
  const long = weighted(
    new MosaicMptForCausalLM({ vocabSize: 7, dModel: 1, nHeads: 1, nLayers: 1, attnConfig: { alibi: true } }),
    4,
  );
  const text = new Array<number>(2048).fill(1);
  expect(refusal(() => logits(long, [[...text, 1]])).rule).toBe("mosaic.length");
});

test("[mosaic.groups] [mosaic.layout] [mosaic.feed-forward] heads and widths that cannot be divided are refused", () => {
  const made = (options: MosaicMptOptions) =>
    refusal(() => new MosaicMptForCausalLM({ ...small, ...options }));
  expect(made({ dModel: 7 }).rule).toBe("mosaic.layout");
  const grouped = (kvNHeads: number | null) =>
    made({ attnConfig: { attnType: "grouped_query_attention", kvNHeads } });
  expect([grouped(null).rule, grouped(2).rule, grouped(4).rule]).toEqual(new Array(3).fill("mosaic.groups"));
  for (const attnType of ["multihead_attention", "multiquery_attention"] as const) {
    const error = made({ attnConfig: { attnType, kvNHeads: 1 } });
    expect([error.rule, error.message]).toEqual(["mosaic.groups", expect.stringContaining(attnType)]);
  }
  expect(made({ expansionRatio: 1.1 }).rule).toBe("mosaic.feed-forward");
});

test("[mosaic.options] options of the package that are not supported are refused by name", () => {
  const others = {
    prefixLm: true,
    attnUsesSequenceId: true,
    qkGn: true,
    fusedQkv: false,
    rope: true,
    slidingWindowSize: 4,
    attnLogitSoftcapping: 30,
  };
  for (const [name, value] of Object.entries(others)) {
    const { message } = refusal(() => new MosaicMptForCausalLM({ ...small, attnConfig: { [name]: value } }));
    expect(message).toContain(`attnConfig: ${name} is ${value}; it must be `);
    expect(message).toContain("the only value that is supported");
  }
  for (const logitScale of ["sqrt_d_model", Number.NaN])
    expect(refusal(() => new MosaicMptForCausalLM({ ...small, logitScale })).message).toContain(
      'a finite number, "inv_sqrt_d_model" or null',
    );
  // The values of a configuration that has none of them.
  const attnConfig = {
    prefixLm: false,
    attnUsesSequenceId: false,
    qkGn: false,
    fusedQkv: true,
    rope: false,
    slidingWindowSize: -1,
    attnLogitSoftcapping: null,
  };
  new MosaicMptForCausalLM({ ...small, attnConfig });
  new MosaicMptForCausalLM({ ...small, attnConfig: null });
});

test("[mosaic.cache] the cache holds normalised keys, and values, of the heads that they have", () => {
  const attnConfig = { qkLn: true, attnType: "grouped_query_attention", kvNHeads: 2, alibi: true } as const;
  const options = { ...small, dModel: 8, nHeads: 4, nLayers: 1, attnConfig };
  const model = weighted(new MosaicMptForCausalLM(options), 9);
  const at = { ...decodingOf(noPadding(1, 6), 6), media: null, visibility: null };
  const { layers } = readTokens(model, new Int([1, 6], Int32Array.from(ids)), at, null);
  const block = under(weightsOf(model), "transformer.blocks.0");
  const rows = ids.map((id) => {
    const x = norm(under(block, "norm_1"), row(mat(weightsOf(model), "transformer.wte.weight"), id));
    const projected = linear(under(block, "attn.Wqkv"), x); // 8 of queries, 4 of keys, 4 of values
    return [norm(under(block, "attn.k_ln"), projected.slice(8, 12)), projected.slice(12)] as const;
  });
  const inHeads = (which: 0 | 1) => [0, 2].map((from) => rows.map((r) => r[which].slice(from, from + 2)));
  expectNear(layers[0]?.k as Tensor, [inHeads(0)]);
  expectNear(layers[0]?.v as Tensor, [inHeads(1)]);
});

test("[mosaic.layer] replay equals eager", async () => {
  const attnConfig = { clipQkv: 0.5, qkLn: true, attnType: "grouped_query_attention", kvNHeads: 2 } as const;
  const model = weighted(new MosaicMptForCausalLM({ ...small, dModel: 8, nHeads: 4, attnConfig }), 2);
  await replayEqualsEager(() => logits(model, [ids, ids]), { model });
});

/** config.json of MPT-1B, made small, as mosaicml/mpt-1b-redpajama-200b has it (model_type mosaic_gpt). */
const mosaicGpt = {
  alibi: true,
  alibi_bias_max: 6,
  architectures: ["MosaicGPT"],
  attn_clip_qkv: 0.7,
  attn_impl: "torch",
  attn_pdrop: 0,
  attn_qk_ln: true,
  attn_uses_sequence_id: false,
  d_model: 6,
  embedding_fraction: 1,
  logit_scale: null,
  low_precision_layernorm: true,
  max_seq_len: 8,
  mlp_ratio: 2,
  model_type: "mosaic_gpt",
  n_heads: 3,
  n_layers: 2,
  no_bias: true,
  prefix_lm: false,
  softmax_scale: 1.25,
  vocab_size: 7,
};
const sameOptions: MosaicMptOptions = {
  ...small,
  expansionRatio: 2,
  noBias: true,
  attnConfig: { qkLn: true, clipQkv: 0.7, softmaxScale: 1.25, alibi: true, alibiBiasMax: 6 },
};

test("[mosaic.config] [mosaic.old-names] a folder of MosaicGPT is read with its own options and names", async () => {
  const model = weighted(new MosaicMptForCausalLM(sameOptions), 8);
  const former = (name: string) =>
    name
      .replace(/norm_(1|2|f)/, "ln_$1")
      .replace("ffn.up_proj", "mlp.mlp_up")
      .replace("ffn.down_proj", "mlp.mlp_down");
  const weights = new Map([...stateDict(model)].map(([name, t]) => [former(name), t]));
  expect([...weights.keys()].slice(-4)).toEqual([
    "transformer.blocks.1.ln_2.weight",
    "transformer.blocks.1.mlp.mlp_up.weight",
    "transformer.blocks.1.mlp.mlp_down.weight",
    "transformer.ln_f.weight",
  ]);
  const folder = fresh();
  mkdirSync(folder);
  writeFileSync(join(folder, "config.json"), JSON.stringify(mosaicGpt));
  saveSafetensors(join(folder, "model.safetensors"), weights, { floats: "F64" });
  const loaded = await loadPretrained(folder, { lazy: false });
  expect(loaded.model).toBeInstanceOf(MosaicMptForCausalLM);
  expectNear(logits(loaded.model, [ids]), list(logits(model, [ids])), 0);
});

/** config.json of MPT-7B, made small, as mosaicml/mpt-7b has it. */
const mpt7 = {
  architectures: ["MPTForCausalLM"],
  attn_config: {
    alibi: true,
    alibi_bias_max: 8,
    attn_impl: "torch",
    attn_pdrop: 0,
    attn_type: "multihead_attention",
    attn_uses_sequence_id: false,
    clip_qkv: null,
    prefix_lm: false,
    qk_ln: false,
    softmax_scale: null,
  },
  d_model: 8,
  embedding_fraction: 1,
  expansion_ratio: 4,
  learned_pos_emb: true,
  logit_scale: null,
  max_seq_len: 8,
  model_type: "mpt",
  n_heads: 4,
  n_layers: 1,
  no_bias: true,
  norm_type: "low_precision_layernorm",
  vocab_size: 7,
};

test("[mosaic.config] a configuration of mpt is MosaicML's class where transformers would ignore an option", () => {
  const built = (config: JsonObject) => buildModel(classFor(config, "config.json"), config, "config.json");
  expect(built(mpt7)).toBeInstanceOf(MptForCausalLM);
  expect(built({ ...mpt7, norm_type: "layernorm" })).toBeInstanceOf(MptForCausalLM);
  const others = {
    expansion_ratio: 2,
    logit_scale: "inv_sqrt_d_model",
    no_bias: false,
    attention_bias: true,
    norm_type: "rmsnorm",
    norm_eps: 0.01,
    embedding_fraction: 0.5,
  };
  for (const [name, value] of Object.entries(others))
    expect(built({ ...mpt7, [name]: value })).toBeInstanceOf(MosaicMptForCausalLM);
  const ofAttention = {
    qk_ln: true,
    alibi: false,
    alibi_bias_max: 16, // MPT-7B-StoryWriter
    attn_type: "multiquery_attention",
  };
  for (const [name, value] of Object.entries(ofAttention)) {
    const attn_config = { ...mpt7.attn_config, [name]: value };
    expect(built({ ...mpt7, attn_config })).toBeInstanceOf(MosaicMptForCausalLM);
  }
  // MptForCausalLM.save_pretrained of transformers 4.57.6: the logits of the folder are those without the option
  const saved = { ...mpt7, architectures: ["MptForCausalLM"] };
  expect(built(saved)).toBeInstanceOf(MptForCausalLM);
  expect(() => built({ ...saved, logit_scale: 0.5 })).toThrow(/logitScale/);
  const longer = { ...saved, attn_config: { ...mpt7.attn_config, alibi_bias_max: 16 } };
  expect(() => built(longer)).toThrow(/alibiBiasMax/);
  const grouped = {
    attn_type: "grouped_query_attention",
    kv_n_heads: 2,
    attn_temperature_tuning: { attn_scale: 0 },
  };
  const model = built({ ...mpt7, attn_config: { ...mpt7.attn_config, ...grouped } });
  expect(stateDict(model).get("transformer.blocks.0.attn.Wqkv.weight")?.shape).toEqual([16, 8]); // 8 + 2 · 4
  const unsupported = [
    { attn_config: { qk_ln: true, attn_temperature_tuning: { attn_scale: 0.1 } } },
    { attn_config: { qk_ln: true, rope: true } },
    { attn_config: { qk_ln: true, nope: true } },
    { attn_config: { qk_ln: true, kv_dim: 4 } },
    { no_bias: false, final_logit_softcapping: 30 },
    { no_bias: false, block_overrides: {} },
    { no_bias: false, head_dim: 4 },
    { no_bias: false, ffn_config: { ffn_type: "mptglu" } },
  ];
  for (const members of unsupported) expect(() => built({ ...mpt7, ...members })).toThrow(LoadError);
});
