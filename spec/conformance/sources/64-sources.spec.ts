// The executable half of 64-sources.md.

import { describe, expect, test } from "vitest";
import { type CheckOptions, checkCase } from "../../../src/conformance/cases/check-case.ts";
import { releaseMessage } from "../../../src/conformance/releases/message.ts";
import { argumentsOf, type Inputs } from "../../../src/conformance/sources/interface/arguments.ts";
import { conventionOfCase } from "../../../src/conformance/sources/interface/case-convention.ts";
import type { SystemUnderTest } from "../../../src/conformance/sources/interface/source.ts";
import {
  type CaseSubject,
  moduleName,
  sources,
  systemUnderTest,
} from "../../../src/conformance/sources/registry.ts";
import {
  generateArguments,
  generatedSequences,
} from "../../../src/conformance/sources/transformers/generation.ts";
import { findCases, readCase } from "../../../src/io/golden/cases.ts";
import type { JsonObject } from "../../../src/io/json.ts";
import { loadSafetensors, type Stored } from "../../../src/io/safetensors/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { conventions } from "../../../src/masks/conventions/conventions.ts";
import type { Writer } from "../../../src/models/writer.ts";
import { Linear } from "../../../src/nn/linear.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { mul, mulScalar } from "../../../src/tensor/ops/functions.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { Bool, flat, Int, int, Tensor, tensor, view } from "../../../src/tensor/tensor.ts";
import { write } from "../../support/fixtures/minimal-case.ts";
import { folders } from "../../support/fixtures/temporary.ts";
import { refusal } from "../../support/properties/refusals.ts";

const fresh = folders();
const float64 = reference("float64");

/** The first case of each class, as a subject. */
const subjects = new Map<string, CaseSubject>();
for (const folder of findCases(["golden/cases"])) {
  const golden = readCase(folder);
  const { manifest } = golden;
  const key = `${manifest.source.package}/${manifest.source.class}`;
  if (!subjects.has(key) && manifest.raises === null) subjects.set(key, manifest);
  golden.close();
}
for (const type of ["AdamW", "SGD"])
  subjects.set(`torch/${type}`, {
    id: type,
    source: { package: "torch", class: type },
    config: { lr: 0.1 },
    profile: "torch@2.13.0",
    call: new Map(["p0", "g0", "g12"].map((name) => [name, name])),
  });
subjects.set("transformers/get_scheduler", {
  id: "get_scheduler",
  source: { package: "transformers", class: "get_scheduler" },
  config: { name: "cosine", num_warmup_steps: 2, num_training_steps: 8, steps: 10 },
  profile: "transformers@5.18.0",
  call: new Map(),
});

const subject = (key: string): CaseSubject => {
  const found = subjects.get(key);
  if (!found) throw new Error(`no case of ${key}`);
  return found;
};
const block = subject("flamingo-pytorch/MaskedCrossAttention");
const refused = (wrong: Partial<CaseSubject>, message: RegExp, of: CaseSubject = block) => {
  expect(() => systemUnderTest({ ...of, ...wrong })).toThrow(LoadError);
  expect(() => systemUnderTest({ ...of, ...wrong })).toThrow(message);
};

describe("look-ups", () => {
  test("[conform.registry] every registered class has a subject here, and each subject is built", () => {
    const keys = sources.flatMap((source) =>
      Object.keys(source.classes).map((name) => `${source.package}/${name}`),
    );
    expect([...subjects.keys()].sort()).toEqual(keys.sort());
    for (const one of subjects.values()) expect(systemUnderTest(one).model).toBeInstanceOf(Object);
  });

  test.each([...Object.getOwnPropertyNames(Object.prototype), "", "Frobnicate"])(
    "[conform.registry] %j is no package, class or profile",
    (name) => {
      const { source } = block;
      refused({ source: { ...source, package: name } }, /no package ".*"; known are flamingo-pytorch, vit-/);
      refused({ source: { ...source, class: name } }, /flamingo-pytorch has no class ".*"; known are Feed/);
      refused({ profile: name }, /flamingo-pytorch has no profile ".*"; known are flamboyance, flamingo-pyt/);
    },
  );

  test("[conform.registry] a class and a profile belong to one package", () => {
    refused({ source: { package: "flamingo-pytorch", class: "ViT" } }, /flamingo-pytorch has no class "ViT"/);
    refused({ source: { package: "vit-pytorch", class: "FeedForward" } }, /vit-pytorch has no class/);
    refused({ profile: "torch@2.13.0" }, /flamingo-pytorch has no profile "torch@2.13.0"/);
  });

  test("[conform.registry] a module is named by its class, with the package where the class alone is ambiguous", () => {
    expect(moduleName({ package: "flamingo-pytorch", class: "SwiGLU" })).toBe("SwiGLU");
    expect(moduleName({ package: "somewhere", class: "SwiGLU" })).toBe("somewhere/SwiGLU");
    expect(moduleName({ package: "somewhere", class: "toString" })).toBe("somewhere/toString");
  });

  test("[conform.registry] the convention of a case is that of its profile and configuration", () => {
    const manifest = readCase("golden/cases/flamingo-pytorch/masked-cross-attention--lead-text").manifest;
    const convention = (changes: object) => conventionOfCase({ ...manifest, ...changes });
    expect(convention({})).toBe(conventions["flamingo-pytorch@0.1.2 immediate"]);
    expect(convention({ profile: "flamboyance" })).toBe(conventions.immediate);
    expect(convention({ config: { only_attend_immediate_media: false } })).toBe(
      conventions["flamingo-pytorch@0.1.2 all-previous"],
    );
    expect(
      convention({
        source: { ...manifest.source, package: "open-flamingo" },
        profile: "open-flamingo@2.0.1",
      }),
    ).toBe(conventions["open-flamingo@2.0.1"]);
    expect(() => convention({ profile: "constructor" })).toThrow(/no profile "constructor"/);
    expect(convention({ source: { ...manifest.source, package: "somebody's" } })).toBeNull();
    expect(
      convention({ source: { ...manifest.source, package: "torch" }, profile: "torch@2.13.0" }),
    ).toBeNull();
  });
});

const INHERITED = Object.getOwnPropertyNames(Object.prototype);

describe("options and arguments", () => {
  const own = (name: string): JsonObject => JSON.parse(`{ ${JSON.stringify(name)}: 1 }`);

  test.each([...subjects.keys()])("[conform.options] %s refuses unknown options and arguments", (key) => {
    const one = subject(key);
    for (const name of [
      ...INHERITED,
      "frobnicate",
      "dimHead",
      "convention",
      "behaviour",
      "epsilon",
      "device",
    ]) {
      const config = { ...one.config };
      Object.defineProperty(config, name, { ...Object.getOwnPropertyDescriptor(own(name), name) });
      refused({ config }, new RegExp(`"config" has no option "${name}"`), one);
    }
    for (const name of [...INHERITED, "frobnicate", "g", "gx", "frobnicate.x"])
      refused(
        { call: new Map([[name, "x"]]) },
        /the call of \w+ has no argument .*; (known are|it has none)/,
        one,
      );
  });

  test("[compare.raises] options that the release refuses in its constructor are refused in its words", () => {
    // torch 2.13.0, flamingo-pytorch 0.1.2, vit-pytorch 1.26.11
    const wrong: readonly (readonly [string, JsonObject, string])[] = [
      ["flamingo-pytorch/FlamingoPaLM", { cross_attn_every: 0 }, "ZeroDivisionError: integer modulo by zero"],
      [
        "flamingo-pytorch/FlamingoPaLM",
        { depth: 1.5 },
        "TypeError: 'float' object cannot be interpreted as an integer",
      ],
      [
        "flamingo-pytorch/PerceiverAttention",
        { dim_head: 0 },
        "ZeroDivisionError: 0.0 cannot be raised to a negative power",
      ],
      [
        "vit-pytorch/ViT",
        { image_size: 9, patch_size: 4 },
        "AssertionError: Image dimensions must be divisible by the patch size.",
      ],
      ["vit-pytorch/ViT", { patch_size: 0 }, "ZeroDivisionError: integer modulo by zero"],
      [
        "vit-pytorch/ViT",
        { pool: "max" },
        "AssertionError: pool type must be either cls (cls token) or mean (mean pooling)",
      ],
      [
        "vit-pytorch/ViT",
        { dropout: 1.5 },
        "ValueError: dropout probability has to be between 0 and 1, but got 1.5",
      ],
    ];
    for (const [key, config, message] of wrong) {
      const one = subject(key);
      expect(
        releaseMessage(refusal(() => systemUnderTest({ ...one, config: { ...one.config, ...config } }))),
      ).toBe(message);
    }
  });

  test("[conform.options] a value of another type is refused, and a missing option too", () => {
    for (const dim of ["8", null, true, [8]]) refused({ config: { ...block.config, dim } }, /"config\.dim"/);
    for (const dim of [0, -1, 1.5])
      expect(
        refusal(() => systemUnderTest({ ...block, config: { ...block.config, dim } })).message,
      ).toContain("dim is");
    const { dim: _, ...rest } = block.config;
    refused({ config: rest }, /"config\.dim" is missing/);
    const norm = subject("flamingo-pytorch/LayerNorm");
    refused({ config: { dim: 8, eps: 1e-3 } }, /has no option "eps"; known are dim/, norm);
    refused({ config: { lr: 0.1, betas: [0.9] } }, /has to be two numbers/, subject("torch/AdamW"));
  });

  test.each([
    [
      "GPTNeoXForCausalLM",
      { rope_scaling: { type: "yarn", factor: 2 } },
      /config\.rope_scaling\.type" has to be default or linear or llama3/,
    ],
    ["GPTNeoXForCausalLM", { hidden_dropout: 0.1 }, /config\.hidden_dropout" has to be 0/],
    ["GPTNeoXForCausalLM", { hidden_act: "mish" }, /config\.hidden_act" has to be gelu or gelu_new or/],
    ["GPTNeoXForCausalLM", { rotary_dim: 4 }, /"config" has no option "rotary_dim"; known are vocab_size/],
    ["MptForCausalLM", { resid_pdrop: 0.1 }, /config\.resid_pdrop" has to be 0/],
    ["MptForCausalLM", { attn_config: { attn_pdrop: 0.1 } }, /config\.attn_config\.attn_pdrop" has to be 0/],
    ["MptForCausalLM", { attn_config: { rope: true } }, /"config\.attn_config" has no option "rope"/],
  ] as const)("[conform.options] %s refuses %j by name", (type, config, message) => {
    const of = subject(`transformers/${type}`);
    refused({ config: { ...of.config, ...config } }, message, of);
  });

  test.each([
    [
      { attn_config: { qk_ln: true } },
      "qkLn is true; it must be false, because the MPT of transformers ignores this",
    ],
    [{ attn_config: { alibi_bias_max: 16 } }, "alibiBiasMax is 16; it must be 8, because"],
    [{ expansion_ratio: 2 }, "expansionRatio is 2; it must be 4, because"],
    [{ logit_scale: "inv_sqrt_d_model" }, 'logitScale is "inv_sqrt_d_model"; it must be null, because'],
  ] as const)("[mpt.ignored] %j is refused by name", (config, message) => {
    const of = subject("transformers/MptForCausalLM");
    const error = refusal(() => systemUnderTest({ ...of, config: { ...of.config, ...config } }));
    expect(error.message).toContain(message);
  });

  test("what decides nothing about a forward pass is accepted", () => {
    const [neox, mpt] = [subject("transformers/GPTNeoXForCausalLM"), subject("transformers/MptForCausalLM")];
    const idle = { bos_token_id: 0, eos_token_id: 0, use_cache: true, initializer_range: 0.02 };
    const build = (of: CaseSubject, more: JsonObject) =>
      systemUnderTest({ ...of, config: { ...of.config, ...idle, ...more } });
    expect(() => build(neox, { max_position_embeddings: 2048, classifier_dropout: 0.1 })).not.toThrow();
    const attention = { attn_impl: "triton", attn_pdrop: 0, alibi: true, qk_ln: false, clip_qkv: null };
    const more = {
      attn_config: attention,
      emb_pdrop: 0,
      init_device: "meta",
      learned_pos_emb: true,
      verbose: 0,
    };
    expect(() => build(mpt, more)).not.toThrow();
  });

  test("every language model of a case may give the precision of rotary angles", () => {
    const classes = ["Llama", "OPT", "GPTNeoX", "GPTJ", "Mpt"].map(
      (name) => `transformers/${name}ForCausalLM`,
    );
    for (const name of [...classes, "llm-foundry/MPTForCausalLM"]) {
      const of = subject(name);
      const build = (rotary_precision: string) =>
        systemUnderTest({ ...of, config: { ...of.config, rotary_precision } });
      expect(() => build("float64"), name).not.toThrow();
      expect(() => build("float16"), name).toThrow(/rotary_precision/);
    }
  });

  test("[conform.options] a padding row that a table of positions does not have is refused, as torch.nn.Embedding refuses it", () => {
    const kosmos = subject("kosmosx/Kosmos");
    const positions = kosmos.config.embed_positions;
    const built = (padding_idx: number) =>
      systemUnderTest({
        ...kosmos,
        config: { ...kosmos.config, embed_positions: { ...(positions as JsonObject), padding_idx } },
      });
    expect(refusal(() => built(1_000_000)).message).toContain("padding_idx is 1000000, and the table has");
    expect(built(-1).model).toBeInstanceOf(Object);
  });

  test("[conform.options] a nested module accepts its own options only", () => {
    const model = subject("flamingo-pytorch/FlamingoPaLM");
    const extractor = subject("vit-pytorch/Extractor");
    const vit = subject("vit-pytorch/ViT").config;
    const nested = (encoder: JsonObject) => ({ config: { ...model.config, img_encoder: encoder } });
    expect(systemUnderTest({ ...model, ...nested({ class: "ViT", ...vit }) }).model).toBeInstanceOf(Object);
    refused(nested({ class: "toString" }), /"config\.img_encoder\.class" has to be ViT or Identity/, model);
    refused(
      nested({ class: "Identity", dim: 3 }),
      /"config\.img_encoder" has no option "dim"; it has/,
      model,
    );
    refused(
      nested({ class: "ViT", ...vit, hidden: 3 }),
      /"config\.img_encoder" has no option "hidden"/,
      model,
    );
    refused(
      { config: { vit: { class: "Identity" }, return_embeddings_only: true } },
      /vit\.class/,
      extractor,
    );
    refused({ config: { ...extractor.config, return_embeddings_only: false } }, /has to be true/, extractor);
  });

  test("[conform.options] images by position are refused together with other media, which would be ignored", () => {
    const positional = { profile: "flamboyance", positional: ["images"] };
    const { forward } = systemUnderTest({ ...subject("flamingo-pytorch/FlamingoPaLM"), ...positional });
    const images = tensor("b m c h w", [1, 1, 1, 1, 1], [1]);
    for (const other of ["videos", "embeds"]) {
      const media = {
        text: int("b l", [[1]]),
        images,
        [other]: tensor("b m f c h w", [1, 1, 1, 1, 1, 1], [1]),
      };
      expect(() => forward?.(media)).toThrow(/images by position go without videos and embeds/);
    }
  });

  test("[conform.options] a dotted argument is a member of a dictionary, an integer without axes a number", () => {
    const stored = new Map<string, Stored>([
      ["a", tensor("n", [1])],
      ["n", int("", 3)],
    ]);
    const call = new Map([
      ["inputs.image", "a"],
      ["inputs.__proto__", "n"],
      ["length", "n"],
    ]);
    const { inputs, length } = argumentsOf(stored, call);
    expect(length).toBe(3);
    expect(Object.entries(inputs ?? {})).toEqual([
      ["image", stored.get("a")],
      ["__proto__", 3],
    ]);
  });
});

const manifest = {
  schema: "flamboyance-case/1",
  id: "somewhere/two-outputs",
  title: "several outputs",
  level: "module",
  source: { package: "somewhere", version: "1", class: "Two" },
  profile: "somewhere@1",
  config: {},
  call: { x: "x" },
  inputs: { x: { dtype: "F64", shape: [1, 2] } },
  weights: {},
};
const noise = (...names: string[]) => ({
  policy: "noise",
  K: 8,
  noise: Object.fromEntries(names.map((name) => [name, 1e-6])),
});

/** The verdict on a case that is written to a folder. */
async function verdictOn(
  changes: object,
  given: Record<string, Stored>,
  expected: Record<string, Stored>,
  options: CheckOptions = {},
) {
  const files = [given, expected].map((of) => new Map(Object.entries(of)));
  const golden = readCase(write(fresh(), { ...manifest, ...changes }, ...(files as [never, never])));
  const verdict = await checkCase(golden, float64, options);
  golden.close();
  return verdict;
}

describe("several outputs", () => {
  const x = tensor("b d", [1, 2], [3, 5]);
  const cotangent = tensor("b f", [1, 2], [1, 10]);
  const weight = tensor("o i", [2, 2], [1, 2, 3, 4]);
  /** y = W x and 2 y²; with W x = [13, 29]. */
  const system = (): SystemUnderTest => {
    const model = new Linear("d -> f", 2, 2, { bias: false });
    return {
      model,
      forward: ({ x }) => {
        const y = model.forward(named("b d", x as Tensor));
        return { y, squares: mulScalar(mul(y, y), 2), more: y };
      },
    };
  };
  const changes = (outputs: readonly string[]) => ({
    outputs,
    weights: { weight: [2, 2] },
    inputs: { ...manifest.inputs, cotangent: { dtype: "F64", shape: [1, 2] } },
    grads: ["weights.weight", "inputs.x"],
    tolerance: noise(...outputs.map((name) => `outputs.${name}`), "grads.weights.weight", "grads.inputs.x"),
  });
  const given = { "inputs.x": x, "inputs.cotangent": cotangent, "weights.weight": weight };
  const right = {
    "outputs.y": tensor("b f", [1, 2], [13, 29]),
    "outputs.squares": tensor("b f", [1, 2], [338, 1682]),
  };
  /** d Σ y ⊙ cotangent, and d Σ 2 y² ⊙ cotangent, by hand. */
  const ofFirst = {
    "grads.weights.weight": tensor("o i", [2, 2], [3, 5, 30, 50]),
    "grads.inputs.x": tensor("b d", [1, 2], [31, 42]),
  };
  const ofSquares = {
    "grads.weights.weight": tensor("o i", [2, 2], [4 * 13 * 3, 4 * 13 * 5, 40 * 29 * 3, 40 * 29 * 5]),
    "grads.inputs.x": tensor("b d", [1, 2], [4 * 13 + 3 * 40 * 29, 8 * 13 + 4 * 40 * 29]),
  };
  const on = (outputs: readonly string[], expected: Record<string, Stored>) =>
    verdictOn(changes(outputs), given, expected, { systemFor: system });

  test("[conform.outputs] each is compared, and the first one has the gradients", async () => {
    const verdict = await on(["y", "squares"], { ...right, ...ofFirst });
    expect([verdict.status, verdict.error, verdict.rows]).toEqual(["passed", null, 1 + 1 + 2 + 1]);
    expect((await on(["squares", "y"], { ...right, ...ofSquares })).status).toBe("passed");
    expect(await on(["squares", "y"], { ...right, ...ofFirst })).toMatchObject({
      status: "failed",
      firstDivergence: { tensor: "grads.weights.weight" },
    });
  });

  test("[conform.outputs] gradients without a cotangent are refused by name", async () => {
    const { inputs: _, ...rest } = changes(["y"]);
    const without = { "inputs.x": x, "weights.weight": weight };
    const expected = { "outputs.y": right["outputs.y"], ...ofFirst };
    const verdict = await verdictOn(rest, without, expected, { systemFor: system });
    expect(verdict.error).toContain('gradients need an input "cotangent" of floats');
  });

  test("[conform.outputs] [compare.integers] integers beside the tensors of a forward pass are compared exactly", async () => {
    const counting = (): SystemUnderTest => {
      const { model, forward } = system();
      const outputs = (inputs: Inputs) => forward?.(inputs) as Record<string, Tensor>;
      return { model, forward: (inputs) => ({ ...outputs(inputs), ids: int("n", [2, 7]) }) };
    };
    const withIds = (ids: readonly number[], names: readonly string[]) =>
      verdictOn(
        changes(names),
        given,
        { "outputs.y": right["outputs.y"], "outputs.ids": int("n", ids), ...ofFirst },
        { systemFor: counting },
      );
    expect((await withIds([2, 7], ["y", "ids"])).status).toBe("passed");
    expect(await withIds([2, 8], ["y", "ids"])).toMatchObject({
      status: "failed",
      firstDivergence: { tensor: "outputs.ids", remark: "7 where 8 is expected" },
    });
  });

  test("[conform.outputs] a later output that differs, or that is not returned, fails", async () => {
    const wrong = { ...right, "outputs.squares": tensor("b f", [1, 2], [338, 1683]) };
    expect(await on(["y", "squares"], { ...wrong, ...ofFirst })).toMatchObject({
      status: "failed",
      firstDivergence: { tensor: "outputs.squares" },
    });
    const { inputs: _, ...named } = {
      ...changes(["y", "toString"]),
      grads: [],
      tolerance: noise("outputs.y", "outputs.toString"),
    };
    const expected = { "outputs.y": right["outputs.y"], "outputs.toString": right["outputs.y"] };
    const { "inputs.cotangent": __, ...without } = given;
    expect(await verdictOn(named, without, expected, { systemFor: system })).toMatchObject({
      status: "failed",
      firstDivergence: { tensor: "outputs.toString", remark: "missing" },
    });
  });
});

describe("systems with run", () => {
  const ids = {
    "outputs.ids": int("b n", [
      [1, 2],
      [3, 4],
    ]),
  };
  const decode = { level: "decode", outputs: ["ids"], tolerance: noise("outputs.ids") };
  const x = { "inputs.x": tensor("b d", [1, 2], [3, 5]) };
  const running = (values: Stored) => ({
    systemFor: (): SystemUnderTest => ({ model: {}, run: async () => ({ ids: values, other: values }) }),
  });

  test("[conform.run] [compare.integers] integer outputs are equal or not, whatever the tolerance", async () => {
    for (const level of ["decode", "preprocess", "op"])
      expect((await verdictOn({ ...decode, level }, x, ids, running(ids["outputs.ids"]))).status).toBe(
        "passed",
      );
    const wrong = await verdictOn(
      decode,
      x,
      ids,
      running(
        int("b n", [
          [1, 2],
          [3, 5],
        ]),
      ),
    );
    expect(wrong).toMatchObject({
      status: "failed",
      firstDivergence: {
        error: Number.POSITIVE_INFINITY,
        tolerance: 0,
        row: [1],
        remark: "5 where 4 is expected",
      },
    });
    const close = tensor("b n", [2, 2], [1, 2, 3, 4 + 1e-9]);
    expect((await verdictOn(decode, x, ids, running(close))).status).toBe("failed");
  });

  test("[conform.run] without run and without forward a case is broken", async () => {
    const verdict = await verdictOn(decode, x, ids, { systemFor: () => ({ model: {} }) });
    expect([verdict.status, verdict.error]).toEqual(["errored", expect.stringContaining("no forward pass")]);
  });

  /** A case of torch.optim: one parameter, the gradients of three steps, the parameter after each. */
  const steps = (type: string, config: object, p0: Tensor, gradients: Tensor[], after: Tensor[]) => {
    const given = new Map([["p0", p0], ...gradients.map((g, i): [string, Tensor] => [`g${i}`, g])]);
    const outputs = after.map((_, i) => `p${i + 1}`);
    const prefixed = (prefix: string, entries: Iterable<[string, Tensor]>) =>
      Object.fromEntries([...entries].map(([name, t]) => [`${prefix}.${name}`, t]));
    return verdictOn(
      {
        source: { package: "torch", version: "2.13.0", class: type },
        profile: "torch@2.13.0",
        config,
        call: Object.fromEntries([...given.keys()].map((name) => [name, name])),
        inputs: Object.fromEntries([...given].map(([name, { shape }]) => [name, { dtype: "F64", shape }])),
        outputs,
        tolerance: noise(...outputs.map((name) => `outputs.${name}`)),
      },
      prefixed("inputs", given),
      prefixed(
        "outputs",
        after.map((p, i): [string, Tensor] => [`p${i + 1}`, p]),
      ),
    );
  };
  const vector = (values: readonly number[]): Tensor =>
    new Tensor([values.length], view(Float64Array.from(values), [values.length]));

  test("[conform.run] torch.optim.SGD on a parameter of a run that torch recorded", async () => {
    const folder = "golden/cases/training/sgd-dampened";
    const [before, after] = ["inputs", "expected"].map((file) =>
      loadSafetensors(`${folder}/${file}.safetensors`),
    );
    if (!before || !after) throw new Error(folder);
    const key = after.keys.find((name) => name.startsWith("weights."))?.slice("weights.".length) ?? "";
    const p0 = flat(before.tensor(`weights.${key}`).data);
    const row = (name: string, step: number): number[] =>
      Array.from(
        flat(after.tensor(`${name}.${key}`).data).subarray(step * p0.length, (step + 1) * p0.length),
      );
    /** buffer₀ = g₀; bufferₜ = momentum · bufferₜ₋₁ + (1 − dampening) gₜ (torch.optim.SGD) */
    const gradient = (step: number): number[] => {
      const previous = step === 0 ? null : row("momentum_buffer", step - 1);
      return row("momentum_buffer", step).map((b, i) =>
        previous ? (b - 0.8 * (previous[i] ?? 0)) / 0.7 : b,
      );
    };
    const three = [0, 1, 2];
    const run = (config: object) =>
      steps(
        "SGD",
        config,
        vector(Array.from(p0)),
        three.map((i) => vector(gradient(i))),
        three.map((i) => vector(row("weights", i))),
      );
    const config = { lr: 0.1, momentum: 0.8, dampening: 0.3 };
    expect(await run(config)).toMatchObject({ status: "passed", error: null });
    expect((await run({ ...config, dampening: 0 })).status).toBe("failed");
    expect((await run({ ...config, dampening: 0, nesterov: true })).status).toBe("failed");
    expect((await run({ ...config, nesterov: true })).status).toBe("errored"); // torch refuses it
    before.close();
    after.close();
  });

  test("[conform.run] every gradient of torch.optim is a step, and has the shape of the parameter", async () => {
    const [p0, one, two] = [vector([1, 2]), vector([2, 2]), vector([9, 9])];
    const verdict = (gradients: Record<string, Tensor>) => {
      const inputs = { p0, ...gradients };
      const entries = Object.entries(inputs);
      return verdictOn(
        {
          source: { package: "torch", version: "2.13.0", class: "SGD" },
          profile: "torch@2.13.0",
          config: { lr: 0.5 },
          call: Object.fromEntries(entries.map(([name]) => [name, name])),
          inputs: Object.fromEntries(entries.map(([name, { shape }]) => [name, { dtype: "F64", shape }])),
          outputs: ["p1"],
          tolerance: noise("outputs.p1"),
        },
        Object.fromEntries(entries.map(([name, t]) => [`inputs.${name}`, t])),
        { "outputs.p1": vector([0, 1]) },
      );
    };
    expect(await verdict({ g0: one })).toMatchObject({ status: "passed", error: null });
    for (const name of ["g2", "g00"])
      expect((await verdict({ g0: one, [name]: two })).error).toContain('no tensor "g1"');
    for (const wrong of [vector([2]), vector([2, 2, 5])])
      expect((await verdict({ g0: wrong })).error).toContain("g0 has the shape");
  });

  test("[conform.run] torch.optim.AdamW with clipping, by the paper's algorithm 2", async () => {
    const [lr, decay, eps, limit] = [0.01, 0.02, 1e-6, 0.3];
    const [beta1, beta2] = [0.9, 0.98];
    const start = [0.5, -1, 2];
    const gradients = [
      [1, -2, 0.5],
      [0.01, 0.02, 0.03],
      [-3, 1, 0],
    ];
    const clipped = gradients.map((g) => {
      const scale = Math.min(1, limit / (Math.hypot(...g) + 1e-6)); // torch.nn.utils.clip_grad_norm_
      return g.map((x) => x * scale);
    });
    let [p, m, v] = [start, [0, 0, 0], [0, 0, 0]];
    const after = clipped.map((g, step) => {
      m = m.map((x, i) => beta1 * x + (1 - beta1) * (g[i] ?? 0));
      v = v.map((x, i) => beta2 * x + (1 - beta2) * (g[i] ?? 0) ** 2);
      const unbiased = (x: number[], beta: number, i: number) => (x[i] ?? 0) / (1 - beta ** (step + 1));
      p = p.map((x, i) => {
        const stride = unbiased(m, beta1, i) / (Math.sqrt(unbiased(v, beta2, i)) + eps);
        return x - lr * (stride + decay * x);
      });
      return vector(p);
    });
    const run = (config: object) => steps("AdamW", config, vector(start), gradients.map(vector), after);
    const config = { lr, betas: [beta1, beta2], eps, weight_decay: decay, clip: limit };
    expect(await run(config)).toMatchObject({ status: "passed", error: null });
    for (const change of [{ clip: 0.4 }, { eps: 1e-5 }, { weight_decay: 0.03 }, { betas: [0.9, 0.99] }])
      expect((await run({ ...config, ...change })).status).toBe("failed");
  });
});

test("[conform.options] null in place of a number that the package may have as None is as none", async () => {
  // transformers' optimization.py: num_training_steps=None; the norm of gradients is clipped where a case says so
  const threes = (...values: number[]) => new Tensor([3], view(Float64Array.from(values), [3]));
  const inputs = { p0: threes(1, 2, 3), g0: threes(-1, 2, 4) };
  const constant = { name: "constant_with_warmup", num_warmup_steps: 2, steps: 4 };
  for (const [key, config, none, given, output] of [
    ["transformers/get_scheduler", constant, { num_training_steps: null }, {}, "factors"],
    ["torch/AdamW", { lr: 0.1 }, { clip: null }, inputs, "p1"],
    ["torch/SGD", { lr: 0.1 }, { clip: null }, inputs, "p1"],
  ] as const) {
    const found = async (own: JsonObject) => {
      const { run } = systemUnderTest({ ...subject(key), config: own });
      const result = (await run?.(given, float64))?.[output];
      return result instanceof Tensor ? Array.from(flat(result.data)) : [];
    };
    expect(await found({ ...config, ...none })).toEqual(await found(config));
    expect((await found({ ...config, ...none })).length).toBeGreaterThan(0);
  }
});

test("a case that generates from prompts with padding on the right, or with image tokens in their padding, is refused", async () => {
  // open-flamingo counts image tokens in padding, and generation here chooses its padding itself
  const settings = generateArguments(
    { max_new_tokens: 1, eos_token_id: 1 },
    { file: "case", field: "generate" },
  );
  const writer: Writer = { model: {}, context: () => ({}), step: () => expect.unreachable() };
  const image = 22;
  for (const [ids, mask, message] of [
    [[4, 5, 6], [1, 1, 0], "row 0 of attention_mask has padding that is not on the left"],
    [[4, 5, 6], [0, 0, 0], "row 0 of attention_mask has padding that is not on the left"],
    [[4, image, 6], [0, 0, 1], "row 0 has an image token in its padding"],
  ] as const) {
    const text = {
      ids: new Int<"b l">([1, 3], Int32Array.from(ids)),
      mask: new Bool<"b s">([1, 3], Uint8Array.from(mask)),
      labels: null,
    };
    await expect(
      generatedSequences(writer, text, settings, {
        backend: float64,
        mediaTokenId: image,
        positions: null,
        useCache: true,
      }),
    ).rejects.toThrow(message);
  }
});
