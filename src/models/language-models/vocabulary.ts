// The tables of a language model's vocabulary, and their resizing: `resize_token_embeddings` of transformers.
import type { Embedding } from "../../nn/embedding.ts";
import type { Linear } from "../../nn/linear.ts";
import { type Check, checked, checkValue, count, notNegative, oneOf, optional } from "../../nn/options.ts";
import { constant, Parameter } from "../../nn/parameter.ts";
import { seed } from "../../nn/train-mode.ts";
import { RuleError } from "../../tensor/errors.ts";
import { named } from "../../tensor/pattern.ts";
import { generator } from "../../tensor/random.ts";
import { type Elements, elementsAs, type TensorSource, widened } from "../../tensor/source.ts";
import { sourceOf, type Tensor } from "../../tensor/tensor.ts";
import type { LanguageModel } from "../language-model.ts";
import { GPTNeoXForCausalLM } from "./gpt-neox.ts";
import { GPTJForCausalLM } from "./gptj.ts";
import { LlamaForCausalLM } from "./llama.ts";
import { MagnetoDecoder } from "./magneto/decoder.ts";
import { MosaicMptForCausalLM } from "./mosaic-mpt.ts";
import { MptForCausalLM } from "./mpt.ts";
import { OPTForCausalLM } from "./opt.ts";

/** The embeddings of tokens, and the projection to logits; null where the embeddings themselves are the projection. */
export interface VocabularyTables {
  readonly input: Embedding<string>;
  readonly output: Linear<string, "n"> | null;
}

/** The tables of a language model. Throws a RuleError for a class whose tables are not known. */
export function vocabularyTables(model: LanguageModel): VocabularyTables {
  if (model instanceof LlamaForCausalLM) return { input: model.model.embed_tokens, output: model.lm_head };
  if (model instanceof OPTForCausalLM)
    return { input: model.model.decoder.embed_tokens, output: model.lm_head };
  if (model instanceof MagnetoDecoder) return { input: model.embed_tokens, output: model.output_projection };
  if (model instanceof GPTNeoXForCausalLM) return { input: model.gpt_neox.embed_in, output: model.embed_out };
  if (model instanceof GPTJForCausalLM || model instanceof MptForCausalLM)
    return { input: model.transformer.wte, output: model.lm_head };
  if (model instanceof MosaicMptForCausalLM) return { input: model.transformer.wte, output: model.lm_head };
  throw new RuleError(
    `the vocabulary of ${model.constructor.name} is not known; give one of LLaMA, OPT, GPT-NeoX, GPT-J, MPT or Magneto`,
    "vocabulary.class",
  );
}

/** The initial values of new rows. */
export type NewRows = "normal" | "mean";

/** The initial values of new rows. */
export interface ResizeVocabularyOptions {
  /**
   * "normal": a normal distribution with mean 0, as transformers before 4.46, and zeros in a bias. "mean": one with the mean of the old rows
   * and a billionth of their covariance, as transformers since. Default "normal".
   */
  readonly newRows?: NewRows | undefined;
  /** The deviation of "normal": `initializer_range` of the configuration. Default 0.02. */
  readonly std?: number | undefined;
  /** Of the new rows. Default 0. */
  readonly seed?: number | undefined;
}

const checks: { readonly [K in keyof ResizeVocabularyOptions]-?: Check } = {
  newRows: optional(oneOf(["normal", "mean"])),
  std: optional(notNegative),
  seed: optional(seed),
};

/** A table of rows of `width` numbers; a bias has rows of one number. */
interface Table {
  readonly source: TensorSource;
  readonly rows: number;
  readonly width: number;
}

/** Rows of a table that are read in one piece. */
const PIECE = 2 ** 10;

/** Calls `use` with every row of a table. The table is read piece by piece. */
function eachRow({ source, rows, width }: Table, use: (row: Float64Array | Float32Array) => void): void {
  const piece = source.sequential ? rows : PIECE;
  for (let from = 0; from < rows; from += piece) {
    const to = Math.min(rows, from + piece);
    const numbers = widened(source.read(from * width, to * width), source.dtype);
    for (let row = 0; row < to - from; row++) use(numbers.subarray(row * width, (row + 1) * width));
  }
}

function meanOf(table: Table): Float64Array {
  const sum = new Float64Array(table.width);
  eachRow(table, (row) => {
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (row[i] ?? 0);
  });
  return sum.map((x) => x / table.rows); // [vocabulary.mean]
}

/**
 * Samples of a normal distribution with the mean of the rows x and a part ε of their covariance: mean + √(ε / n) Σ z (x − mean), with a standard
 * normal z for each row. Its covariance is ε / n Σ (x − mean)(x − mean)ᵀ, which does not have to be computed.
 */
function aroundMean(table: Table, added: number, normal: () => number): Float64Array {
  const mean = meanOf(table);
  const { rows, width } = table;
  const samples = new Float64Array(added * width);
  const factor = Math.sqrt(COVARIANCE_PART / rows);
  eachRow(table, (row) => {
    for (let one = 0; one < added; one++) {
      const z = factor * normal();
      for (let i = 0; i < width; i++) {
        const at = one * width + i;
        samples[at] = (samples[at] ?? 0) + z * ((row[i] ?? 0) - (mean[i] ?? 0)); // [vocabulary.mean]
      }
    }
  });
  return samples.map((x, at) => x + (mean[at % width] ?? 0));
}
/** The part of the covariance that transformers takes (modeling_utils.py, `_init_added_embeddings_weights_with_mean`). */
const COVARIANCE_PART = 1e-9;

/** A bias has the mean of the old one, and a billionth of its deviation (`_init_added_lm_head_bias_with_mean`). */
function biasAroundMean(table: Table, added: number, normal: () => number): Float64Array {
  const [mean = 0] = meanOf(table);
  let squares = 0;
  eachRow(table, ([x = 0]) => {
    squares += (x - mean) ** 2;
  });
  const std = Math.sqrt(squares / (table.rows - 1)); // [vocabulary.mean]
  return Float64Array.from({ length: added }, () => mean + 1e-9 * std * normal());
}

/** Elements of one dtype, joined. */
function joined(first: Elements, second: Elements): Elements {
  const length = first.length + second.length;
  const all =
    first instanceof Float64Array
      ? new Float64Array(length)
      : first instanceof Float32Array
        ? new Float32Array(length)
        : new Uint16Array(length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** The first values of a source, then those of `more`, which are made when they are read first. Only the latter are kept in memory. */
function extended(source: TensorSource, size: number, more: () => Elements): TensorSource {
  let made: Elements | null = null;
  return {
    dtype: source.dtype,
    sequential: source.sequential ?? false,
    read(from, to) {
      if (to <= size) return source.read(from, to); // [vocabulary.rows]
      made ??= more();
      const behind = made.subarray(Math.max(0, from - size), to - size);
      return from >= size ? behind : joined(source.read(from, size), behind); // [vocabulary.rows]
    },
  };
}

/** A parameter with `size` rows: those of the old one, and new ones where there are more. */
function resized<A extends string>(
  old: Tensor<A>,
  size: number,
  axes: A,
  make: (table: Table, added: number) => Float64Array,
): Parameter<A> {
  const [rows = 0, ...others] = old.shape;
  const width = others.reduce((product, n) => product * n, 1);
  const source = sourceOf(old.stored);
  const table = { source, rows, width };
  const more = () => elementsAs(make(table, size - rows), source.dtype); // [vocabulary.dtype]
  const parameter = new Parameter(
    axes,
    [size, ...others],
    old instanceof Parameter ? old.initial : constant(0),
  );
  parameter.assign(extended(source, Math.min(rows, size) * width, more));
  return parameter;
}

/**
 * Gives the tables of a language model `size` rows. The first of them keep their values, which are still read from their files, and only new
 * ones are kept in memory; new rows of a table that is tied are those of the other. Throws a RuleError for a model whose tables are not known.
 */
export function resizeVocabulary(
  model: LanguageModel,
  size: number,
  options: ResizeVocabularyOptions = {},
): void {
  checkValue("resizeVocabulary", "size", size, count);
  const { newRows = "normal", std = 0.02, seed = 0 } = checked("resizeVocabulary", options, checks);
  const { input, output } = vocabularyTables(model);
  const make = (path: string) => (table: Table, added: number) => {
    const { normal } = generator(seed, path);
    if (newRows === "mean") return aroundMean(table, added, normal);
    return Float64Array.from({ length: added * table.width }, () => std * normal()); // [vocabulary.normal]
  };
  const makeBias = (table: Table, added: number) =>
    newRows === "mean"
      ? biasAroundMean(table, added, generator(seed, "bias").normal)
      : new Float64Array(added); // [vocabulary.normal]
  if (input.weight.shape[0] === size) return;
  const isTied = Object.is(output?.weight, input.weight);
  input.weight = resized(input.weight, size, "n d", make("input"));
  if (output === null) return;
  output.weight = isTied
    ? named("o i", input.weight) // [vocabulary.tied]
    : resized(output.weight, size, "o i", make("output"));
  if (output.bias) output.bias = resized(output.bias, size, "o", makeBias);
}
