// The options of LLaMA from a config.json (transformers 4.57.6, models/llama/configuration_llama.py).
import { shown } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import type { LlamaOptions } from "./llama.ts";

type Config = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isAbsent = (value: unknown): boolean => value === undefined || value === null;

/** Members with another meaning than the default would change the numbers of a forward pass. */
const SUPPORTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  model_type: (value) => value === "llama",
  hidden_act: (value) => isAbsent(value) || value === "silu" || value === "swish",
  rope_scaling: (value) => isAbsent(value) || isUnscaled(value),
  rope_parameters: (value) => isAbsent(value) || isUnscaled(value),
  partial_rotary_factor: (value) => isAbsent(value) || value === 1,
};

const isUnscaled = (value: unknown): boolean =>
  isObject(value) &&
  (value.rope_type ?? value.type) === "default" &&
  Object.keys(value).every((name) => ["rope_type", "type", "rope_theta"].includes(name));

/** A member of one type, or undefined where it is absent. */
function member<T>(
  config: Config,
  name: string,
  wanted: string,
  isFit: (value: unknown) => value is T,
): T | undefined {
  const value = config[name];
  if (value === undefined || value === null) return undefined;
  if (isFit(value)) return value;
  throw new RuleError(
    `the configuration has ${name} ${shown(value)}; it has to be ${wanted}`,
    "llama.config",
  );
}

/**
 * The options of `LlamaForCausalLM` for the `config` of `openPretrained`. Throws a RuleError for the configuration of another model, or
 * with what is not supported, such as scaled rotary embeddings.
 */
export function llamaOptions(config: Config): LlamaOptions {
  if (!isObject(config))
    throw new RuleError(`a configuration is an object, not ${shown(config)}`, "llama.config");
  for (const [name, isSupported] of Object.entries(SUPPORTED))
    if (!isSupported(config[name])) {
      const value = config[name];
      const what = isObject(value) ? `of type ${shown(value.rope_type ?? value.type)}` : shown(value);
      const problem = `has ${name} ${what}, which LlamaForCausalLM does not support`;
      throw new RuleError(`the configuration ${problem}`, "llama.config"); // [llama.config]
    }
  const isNumber = (value: unknown): value is number => typeof value === "number";
  const isFlag = (value: unknown): value is boolean => typeof value === "boolean";
  const number = (name: string, from = config) => member(from, name, "a number", isNumber);
  const flag = (name: string) => member(config, name, "true or false", isFlag);
  return {
    vocabSize: number("vocab_size"),
    hiddenSize: number("hidden_size"),
    intermediateSize: number("intermediate_size"),
    numHiddenLayers: number("num_hidden_layers"),
    numAttentionHeads: number("num_attention_heads"),
    numKeyValueHeads: number("num_key_value_heads"),
    headDim: number("head_dim"),
    rmsNormEps: number("rms_norm_eps"),
    ropeTheta: number("rope_theta", isObject(config.rope_parameters) ? config.rope_parameters : config), // moved in transformers 5
    attentionBias: flag("attention_bias"),
    mlpBias: flag("mlp_bias"),
    tieWordEmbeddings: flag("tie_word_embeddings"),
  };
}
