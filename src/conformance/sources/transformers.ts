// transformers 4.57.6: language models, and position encodings (transformers/positions.ts). Besides the package's own configuration a case may give `rotary_precision`, `cached` (the text is
// read again in passes, for `cached_logits`) and `generate` (the output is `sequences`). Logits of padding are set to 0.
import { boolean, length, object, optional, orNull, type Read, record, refuse } from "../../io/fields.ts";
import {
  type Decoding,
  decodingOf,
  type KeyValues,
  type LanguageModel,
  noPadding,
  readTokens,
} from "../../models/language-model.ts";
import { type ReadText, readOn, writerOf } from "../../models/writer.ts";
import { crossEntropy, nextLabels } from "../../nn/cross-entropy.ts";
import { LoadError } from "../../tensor/errors.ts";
import { concat, repeat } from "../../tensor/ops/arrange.ts";
import { where } from "../../tensor/ops/functions.ts";
import { named } from "../../tensor/pattern.ts";
import { Bool, Int, type Tensor } from "../../tensor/tensor.ts";
import { Arguments } from "./interface/arguments.ts";
import {
  className,
  readOptions,
  type Source,
  type SourceClass,
  type SystemUnderTest,
} from "./interface/source.ts";
import { perceiverModels } from "./perceiver-io/transformers.ts";
import { clipImageProcessor, clipVisionTransformer } from "./transformers/clip.ts";
import {
  type GenerateArguments,
  generateArguments,
  generatedSequences,
  inferredMask,
  paddedWith,
} from "./transformers/generation.ts";
import { gptNeoX } from "./transformers/gpt-neox.ts";
import { gptJ } from "./transformers/gptj.ts";
import { llama } from "./transformers/llama.ts";
import { logitsProcessorList } from "./transformers/logits-processors.ts";
import { mpt } from "./transformers/mpt.ts";
import { opt } from "./transformers/opt.ts";
import { getScheduler } from "./transformers/optimization/scheduler.ts";
import { positionClasses } from "./transformers/positions.ts";

import type { BuiltModel, ModelClass } from "./transformers/readers.ts";
import { inBothReleases, type Release, releases } from "./transformers/releases.ts";
import { tableLM } from "./transformers/table-lm.ts";

/** Language models by their class in the package. */
const MODELS = {
  LlamaForCausalLM: llama,
  GPTNeoXForCausalLM: gptNeoX,
  MptForCausalLM: mpt,
  OPTForCausalLM: opt,
  GPTJForCausalLM: gptJ,
} as const satisfies Readonly<Record<string, ModelClass>>;

/** The language model that an object `{ "class": …, … }` describes. */
export const languageModel: Read<BuiltModel> = (value, at) => {
  const { class: _, ...config } = object(value, at);
  const name = className(object(value, at), Object.keys(MODELS), at);
  const { build } = MODELS[name as keyof typeof MODELS];
  return build(config, at);
};

/** The text is read in passes: the first `prefill` tokens, then `step` tokens at a time. */
export interface CachedPasses {
  readonly prefill: number;
  readonly step: number;
  /** Whether the final contents of the cache are an output, too. */
  readonly contents: boolean;
}
const positive: Read<number> = (value, at) => {
  const n = length(value, at);
  if (n < 1) throw refuse(at, `is ${n}; it has to be at least 1`);
  return n;
};
export const cachedPasses: Read<CachedPasses> = record<CachedPasses>({
  prefill: positive,
  step: positive,
  contents: optional(boolean, false),
});

/** A text as a case gives it. */
export interface CaseText {
  readonly ids: Int<"b l">;
  readonly mask: Bool<"b s">;
  readonly labels: Int<"b l"> | null;
}

/** The ids, mask and labels of a call; without a mask there is no padding. */
export function textOf(args: Arguments, ids: string): CaseText {
  const text = args.int(ids, "b l");
  const mask = args.has("attention_mask")
    ? args.bool("attention_mask", "b s")
    : noPadding(text.shape[0] ?? 0, text.shape[1] ?? 0);
  if (mask.shape.join(" ") !== text.shape.join(" "))
    throw new LoadError(`attention_mask is [${mask.shape.join(" ")}], and ${ids} [${text.shape.join(" ")}]`);
  return { ids: text, mask, labels: args.has("labels") ? args.int("labels", "b l") : null };
}

const columns = <A extends Int | Bool>(
  { shape: [b = 0, l = 0], ...array }: A,
  from: number,
  to: number,
): number[] =>
  Array.from({ length: b * (to - from) }, (_, i) => {
    const [row, column] = [Math.floor(i / (to - from)), from + (i % (to - from))];
    return array.data[array.offset + row * (array.stride[0] ?? l) + column * (array.stride[1] ?? 1)] ?? 0;
  });
/** The ids of places from ≤ i < to. */
export const idsIn = (ids: Int<"b l">, from: number, to: number): Int<"b l"> =>
  new Int([ids.shape[0] ?? 0, to - from], Int32Array.from(columns(ids, from, to)));
/** The mask of places before `to`. */
export const maskUpTo = (mask: Bool<"b s">, to: number): Bool<"b s"> =>
  new Bool([mask.shape[0] ?? 0, to], Uint8Array.from(columns(mask, 0, to)));

/** Sets the logits of padding to 0. */
export function withoutPadding(logits: Tensor<"b l n">, mask: Bool<"b s">): Tensor<"b l n"> {
  const n = logits.shape[2] ?? 0;
  return where(
    repeat("b l -> b l n", new Bool<"b l">(mask.shape, mask.data, mask.stride, mask.offset), { n }),
    logits,
  );
}

/** The contents of a cache under the names of the package; keys and values of padding are set to 0. */
function cacheContents(layers: readonly KeyValues[], mask: Bool<"b s">): Record<string, Tensor> {
  const real = ({ shape: [, g = 0, , k = 0] }: Tensor) => repeat("b s -> b g s k", mask, { g, k });
  return Object.fromEntries(
    layers.flatMap(({ k, v }, i) => [
      [`cache.${i}.keys`, where(real(k), named("b g s k", k))],
      [`cache.${i}.values`, where(real(v), named("b g s k", v))],
    ]),
  );
}

/** What the layers of a model are given in the last of several passes. */
export type DecodingOf = (read: ReadText, mask: Bool<"b s">) => Decoding;

/** `cached_logits` of a text that is read in passes, and `cache.<layer>.keys` and `.values` where they are asked for. */
export function cachedOutputs(
  model: LanguageModel,
  decoding: DecodingOf,
  { ids, mask }: CaseText,
  { prefill, step, contents }: CachedPasses,
): Record<string, Tensor> {
  const length = ids.shape[1] ?? 0;
  let read: ReadText | null = null;
  let past: readonly KeyValues[] = [];
  let logits: Tensor | null = null;
  for (let from = 0, to = prefill; from < length; from = to, to += step) {
    to = Math.min(to, length);
    const pass = idsIn(ids, from, to);
    read = readOn(read, pass);
    const { x, layers } = readTokens(
      model,
      pass,
      decoding(read, maskUpTo(mask, to)),
      from === 0 ? null : past,
    );
    past = layers;
    const added = model.logits(x);
    logits = logits ? concat("b p n, b l n -> b s n", logits, added) : added;
  }
  if (!logits) throw new LoadError("the text has no tokens");
  return {
    cached_logits: withoutPadding(named("b l n", logits), mask),
    ...(contents ? cacheContents(past, mask) : {}),
  };
}

/** `logits`, `loss` where there are labels, and `cached_logits` where the text is read again in passes. */
export function languageOutputs(
  model: LanguageModel,
  decoding: DecodingOf,
  text: CaseText,
  cached: CachedPasses | null,
): Record<string, Tensor> {
  const { ids, mask, labels } = text;
  const logits = model.logits(readTokens(model, ids, decoding(readOn(null, ids), mask), null).x);
  return {
    logits: withoutPadding(logits, mask),
    ...(labels ? { loss: crossEntropy(logits, nextLabels(labels)).mean } : {}),
    ...(cached ? cachedOutputs(model, decoding, text, cached) : {}),
  };
}

interface OwnOptions {
  readonly cached: CachedPasses | null;
  readonly generate: GenerateArguments | null;
}
export const ownOptions = {
  cached: optional(orNull(cachedPasses), null),
  generate: optional(orNull(generateArguments), null),
};

const decoding: DecodingOf = ({ passes }, mask) => ({
  ...decodingOf(mask, passes.at(-1) ?? 0, "slots"), // a forward pass of the package counts slots, `generate` tokens
  media: null,
  visibility: null,
});

const IDS = "input_ids";

/** A class of language models with the arguments and results of transformers' classes. */
export function languageClass(models: ModelClass): SourceClass {
  return {
    options: [...models.options, ...Object.keys(ownOptions)],
    call: [IDS, "attention_mask", "labels"],
    build(config, at): SystemUnderTest {
      const { cached, generate: called, ...rest } = config;
      const own: OwnOptions = readOptions(
        ownOptions,
        {
          ...(cached === undefined ? {} : { cached }),
          ...(called === undefined ? {} : { generate: called }),
        },
        at,
      );
      const { model, eosTokenId, padTokenId, positions, useCache } = models.build(rest, at);
      if (!own.generate)
        return {
          model,
          forward: (inputs) =>
            languageOutputs(model, decoding, textOf(new Arguments(inputs), IDS), own.cached),
        };
      const generate = paddedWith(own.generate, padTokenId);
      return {
        model,
        run(inputs, backend) {
          const args = new Arguments(inputs);
          const { ids, mask: given } = textOf(args, IDS);
          const mask = args.has("attention_mask") ? given : inferredMask(ids, generate, eosTokenId);
          return generatedSequences(writerOf(model, "tokens"), { ids, mask }, generate, {
            backend,
            eosTokenId,
            positions,
            useCache,
          });
        },
      };
    },
  };
}

const languageClasses = Object.fromEntries(
  Object.entries(MODELS).map(([name, models]) => [name, languageClass(models)]),
);

export const transformers: Source<Release> = {
  package: "transformers",
  profiles: releases,
  classes: {
    ...inBothReleases(languageClasses),
    ...positionClasses,
    ...perceiverModels,
    CLIPVisionTransformer: clipVisionTransformer,
    CLIPImageProcessor: clipImageProcessor,
    TableLM: tableLM,
    LogitsProcessorList: logitsProcessorList,
    get_scheduler: getScheduler,
  },
};
