// LogitsProcessorList of transformers 4.57.6: the processors that `generate` makes of its arguments, applied one after another.

import { softmaxOf } from "../../../generation/choose.ts";
import { type ProcessorName, processorsOf } from "../../../generation/processors.ts";
import { optional, orNull } from "../../../io/fields.ts";
import { Tensor, view } from "../../../tensor/tensor.ts";
import { Arguments } from "../interface/arguments.ts";
import { type Outputs, readOptions, type SourceClass } from "../interface/source.ts";
import { type GenerateArguments, generationConfig, idOrIds, processorOptions } from "./generation.ts";

const CLASSES: { readonly [K in ProcessorName]: string } = {
  repetitionPenalty: "RepetitionPenaltyLogitsProcessor",
  noRepeatNgram: "NoRepeatNGramLogitsProcessor",
  badWords: "NoBadWordsLogitsProcessor",
  minLength: "MinLengthLogitsProcessor",
  minTokens: "MinNewTokensLengthLogitsProcessor",
  onlyTexts: "PrefixConstrainedLogitsProcessor",
  never: "SuppressTokensLogitsProcessor",
  temperature: "TemperatureLogitsWarper",
  topK: "TopKLogitsWarper",
  topP: "TopPLogitsWarper",
};

/** Options of all processors; those that sample are left out without `do_sample`, and a top_k of 0 is none. */
const optionsOf = (given: GenerateArguments) => ({
  ...processorOptions(given),
  ...(given.doSample && {
    temperature: given.temperature ?? 1,
    topK: given.topK || undefined,
    topP: given.topP ?? 1,
  }),
});

const options = { generate: generationConfig, eos_token_id: optional(orNull(idOrIds), null) };
interface ListOptions {
  readonly generate: GenerateArguments;
  readonly eos_token_id: readonly number[] | null;
}

/** `<i>.<class>`: the scores after each processor; `probs`: the probabilities after all of them. The ids are the prompt. */
function outputsOf(args: Arguments, generate: GenerateArguments, stops: readonly number[]): Outputs {
  const scores = args.tensor("scores", "b n");
  const ids = args.int("input_ids", "b l");
  const [[b = 0, n = 0], l] = [scores.shape, ids.shape[1] ?? 0];
  const keep = generate.numBeams > 1 ? Math.max(1, stops.length) + 1 : 1;
  const processors = processorsOf(optionsOf(generate), { stops, promptLength: l, keep });
  const [values, tokens] = [scores.flat(), ids.flat()];
  let rows: readonly Float64Array[] = Array.from({ length: b }, (_, row) =>
    Float64Array.from(values.subarray(row * n, (row + 1) * n)),
  );
  const tensorOf = (of: readonly Float64Array[]): Tensor =>
    new Tensor([b, n], view(Float64Array.from(of.flatMap((row) => [...row])), [b, n]));
  const found: Record<string, Tensor> = {};
  for (const [i, { name, process }] of processors.entries()) {
    rows = rows.map((row, at) => process(row, [...tokens.subarray(at * l, (at + 1) * l)]));
    found[`${i}.${CLASSES[name]}`] = tensorOf(rows);
  }
  return { ...found, probs: tensorOf(rows.map((row) => softmaxOf(row))) };
}

export const logitsProcessorList: SourceClass = {
  options: Object.keys(options),
  call: ["input_ids", "scores"],
  build(config, at) {
    const { generate, eosTokenId } = readOptions<ListOptions>(options, config, at);
    return {
      model: {},
      run: async (inputs) => outputsOf(new Arguments(inputs), generate, eosTokenId ?? []),
    };
  },
};
