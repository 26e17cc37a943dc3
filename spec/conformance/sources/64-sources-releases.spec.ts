// Two releases of transformers compute the same under other names: exported with 5.18.0, the golden cases of 4.57.6 have the same numbers.
// Here cases of 4.57.6 are given the names of 5.18.0.
import { expect, test } from "vitest";
import type { Inputs } from "../../../src/conformance/sources/interface/arguments.ts";
import { systemUnderTest } from "../../../src/conformance/sources/registry.ts";
import { readCase } from "../../../src/io/golden/cases.ts";
import type { JsonObject } from "../../../src/io/json.ts";
import { stateDict, ties } from "../../../src/nn/state-dict.ts";
import { Int, Tensor } from "../../../src/tensor/tensor.ts";
import { weighted } from "../../support/oracles/modules.ts";
import { valuesOf } from "../../support/properties/programs.ts";

const ids: Inputs = { input_ids: new Int([1, 5], Int32Array.from([3, 1, 7, 7, 2])) };

function subject(name: string, profile: string, change: (config: JsonObject) => JsonObject = (same) => same) {
  const golden = readCase(`golden/cases/transformers/${name}`);
  const { id, source, config } = golden.manifest;
  golden.close();
  const { cached, ...own } = config;
  return systemUnderTest({ id, source, profile, config: change(own) });
}

/** The logits of a system with weights that depend on their order only. */
function logits(system: ReturnType<typeof subject>): readonly number[] {
  weighted(system.model, 3);
  const outputs = system.forward?.(ids);
  const x = outputs instanceof Tensor ? outputs : outputs?.logits;
  return valuesOf(x as Tensor);
}

test("[conform.registry] GPT-NeoX of transformers 5.18.0 has its head under the name lm_head", () => {
  const name = "gpt-neox-for-causal-lm--tied-without-biases";
  const keys = (profile: string) => [...stateDict(subject(name, profile).model).keys()];
  const [four, five] = [keys("transformers@4.57.6"), keys("transformers@5.18.0")];
  expect(four.at(-1)).toBe("embed_out.weight");
  expect(five).toEqual([...four.slice(0, -1), "lm_head.weight"]);
  expect([...ties(subject(name, "transformers@5.18.0").model)]).toEqual([
    ["lm_head.weight", "gpt_neox.embed_in.weight"],
  ]);
  expect(logits(subject(name, "transformers@5.18.0"))).toEqual(logits(subject(name, "transformers@4.57.6")));
});

test("[conform.options] rope_parameters of transformers 5.18.0 are the options of 4.57.6", () => {
  for (const [name, base, share] of [
    ["llama-for-causal-lm--llama3-frequencies", "rope_theta", null],
    ["llama-for-causal-lm--float32-angles", "rope_theta", null],
    ["gpt-neox-for-causal-lm--linear-frequencies", "rotary_emb_base", "rotary_pct"],
  ] as const) {
    const inFive = (config: JsonObject): JsonObject => {
      const { [base]: theta = 10_000, rope_scaling: scaling = {}, ...others } = config;
      const { type, ...members } = scaling as JsonObject;
      const parameters = {
        ...members,
        rope_theta: theta,
        ...(type === undefined ? {} : { rope_type: type }),
      };
      if (share === null) return { ...others, rope_parameters: parameters };
      const { [share]: part = 0.25, ...rest } = others;
      return { ...rest, rope_parameters: { ...parameters, partial_rotary_factor: part } };
    };
    const four = logits(subject(name, "transformers@4.57.6"));
    expect(logits(subject(name, "transformers@5.18.0", inFive))).toEqual(four);
    const slower = (config: JsonObject): JsonObject => {
      const { rope_parameters: parameters, ...others } = inFive(config);
      return { ...others, rope_parameters: { ...(parameters as JsonObject), rope_theta: 2 } };
    };
    expect(logits(subject(name, "transformers@5.18.0", slower))).not.toEqual(four);
    expect(() => subject(name, "transformers@4.57.6", inFive)).toThrow(
      '"config.rope_parameters" is an option of transformers 5, not of 4',
    );
  }
});

test("[conform.options] models without rotary embeddings by halves have no rope_parameters", () => {
  const change = (config: JsonObject): JsonObject => ({ ...config, rope_parameters: { rope_theta: 2 } });
  for (const name of ["opt-for-causal-lm--defaults", "gptj-for-causal-lm--defaults"])
    expect(() => subject(name, "transformers@5.18.0", change)).toThrow('has no option "rope_parameters"');
});
