// Text from a model, one token after another: greedy or sampled, each row of a batch until it stops.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { replay, run } from "../kernels/replay.ts";
import type { FlamingoPaLM } from "../models/flamingo/flamingo-palm.ts";
import type { Media } from "../models/flamingo/media.ts";
import { RuleError } from "../tensor/errors.ts";
import { record } from "../tensor/program/record.ts";
import { generator } from "../tensor/random.ts";
import { flat, Int, type Tensor } from "../tensor/tensor.ts";

/** From the logits of the next token to the token. */
export type Choose = (logits: Float64Array) => number;

/** The likeliest token; of equals the first. */
export const greedy: Choose = (logits) =>
  logits.reduce((best, x, id) => (x > (logits[best] ?? 0) ? id : best), 0); // [generate.greedy]

export interface SamplingOptions {
  readonly seed: number;
  /** Below 1 sharper, above 1 flatter. */
  readonly temperature?: number | undefined;
  /** Only the k likeliest tokens. */
  readonly topK?: number | undefined;
}

/** Draws from softmax(logits / temperature). */
export function sampled({ seed, temperature = 1, topK = Number.POSITIVE_INFINITY }: SamplingOptions): Choose {
  if (!(temperature > 0 && topK >= 1))
    throw new RuleError(
      `sampling needs a temperature above 0 and a k from 1 up, not ${temperature} and ${topK}`,
      "generate.sampled",
    );
  const { uniform } = generator(seed, "sampling");
  return (logits) => {
    const least = [...logits].sort((a, b) => b - a)[Math.min(topK, logits.length) - 1] ?? 0; // [generate.top-k]
    const top = Math.max(...logits);
    const weights = logits.map((x) => (x < least ? 0 : Math.exp((x - top) / temperature))); // [generate.sampled]
    let left = uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [id, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return id;
    }
    return greedy(logits);
  };
}

export interface GenerateOptions {
  /** The token after which a row is done; it belongs to the row. */
  readonly stop: number;
  readonly maxTokens: number;
  readonly choose?: Choose | undefined;
  /** Tokens that are never chosen, such as the image's own. */
  readonly never?: readonly number[] | undefined;
  readonly backend?: Backend | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Rows filled up on the right, where a causal model does not see it. */
function batch(rows: readonly (readonly number[])[], fill: number): Int<"b l"> {
  const l = Math.max(...rows.map((row) => row.length));
  const data = new Int32Array(rows.length * l).fill(fill);
  for (const [b, row] of rows.entries()) data.set(row, b * l); // [generate.padding]
  return new Int([rows.length, l], data);
}

/** Continues each row until its stop token, and returns the whole rows. */
export async function generate(
  model: FlamingoPaLM,
  prompts: readonly (readonly number[])[],
  media: Media,
  { stop, maxTokens, choose = greedy, never = [], backend = reference(), signal }: GenerateOptions,
): Promise<number[][]> {
  const rows = prompts.map((prompt) => [...prompt]);
  const done = rows.map(() => false);
  for (let taken = 0; taken < maxTokens && done.includes(false); taken++) {
    const text = batch(rows, stop);
    const logits = await run(backend, () => model.forward(text, media), { model, signal });
    const [, l = 0, n = 0] = logits.shape;
    const all = flat(logits.data);
    for (const [b, row] of rows.entries()) {
      if (done[b]) continue;
      const from = (b * l + row.length - 1) * n;
      const last = Float64Array.from(all.subarray(from, from + n));
      for (const id of never) last[id] = Number.NEGATIVE_INFINITY; // [generate.never]
      const next = choose(last);
      row.push(next);
      done[b] = next === stop; // [generate.stop]
    }
  }
  return rows;
}

/**
 * How much of its attention each token gave to each image: one table for each layer that looks at images, [token][image],
 * the mean over heads and the sum over an image's latents.
 */
export async function attentionMaps(
  model: FlamingoPaLM,
  row: readonly number[],
  media: Media,
  backend: Backend = reference(),
): Promise<number[][][]> {
  const text = batch([row], 0);
  const program = record(() => model.forward(text, media), { model, symbolic: true });
  const names = model.layers.flatMap(([, cross], i) => (cross ? [`layers.${i}.1.attn.attn`] : []));
  const { taps } = await replay(program, backend, { taps: names });
  const images = model.perceiver_resampler.latents.shape[0] ?? 1;
  return names.map((name) => perImage(taps[name] as Tensor, images)); // [generate.attend]
}

/** [1 h l (m r)] -> [l][m] */
function perImage({ shape, data }: Tensor, latents: number): number[][] {
  const [, h = 1, l = 0, s = 0] = shape;
  const weights = flat(data);
  const table = Array.from({ length: l }, () => new Array<number>(s / latents).fill(0));
  for (const [i, weight] of weights.entries()) {
    const row = table[Math.floor(i / s) % l] ?? [];
    const image = Math.floor((i % s) / latents);
    row[image] = (row[image] ?? 0) + weight / h;
  }
  return table;
}
