// The classes of language models that a folder can hold, and the choice between them.
import { type FieldLocation, refuse } from "../io/fields.ts";
import type { JsonObject } from "../io/json.ts";
import { quoted } from "../io/wording.ts";
import type { LanguageModel } from "../models/language-model.ts";
import { LoadError, RuleError, ShapeError } from "../tensor/errors.ts";
import { type Configuration, optionsIn } from "./configurations/configuration.ts";
import { gptNeoX } from "./configurations/gpt-neox.ts";
import { gptJ } from "./configurations/gptj.ts";
import { llama } from "./configurations/llama.ts";
import { mosaicGpt, mosaicMpt, needsMosaicMpt } from "./configurations/mosaic-mpt.ts";
import { mpt } from "./configurations/mpt.ts";
import { opt } from "./configurations/opt.ts";

/** A class as the loader takes it. */
export interface PretrainedClass
  extends Pick<
    Configuration,
    "name" | "modelType" | "aliases" | "longest" | "buffers" | "base" | "otherNames"
  > {
  /** Whether this class is the one for a configuration with its `model_type`; absent: for all. */
  readonly suits?: (config: JsonObject) => boolean;
  build(config: JsonObject, at: FieldLocation): LanguageModel;
}

const classOf = <O extends object>(configuration: Configuration<O>): PretrainedClass => ({
  ...configuration,
  build: (config, at) => configuration.build(optionsIn(configuration, config, at)),
});

/** In the order in which they are tried. */
const CLASSES: readonly PretrainedClass[] = [
  classOf(llama),
  classOf(opt),
  classOf(gptNeoX),
  classOf(gptJ),
  { ...classOf(mosaicMpt), suits: needsMosaicMpt },
  classOf(mpt),
  classOf(mosaicGpt),
];

/** The text of a member if it is a string. */
const textOf = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** The class of a configuration: by `model_type`, and where that is absent by the first of `architectures`. */
export function classFor(config: JsonObject, file: string): PretrainedClass {
  const at = { file, field: "model_type", rule: "config.class" };
  const { model_type: modelType, architectures } = config;
  if (modelType === undefined || modelType === null) {
    const [first] = Array.isArray(architectures) ? architectures : [];
    const found = CLASSES.find(({ name }) => name === first); // [config.class]
    if (found) return found;
    throw refuse(at, `is missing, and "architectures" names none of ${known("name")}`);
  }
  const found = CLASSES.find(
    (one) => one.modelType === modelType && (one.suits?.(config) ?? true), // [config.class]
  );
  if (found) return found;
  const given = textOf(modelType) === null ? "is no text" : `is ${quoted(String(modelType))}`;
  throw refuse(at, `${given}, which is not supported; known are ${known("modelType")}`);
}

const known = (what: "name" | "modelType"): string =>
  [...new Set(CLASSES.map((one) => one[what]))].join(", ");

/** Builds the model of a configuration; its parameters have no values yet. Throws a LoadError that names file and member. */
export function buildModel(one: PretrainedClass, config: JsonObject, file: string): LanguageModel {
  const quantised = config.quantization_config;
  if (quantised !== undefined && quantised !== null)
    throw refuse(
      { file, field: "quantization_config", rule: "config.unsupported" },
      "says that the weights are quantised, which is not supported; name a folder with weights in bfloat16, float16 or float32",
    ); // [config.unsupported]
  try {
    return one.build(config, { file, field: "", rule: "config.fields" });
  } catch (error) {
    if (error instanceof RuleError || error instanceof ShapeError)
      throw new LoadError(`${file}: ${error.message}`);
    throw error;
  }
}
