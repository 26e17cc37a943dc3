// The speed of decoding with a cache, beside the limit that reading the memory sets.
import { CachedSteps } from "../../generation/cached-steps.ts";
import type { Backend } from "../../kernels/backend.ts";
import { run } from "../../kernels/replay.ts";
import { memorySweep } from "../../kernels/simd/index.ts";
import { type KeyValues, type LanguageModel, noPadding } from "../../models/language-model.ts";
import type { LlamaForCausalLM } from "../../models/language-models/llama.ts";
import { type Cache, readOn, writerOf } from "../../models/writer.ts";
import { initialize, parameterNames, stateDict } from "../../nn/state-dict.ts";
import { Bug } from "../../tensor/errors.ts";
import { mulScalar } from "../../tensor/ops/functions.ts";
import type { Precision } from "../../tensor/precision.ts";
import { prune } from "../../tensor/program/program.ts";
import { record } from "../../tensor/program/record.ts";
import { Int, Tensor, view } from "../../tensor/tensor.ts";
import { type BenchOptions, operand } from "../rates.ts";
import { measureTarget, type Target, type TargetName } from "../target.ts";
import { median, secondsOf, type TimingOptions } from "../timing.ts";
import { decoder } from "./memory.ts";

/** A LLaMA as in `memory`, and the tokens in its cache before the first step. */
export interface DecodeSize {
  readonly layers: number;
  readonly width: number;
  readonly cached: number;
}

export interface DecodeSpeed extends TargetName, DecodeSize {
  readonly tokensPerSecond: number;
  /**
   * Processor time, in milliseconds, of a step of as many layers that are so narrow that computing takes next to no time: recording,
   * replaying, launching kernels.
   */
  readonly overheadMs: number;
  /** Tokens per second if all weights and the cache were read once for each, at the rate of `memoryBandwidth`. null without SIMD. */
  readonly bandwidthLimit: number | null;
}

const NARROW: Omit<DecodeSize, "layers"> & { readonly tokens: number } = {
  width: 64,
  cached: 20,
  tokens: 256,
};

/** The last two differ in the cache only: half the difference of their times is that of one layer's cache. */
const SIZES: readonly DecodeSize[] = [
  { layers: 24, width: 64, cached: 20 },
  { layers: 24, width: 64, cached: 2000 },
  { layers: 12, width: 1024, cached: 2000 },
  { layers: 2, width: 2048, cached: 20 },
  { layers: 2, width: 2048, cached: 2000 },
];
const QUICK: readonly DecodeSize[] = [{ layers: 2, width: 64, cached: 20 }];

/** A decoder on a backend, whose steps read one token each. */
export class CachedDecoder {
  readonly #steps: CachedSteps;

  private constructor(model: LlamaForCausalLM, backend: Backend, cache: Cache) {
    this.#steps = new CachedSteps(writerOf(model), backend, { cache });
  }

  /** The first cache holds arbitrary numbers: reading a text would take longer than all of the steps. */
  static async open(
    model: LlamaForCausalLM,
    backend: Backend,
    { layers, width, cached }: DecodeSize,
  ): Promise<CachedDecoder> {
    const shape = [1, Math.max(1, Math.round(width / 64)), cached, Math.min(64, width)];
    const numbers = new Tensor(shape, view(operand(cached * width, 1), shape));
    const call = () => ({ k: mulScalar(numbers, 1), v: mulScalar(numbers, 0.5) });
    const made: KeyValues[] = [];
    for (let i = 0; i < layers; i++) made.push(await run(backend, call, { keep: "backend" }));
    const ids = new Int<"b l">([1, cached], new Int32Array(cached));
    return new CachedDecoder(model, backend, { layers: made, ...readOn(null, ids) });
  }

  get cached(): number {
    return this.#steps.length;
  }

  /** Reads one token, and returns the logits of the next one. */
  step(): Promise<Tensor> {
    const ids = new Int<"b l">([1, 1], Int32Array.of(this.cached % 200));
    return this.#steps.step({ ids, mask: noPadding(1, this.cached + 1) });
  }

  close(): void {
    this.#steps.close();
  }
}

/** Bytes per second at which several threads read memory; null without SIMD. */
export async function memoryBandwidth(
  bytes: number,
  threads: number,
  clock: () => number = () => performance.now(),
): Promise<number | null> {
  const sweep = await memorySweep(bytes, threads);
  if (!sweep) return null;
  try {
    let best = 0;
    for (let repeat = 0; repeat < 5; repeat++) {
      const since = clock();
      const sum = sweep.run();
      if (sum !== sweep.bytes / 4) throw new Bug(`the sum of ${sweep.bytes / 4} ones is ${sum}`);
      best = Math.max(best, (1000 * sweep.bytes) / (clock() - since));
    }
    return best;
  } finally {
    await sweep.close();
  }
}

/** The bytes of every parameter in the precision in which it is stored. */
const storedBytes = (model: object): Map<Tensor, number> => {
  const state = stateDict(model);
  const width: Readonly<Record<Precision, number>> = { float64: 8, float32: 4, bfloat16: 2, float16: 2 };
  return new Map(
    parameterNames(model).flatMap((name) => {
      const t = state.get(name);
      return t ? [[t, width[t.dtype] * t.size]] : [];
    }),
  );
};

export const bytesOfWeights = (model: object): number =>
  [...storedBytes(model).values()].reduce((sum, n) => sum + n, 0);

/** Bytes of weights that a step of one token reads: all, but of tables in which it only looks up rows one row. */
export function bytesReadBy(model: LanguageModel): number {
  const ids = new Int<"b l">([1, 1], Int32Array.of(0));
  const step = (): Tensor => writerOf(model).step(ids, noPadding(1, 1), null, {}).logits;
  const { nodes, bindings } = prune(record(step, { model, symbolic: true }));
  const bytes = storedBytes(model);
  const reads = (id: number) => nodes.filter(({ inputs }) => inputs.includes(id));
  return [...bindings].reduce((sum, [id, t]) => {
    const rows = reads(id).every(({ op }) => op === "gather") ? (t.shape[0] ?? 1) : 1;
    return sum + (bytes.get(t) ?? 0) / rows;
  }, 0);
}

/** Processor time of a step in milliseconds: the median of several, after some that are not counted. */
async function overhead(backend: Backend, layers: number, steps: number): Promise<number> {
  const size = { ...NARROW, layers };
  const model = initialize(decoder(size, NARROW.tokens), 1);
  const narrow = await CachedDecoder.open(model, backend, size);
  const times: number[] = [];
  for (let step = 0; step < 2 * steps; step++) {
    const before = process.cpuUsage();
    await narrow.step();
    const { user, system } = process.cpuUsage(before);
    if (step >= steps) times.push((user + system) / 1000);
  }
  narrow.close();
  return median(times);
}

/** Bytes of keys and values in float32. */
const cacheBytes = ({ layers, width, cached }: DecodeSize): number => 4 * 2 * layers * cached * width;

async function speedOf(
  backend: Backend,
  name: TargetName,
  size: DecodeSize,
  timing: TimingOptions,
  quick: boolean,
): Promise<DecodeSpeed> {
  const overheadMs = await overhead(backend, size.layers, quick ? 2 : 50);
  const model = initialize(decoder(size), 1);
  const decoding = await CachedDecoder.open(model, backend, size);
  for (let step = 0; step < 2; step++) await decoding.step(); // weights are packed, and the cache gets room
  const seconds = await secondsOf(() => decoding.step(), timing);
  decoding.close();
  const bandwidth = await memoryBandwidth(quick ? 2 ** 22 : 2 ** 28, name.threads);
  return {
    ...name,
    ...size,
    tokensPerSecond: 1 / seconds,
    overheadMs,
    bandwidthLimit: bandwidth && bandwidth / (bytesReadBy(model) + cacheBytes(size)),
  };
}

/** The speed of decoding of one target, for several sizes. */
export const decode = (target: Target, { quick, timing, progress }: BenchOptions): Promise<DecodeSpeed[]> =>
  measureTarget(target, async (backend, name) => {
    const results: DecodeSpeed[] = [];
    for (const size of quick ? QUICK : SIZES) {
      const speed = await speedOf(backend, name, size, timing, quick);
      results.push(speed);
      const { layers, width, cached, tokensPerSecond } = speed;
      progress(
        `decode ${layers} layers of width ${width}, ${cached} cached: ${tokensPerSecond.toFixed(1)} tokens/s`,
      );
    }
    return results;
  });
