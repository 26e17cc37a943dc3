// Arguments of transformers' `generate` that a case leaves out, or that are null. Expected values: release 4.57.6, generation/utils.py
// (`_prepare_generated_length`, `_prepare_special_tokens`), counted by hand.

import { describe, expect, test } from "vitest";
import { argumentsOf } from "../../../src/conformance/sources/interface/arguments.ts";
import { type CaseSubject, systemUnderTest } from "../../../src/conformance/sources/registry.ts";
import {
  generateArguments,
  generatedSequences,
  paddedWith,
} from "../../../src/conformance/sources/transformers/generation.ts";
import { mpt } from "../../../src/conformance/sources/transformers/mpt.ts";
import { opt } from "../../../src/conformance/sources/transformers/opt.ts";
import { readCase } from "../../../src/io/golden/cases.ts";
import type { Json, JsonObject } from "../../../src/io/json.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { readOn, type Writer } from "../../../src/models/writer.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { Bool, Int, Tensor, view } from "../../../src/tensor/tensor.ts";

const PROMPT = [4, 5, 6];
const prompt = () => new Int<"b l">([1, PROMPT.length], Int32Array.from(PROMPT));

/** The sequences of a language model that has never been trained: which tokens it gives does not matter. */
async function sequencesOf(type: string, config: JsonObject): Promise<number[][]> {
  const source = { package: "transformers", class: type };
  const call = new Map([["input_ids", "input_ids"]]);
  const subject: CaseSubject = { id: type, source, config, profile: "transformers@4.57.6", call };
  const { run } = systemUnderTest(subject);
  if (!run) throw new Error("the case does not generate");
  const { sequences } = await run({ input_ids: prompt() }, reference("float64"));
  if (!(sequences instanceof Int)) throw new Error("no sequences");
  const [rows = 0, length = 0] = sequences.shape;
  return Array.from({ length: rows }, (_, row) =>
    Array.from(sequences.flat().subarray(row * length, (row + 1) * length)),
  );
}

const sizes = { vocab_size: 12, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
const sizesOfOpt = { ...sizes, ffn_dim: 8, word_embed_proj_dim: 8, dropout: 0, attention_dropout: 0 };
const llama = { ...sizes, intermediate_size: 8 };
const gptNeoX = { ...sizes, rotary_pct: 1, intermediate_size: 8, attention_dropout: 0, hidden_dropout: 0 };
const gptJ = { vocab_size: 12, n_embd: 8, n_layer: 1, n_head: 2, rotary_dim: 2, resid_pdrop: 0 };
const sizesOfMpt = { vocab_size: 12, d_model: 8, n_heads: 2, n_layers: 1, max_seq_len: 40 };
const generate: Json = { eos_token_id: null };

/** Token 1 follows everything; `lengths` are those of the texts that it is given. */
const lengths: number[] = [];
const writer: Writer = {
  model: {},
  context: () => ({}),
  step(ids, _mask, cache) {
    lengths.push(ids.shape[1] ?? 0);
    return {
      logits: named("b n", new Tensor([1, 3], view(Float64Array.of(0, 1, 0), [1, 3]))),
      cache: { layers: [], ...readOn(cache, ids) },
    };
  },
};
const text = { ids: prompt(), mask: new Bool<"b s">([1, 3], Uint8Array.of(1, 1, 1)) };

describe("without a length", () => {
  test.each([
    ["OPTForCausalLM", { ...sizesOfOpt, max_position_embeddings: 9 }, 9],
    ["OPTForCausalLM", sizesOfOpt, 23],
    ["LlamaForCausalLM", { ...llama, max_position_embeddings: 10 }, 10],
    ["GPTNeoXForCausalLM", { ...gptNeoX, max_position_embeddings: 22 }, 22],
    ["GPTNeoXForCausalLM", { ...gptNeoX, max_position_embeddings: 24 }, 23],
    ["GPTJForCausalLM", { ...gptJ, embd_pdrop: 0, attn_pdrop: 0, n_positions: 8 }, 8],
    ["MptForCausalLM", sizesOfMpt, 23], // its configuration has no max_position_embeddings
  ])("%s adds 20 tokens, as far as its configuration has positions", async (type, config, length) => {
    expect((await sequencesOf(type, { ...config, generate }))[0]).toHaveLength(length);
  });

  test("OpenFlamingo does as its language model", async () => {
    const golden = readCase("golden/cases/open-flamingo/flamingo--opt-greedy");
    const { manifest } = golden;
    const inputs = argumentsOf(golden.inputs, manifest.call);
    const lang_encoder = { ...(manifest.config.lang_encoder as JsonObject), max_position_embeddings: 15 };
    const { run } = systemUnderTest({ ...manifest, config: { ...manifest.config, lang_encoder, generate } });
    const found = await run?.(inputs, reference("float64"));
    expect(golden.inputs.get("lang_x")?.shape[1]).toBeGreaterThan(0);
    expect(found?.sequences?.shape[1]).toBe(15);
    golden.close();
  });
});

describe("null in place of a token", () => {
  const row = async (given: JsonObject): Promise<number[]> => {
    const settings = generateArguments({ max_new_tokens: 4, ...given }, { file: "case", field: "generate" });
    const known = paddedWith(settings, 9);
    const context = { backend: reference("float64"), eosTokenId: 1, positions: null, useCache: true };
    const { sequences } = await generatedSequences(writer, text, known, context);
    return sequences instanceof Int ? Array.from(sequences.flat()) : [];
  };

  test("eos_token_id: nothing ends a text, not even the token of the configuration", async () => {
    expect(await row({})).toEqual([...PROMPT, 1]);
    expect(await row({ eos_token_id: null })).toEqual([...PROMPT, 1, 1, 1, 1]);
  });

  test("pad_token_id: the token of the configuration is left aside", () => {
    const at = { file: "case", field: "generate" };
    expect(paddedWith(generateArguments({}, at), 9).padTokenId).toBe(9);
    expect(paddedWith(generateArguments({ pad_token_id: null }, at), 9).padTokenId).toBeNull();
    expect(paddedWith(generateArguments({ pad_token_id: 0 }, at), 9).padTokenId).toBe(0);
  });
});

describe("the cache", () => {
  const at = { file: "case", field: "config" };
  // MptConfig has use_cache=False, and the package's generation configuration takes it over; OPTConfig has True
  test.each([
    [mpt, sizesOfMpt, undefined, false],
    [mpt, sizesOfMpt, true, true],
    [opt, sizesOfOpt, undefined, true],
    [opt, sizesOfOpt, false, false],
  ])("%#: its default is use_cache of the model's configuration", async (models, sizes, own, expected) => {
    const { useCache } = models.build(own === undefined ? sizes : { ...sizes, use_cache: own }, at);
    const settings = generateArguments({ max_new_tokens: 3 }, at);
    const context = { backend: reference("float64"), positions: null, useCache };
    for (const [given, caches] of [
      [settings, expected],
      [{ ...settings, useCache: true }, true],
      [{ ...settings, useCache: false }, false],
    ] as const) {
      lengths.length = 0;
      await generatedSequences(writer, text, given, context);
      expect(lengths).toEqual(caches ? [3, 1, 1] : [3, 4, 5]);
    }
  });
});
