// The speed of a language model from a folder of Hugging Face: reading a text, decoding with a cache, and the first token of a new process,
// beside the times that the arithmetic and the memory of the machine allow.
import { runProcess } from "#host";
import { CachedSteps } from "../../generation/cached-steps.ts";
import { greedy } from "../../generation/choose.ts";
import type { Backend } from "../../kernels/backend.ts";
import { noPadding } from "../../models/language-model.ts";
import { withStep } from "../../models/media-writer.ts";
import type { Writer } from "../../models/writer.ts";
import { type LoadedModel, loadPretrained } from "../../pretrained/load-pretrained.ts";
import { LoadError } from "../../tensor/errors.ts";
import { contraction } from "../../tensor/ops/einsum.ts";
import { isDead, prune } from "../../tensor/program/program.ts";
import { record } from "../../tensor/program/record.ts";
import { Int, sizeOf, type Tensor } from "../../tensor/tensor.ts";
import { peakGflops } from "../peak-flops.ts";
import type { BenchOptions } from "../rates.ts";
import { firstApart, type Start, start } from "../start.ts";
import { measureTarget, type Target, type TargetName } from "../target.ts";
import { commandOf } from "../targets.ts";
import { median } from "../timing.ts";
import { bytesOfWeights, bytesReadBy, memoryBandwidth } from "./decode.ts";

/** The tokens of the prefill, the tokens decoded after it, and the number of measured rounds. */
export interface TextSize {
  readonly tokens: number;
  readonly steps: number;
  readonly rounds: number;
}

export const TEXT: TextSize = { tokens: 512, steps: 64, rounds: 5 };
export const QUICK_TEXT: TextSize = { tokens: 8, steps: 3, rounds: 1 };
/** Tokens of the prompt whose continuation is the first token of a new process. */
const PROMPT = 16;

/** Times of one round. Processor times are those of all threads. */
export interface Round {
  readonly prefillSeconds: number;
  readonly prefillProcessorSeconds: number;
  /** Of one token, the median of all steps. */
  readonly tokenSeconds: number;
  readonly tokenProcessorSeconds: number;
}

export interface PretrainedSpeed extends TargetName, Round, Omit<TextSize, "rounds"> {
  /** The folder. */
  readonly model: string;
  /** Bytes of the parameters in the precision of the file. */
  readonly weightBytes: number;
  readonly tokensPerSecond: number;
  /** Seconds of the products of the text with the weights, without attention, at the peak of all threads. */
  readonly prefillLimit: number;
  /** Tokens per second if all weights and the cache were read once for each, at the rate of `memoryBandwidth`. null without SIMD. */
  readonly bandwidthLimit: number | null;
  /** The peak resident memory of the process, Node and weights included. */
  readonly peakBytes: number;
  /** From the start of a new process to the token after a prompt; null where only one process was measured. */
  readonly firstTokenSeconds: number | null;
}

/** Token ids in no particular order. */
const textOf = (tokens: number, vocabulary: number): Int<"b l"> =>
  new Int(
    [1, tokens],
    Int32Array.from({ length: tokens }, (_, i) => (7919 * i + 11) % vocabulary),
  );

async function timed<T>(
  call: () => Promise<T>,
): Promise<{ result: T; seconds: number; processorSeconds: number }> {
  const [since, before] = [performance.now(), process.cpuUsage()];
  const result = await call();
  const { user, system } = process.cpuUsage(before);
  return { result, seconds: (performance.now() - since) / 1000, processorSeconds: (user + system) / 1e6 };
}

/** A language model from a folder on a backend. */
export class PretrainedDecoder {
  readonly loaded: LoadedModel;
  readonly #backend: Backend;

  private constructor(loaded: LoadedModel, backend: Backend) {
    this.loaded = loaded;
    this.#backend = backend;
  }

  static async open(folder: string, backend: Backend): Promise<PretrainedDecoder> {
    return new PretrainedDecoder(await loadPretrained(folder), backend);
  }

  get #vocabulary(): number {
    return Number(this.loaded.config.vocab_size);
  }

  /** The most probable token after a prompt. */
  async firstToken(): Promise<number> {
    const steps = new CachedSteps(this.loaded.writer, this.#backend);
    const logits = await steps.step({
      ids: textOf(PROMPT, this.#vocabulary),
      mask: noPadding(1, PROMPT),
    });
    steps.close();
    return greedy(new Float64Array(logits.flat()));
  }

  /** Reads a text, then decodes greedily. */
  async round({ tokens, steps: count }: Omit<TextSize, "rounds">): Promise<Round> {
    const steps = new CachedSteps(this.loaded.writer, this.#backend);
    const ids = textOf(tokens, this.#vocabulary);
    const next = (logits: Tensor): Int<"b l"> =>
      new Int([1, 1], Int32Array.of(greedy(new Float64Array(logits.flat()))));
    const prefill = await timed(async () => next(await steps.step({ ids, mask: noPadding(1, tokens) })));
    const decoded: Awaited<ReturnType<typeof timed>>[] = [];
    let token = prefill.result;
    for (let step = 0; step < count; step++) {
      const mask = noPadding(1, steps.length + 1);
      const one = await timed(async () => next(await steps.step({ ids: token, mask })));
      token = one.result;
      decoded.push(one);
    }
    steps.close();
    return {
      prefillSeconds: prefill.seconds,
      prefillProcessorSeconds: prefill.processorSeconds,
      tokenSeconds: median(decoded.map(({ seconds }) => seconds)),
      tokenProcessorSeconds: median(decoded.map(({ processorSeconds }) => processorSeconds)),
    };
  }
}

/** The work of a pass: floating-point operations of products outside attention, and the numbers of the cache that it leaves. */
export function workOf(writer: Writer, tokens: number): { operations: number; cached: number } {
  let cached = 0;
  const pass = (): Tensor => {
    const { logits, cache } = withStep(writer).step(textOf(tokens, 1), noPadding(1, tokens), null, {});
    cached = cache.layers.reduce((sum, { k, v }) => sum + k.size + v.size, 0);
    return logits;
  };
  const { nodes, scopes } = prune(record(pass, { model: writer.model, symbolic: true }));
  let operations = 0;
  for (const node of nodes) {
    if (isDead(node) || node.op !== "einsum" || scopes[node.scope]?.name === "attention") continue;
    const [a = [], b = []] = node.inputs.map((input) => nodes[input]?.shape ?? []);
    const { sizes } = contraction((node.attrs as { pattern: string }).pattern, a, b);
    operations += 2 * sizeOf(Object.values(sizes));
  }
  return { operations, cached };
}

const medianOf = (rounds: readonly Round[], key: keyof Round): number =>
  median(rounds.map((round) => round[key]));

/** Measures a folder in this process. The first round, in which weights are read and packed, is not counted. */
export const pretrainedHere = (
  folder: string,
  target: Target,
  { quick, progress }: Pick<BenchOptions, "quick" | "progress">,
): Promise<PretrainedSpeed> =>
  measureTarget(target, async (backend, name) => {
    const decoder = await PretrainedDecoder.open(folder, backend);
    const { writer, model } = decoder.loaded;
    const { rounds: count, ...text } = quick ? QUICK_TEXT : TEXT;
    const rounds: Round[] = [];
    await decoder.round({ ...text, steps: 2 });
    while (rounds.length < count) {
      const round = await decoder.round(text);
      progress(
        `${text.tokens} tokens in ${round.prefillSeconds.toFixed(2)} s, then ${(1 / round.tokenSeconds).toFixed(1)} tokens/s`,
      );
      rounds.push(round);
    }
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    const { operations, cached } = workOf(writer, text.tokens);
    const weightBytes = bytesOfWeights(model);
    const peak = 1e9 * name.threads * (await peakGflops(quick ? 100_000 : 2_000_000));
    const bandwidth = await memoryBandwidth(quick ? 2 ** 22 : 2 ** 28, name.threads);
    const tokenSeconds = medianOf(rounds, "tokenSeconds");
    return {
      ...name,
      model: folder,
      ...text,
      weightBytes,
      prefillSeconds: medianOf(rounds, "prefillSeconds"),
      prefillProcessorSeconds: medianOf(rounds, "prefillProcessorSeconds"),
      tokenSeconds,
      tokenProcessorSeconds: medianOf(rounds, "tokenProcessorSeconds"),
      tokensPerSecond: 1 / tokenSeconds,
      prefillLimit: operations / peak,
      bandwidthLimit: bandwidth && bandwidth / (bytesReadBy(model) + 4 * cached),
      peakBytes,
      firstTokenSeconds: null,
    };
  });

/** The first token of this process. */
export const firstTokenHere = (folder: string, target: Target): Promise<Start> =>
  measureTarget(target, async (backend, name) => {
    const checksum = await (await PretrainedDecoder.open(folder, backend)).firstToken();
    return { ...name, seconds: performance.now() / 1000, checksum };
  });

/** Measures a folder in a new process of this command line, and the first token in several further ones. */
export async function pretrainedApart(
  folder: string,
  target: Target,
  { quick, timing }: BenchOptions,
): Promise<PretrainedSpeed> {
  const options = ["--model", folder];
  const command = commandOf(target, ...options, ...(quick ? ["--quick"] : []));
  const { status, stdout, stderr } = await runProcess([process.execPath, ...command]);
  if (status !== 0)
    throw new LoadError(`the process with ${folder} ended with status ${status}: ${stderr.trim()}`);
  const [result] = (JSON.parse(stdout) as { languageModel: PretrainedSpeed[] }).languageModel;
  if (!result) throw new LoadError(`the process with ${folder} printed no result: ${stdout}`);
  const { seconds } = await start(target, timing, (one) => firstApart(one, ...options));
  return { ...result, firstTokenSeconds: seconds };
}
