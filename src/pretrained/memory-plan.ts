// The memory that a model of a folder needs, from its configuration and the descriptions of its weights: no value is read.
import { bitsOf, type StoredDtype } from "../io/dtypes.ts";
import type { Pretrained } from "../io/huggingface/pretrained.ts";
import { isUnreadable } from "../io/tensor-file.ts";
import { BUDGET } from "../kernels/simd/index.ts";
import { type LanguageModel, noPadding } from "../models/language-model.ts";
import { withStep } from "../models/media-writer.ts";
import { type Writer, writerOf } from "../models/writer.ts";
import { stateDict } from "../nn/state-dict.ts";
import type { Precision } from "../tensor/precision.ts";
import { peakLiveElements } from "../tensor/program/checkpointing.ts";
import { withTaps } from "../tensor/program/program.ts";
import { record } from "../tensor/program/record.ts";
import { Int, sizeOf, type Tensor } from "../tensor/tensor.ts";
import type { PretrainedClass } from "./model-classes.ts";

/** The weights of one dtype. */
export interface DtypeShare {
  readonly dtype: StoredDtype;
  readonly tensors: number;
  readonly values: number;
  readonly bytes: number;
}

/** A file with weights. */
export interface WeightsFile {
  readonly name: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** The memory of a model, in bytes where nothing else is said. */
export interface MemoryPlan {
  readonly folder: string;
  /** The class of transformers. */
  readonly model: string;
  /** Parameters of the model, tied ones once. */
  readonly parameters: number;
  readonly files: readonly WeightsFile[];
  /** Values in the files, by dtype. */
  readonly dtypes: readonly DtypeShare[];
  /** The model's weights as a backend keeps them: 16 bits for matrices that are stored so, 32 for all else; tied ones once. */
  readonly weights: number;
  /** The largest of these weights. */
  readonly largestWeight: number;
  /** The number of texts that are written at once. */
  readonly texts: number;
  /** Keys and values in float32. `context` is the number of tokens of each text for which `bytes` are planned. */
  readonly cache: { readonly perToken: number; readonly context: number; readonly bytes: number };
  /** The longest text of the configuration, in tokens. */
  readonly longest: number;
  /** Intermediate results, at most, while `prompt` tokens of each text are read at once. */
  readonly intermediates: { readonly prompt: number; readonly bytes: number };
  /** Weights, cache and intermediates. */
  readonly total: number;
  readonly simd: SimdPlan;
}

/** The simd backend's use of memory for the weights, in bytes. */
export interface SimdPlan {
  /** The most bytes of weights that it keeps between runs. */
  readonly budget: number;
  /** The end of its memory. */
  readonly memory: number;
  /** The weights that stay in its memory; the others are read from the files for each use. */
  readonly held: number;
  /** "too large": there is no room for the largest weight beside cache and intermediates. */
  readonly verdict: "holds" | "streams" | "too large";
}

/** The texts for which memory is planned, in tokens. */
export interface PlanOptions {
  /** The number of tokens for which a cache is planned. Default: the longest text, and at most 2048. */
  readonly context?: number | undefined;
  /** The number of tokens that are read at once. Default: the context, and at most 512; at most 8192. */
  readonly prompt?: number | undefined;
  /** The number of texts that are written at once. Default 1. */
  readonly texts?: number | undefined;
  /** The dtype to which weights are converted. Default: that of the files. */
  readonly dtype?: Precision | undefined;
}

/** Bytes of the memory of WebAssembly. */
const MEMORY = 2 ** 32;
const [CONTEXT, PROMPT] = [2048, 512];
const FLOAT32 = 4;

/** Shares of the dtypes, in the order in which they occur. */
export function dtypeShares(
  all: Iterable<{ readonly dtype: StoredDtype; readonly size: number }>,
): DtypeShare[] {
  const shares = new Map<StoredDtype, DtypeShare>();
  for (const { dtype, size } of all) {
    const { tensors = 0, values = 0, bytes = 0 } = shares.get(dtype) ?? {};
    shares.set(dtype, {
      dtype,
      tensors: tensors + 1,
      values: values + size,
      bytes: bytes + Math.ceil((bitsOf(dtype) * size) / 8),
    });
  }
  return [...shares.values()];
}

const dtypesOf = ({ entries }: Pretrained): DtypeShare[] =>
  dtypeShares(
    [...entries.values()].flatMap((entry) =>
      isUnreadable(entry) ? [] : [{ dtype: entry.dtype, size: sizeOf(entry.shape) }],
    ),
  );

/** Bytes of a weight in its file; 0 for one that cannot be read. */
export function storedBytes(pretrained: Pretrained, key: string): number {
  const entry = pretrained.entries.get(key);
  if (entry === undefined || isUnreadable(entry)) return 0;
  return Math.ceil((bitsOf(entry.dtype) * sizeOf(entry.shape)) / 8);
}

function filesOf(pretrained: Pretrained): WeightsFile[] {
  return [...pretrained.tensorsByFile].map(([name, keys]) => ({
    name,
    tensors: keys.length,
    bytes: keys.reduce((sum, key) => sum + storedBytes(pretrained, key), 0),
  }));
}

/** Whether most values of the files have 16 bits. */
const areHalves = (shares: readonly DtypeShare[]): boolean => {
  const [halves, others] = [0, 0].map((_, i) =>
    shares.filter(({ dtype }) => (dtype === "BF16" || dtype === "F16") === (i === 0)),
  );
  const values = (list: readonly DtypeShare[] = []) => list.reduce((sum, share) => sum + share.values, 0);
  return values(halves) > values(others);
};

/** The elements of the cache of one token, and those of the intermediates of the prompts: counted in recordings without values. */
function elementsOf(
  { writer, begin }: { writer: Planned["writer"]; begin: readonly number[] },
  prompt: number,
  texts: number,
): { cache: number; intermediates: number } {
  const step = (b: number, tokens: number) => {
    const { model, ...steps } = withStep(writer(b));
    return record(
      () => {
        const ids = new Int<"b l">([b, tokens], new Int32Array(b * tokens));
        for (let row = 0; row < b; row++) ids.data.set(begin, row * tokens);
        const { logits, cache } = steps.step(ids, noPadding(b, tokens), null, steps.context());
        return Object.fromEntries([
          ["logits", logits],
          ...cache.layers.flatMap(({ k, v }, i) => [
            [`${i}.k`, k],
            [`${i}.v`, v],
          ]),
        ]);
      },
      { model, symbolic: true },
    );
  };
  const least = Math.max(1, begin.length);
  const one = step(1, least);
  const cache = Object.entries(one.outputs)
    .filter(([name]) => name !== "logits")
    .reduce((sum, [, id]) => sum + sizeOf(one.nodes[id]?.shape ?? []), 0);
  const intermediates = peakLiveElements(withTaps(step(texts, Math.max(least, prompt)), []));
  return { cache: cache / least, intermediates };
}

/** Bytes of each parameter as a backend keeps it, tied ones once. */
function keptBytes(model: object, isHalf: (t: Tensor) => boolean): number[] {
  const parameters = new Set(stateDict(model).values());
  return [...parameters].map((t) => t.size * (isHalf(t) && t.shape.length > 1 ? 2 : FLOAT32));
}

/** The share of the weights that the simd backend holds; it gives room to what a run needs besides. */
function simdPlan(weights: number, largestWeight: number, besides: number): SimdPlan {
  const fixed = { budget: BUDGET, memory: MEMORY };
  const room = Math.min(BUDGET, MEMORY - besides);
  if (weights <= room) return { ...fixed, held: weights, verdict: "holds" }; // [pretrained.verdict]
  if (besides + largestWeight > MEMORY) return { ...fixed, held: 0, verdict: "too large" }; // [pretrained.verdict]
  return { ...fixed, held: Math.min(BUDGET, MEMORY - besides - largestWeight), verdict: "streams" };
}

/** The longest text that a configuration allows. */
function longestOf({ longest, aliases = {} }: PretrainedClass, config: Pretrained["config"]): number {
  const names = [
    longest.option,
    ...Object.keys(aliases).filter((alias) => aliases[alias] === longest.option),
  ];
  const given = names.map((name) => config[name]).find((value) => value !== undefined);
  return typeof given === "number" && Number.isSafeInteger(given) && given > 0 ? given : longest.byDefault;
}

/** A model whose memory is planned. */
export interface Planned extends Pick<MemoryPlan, "folder" | "model" | "files" | "dtypes" | "longest"> {
  /** Reads a number of texts. */
  readonly writer: (texts: number) => Writer;
  /** The ids with which each prompt begins: a model with images needs their tokens. Default none. */
  readonly begin?: readonly number[];
  /** Whether a parameter has values of 16 bits in its file. Default: all, if most values of the files have. */
  readonly isHalf?: (t: Tensor) => boolean;
}

/** The plan of any model that writes texts. */
export function planFor(
  { writer, begin = [], isHalf, ...planned }: Planned,
  options: PlanOptions = {},
): MemoryPlan {
  const { longest, dtypes } = planned;
  const { texts = 1, context = Math.min(longest, CONTEXT) } = options;
  const { prompt = Math.min(context, longest, PROMPT) } = options;
  const { dtype } = options;
  const most = dtype === undefined ? areHalves(dtypes) : dtype.endsWith("float16");
  const { model } = writer(texts);
  const kept = keptBytes(model, (dtype === undefined && isHalf) || (() => most));
  const weights = kept.reduce((sum, bytes) => sum + bytes, 0);
  const largestWeight = kept.reduce((most, bytes) => Math.max(most, bytes), 0);
  const elements = elementsOf({ writer, begin }, prompt, texts);
  const perToken = FLOAT32 * elements.cache;
  const cache = { perToken, context, bytes: perToken * context * texts };
  const intermediates = { prompt, bytes: FLOAT32 * elements.intermediates };
  const besides = cache.bytes + intermediates.bytes;
  return {
    ...planned,
    parameters: [...new Set(stateDict(model).values())].reduce((sum, t) => sum + t.size, 0),
    weights,
    largestWeight,
    texts,
    cache,
    intermediates,
    total: weights + besides,
    simd: simdPlan(weights, largestWeight, besides),
  };
}

/** The plan of a language model that is built, and whose weights are not read. */
export const planOf = (
  one: PretrainedClass,
  model: LanguageModel,
  pretrained: Pretrained,
  options: PlanOptions = {},
): MemoryPlan =>
  planFor(
    {
      folder: pretrained.name,
      model: one.name,
      files: filesOf(pretrained),
      dtypes: dtypesOf(pretrained),
      longest: longestOf(one, pretrained.config),
      writer: () => writerOf(model),
    },
    options,
  );
