// The memory and the speed of a language model with random weights, which may be larger than the memory of the backend.
import { runProcess } from "#host";
import { run } from "../../kernels/replay.ts";
import { readTokens, wholeTexts } from "../../models/language-model.ts";
import { LlamaForCausalLM } from "../../models/language-models/llama.ts";
import { nextLogits } from "../../models/writer.ts";
import { initialize, PARAMETER_DTYPES, parameterNames, stateDict } from "../../nn/state-dict.ts";
import { LoadError } from "../../tensor/errors.ts";
import { Int } from "../../tensor/tensor.ts";
import { measureTarget, type Target, type TargetName } from "../target.ts";
import { commandOf } from "../targets.ts";
import { secondsOf, type TimingOptions } from "../timing.ts";

/** The dtypes of weights that are compared. */
export const WEIGHTS = PARAMETER_DTYPES;
export type WeightDtype = (typeof WEIGHTS)[number];

/** A LLaMA with feed-forward layers of four times its width and 32,000 tokens; 24 layers of width 2,048 are 1.74 × 10⁹ parameters. */
export interface MemorySize {
  readonly layers: number;
  readonly width: number;
  /** The tokens of the first pass. */
  readonly tokens: number;
}

export interface MemoryUse extends TargetName, MemorySize {
  readonly weights: WeightDtype;
  readonly parameters: number;
  /** A pass over all tokens, in which the weights are drawn and packed. */
  readonly firstSeconds: number;
  /** A pass over one token, which reads every weight once. */
  readonly tokenSeconds: number;
  /** The processor time of a pass over one token, of all threads. */
  readonly tokenProcessorSeconds: number;
  /** The peak resident memory of the process, Node and weights included. */
  readonly peakBytes: number;
  /** Bytes in JavaScript arrays after the passes; garbage counts, too, unless Node runs with --expose-gc. */
  readonly arrayBytes: number;
}

const WIDTH_OF_HEAD = 64;
const TOKENS = 32_000;

export const decoder = (
  { layers, width }: Pick<MemorySize, "layers" | "width">,
  vocabSize = TOKENS,
): LlamaForCausalLM =>
  new LlamaForCausalLM({
    vocabSize,
    hiddenSize: width,
    intermediateSize: 4 * width,
    numHiddenLayers: layers,
    numAttentionHeads: Math.max(1, Math.round(width / WIDTH_OF_HEAD)),
  });

/** The logits of the token after a text of `n` tokens. */
function logitsAfter(model: LlamaForCausalLM, n: number) {
  const ids = new Int(
    [1, n],
    Int32Array.from({ length: n }, (_, i) => (7919 * i) % TOKENS),
  );
  const at = { ...wholeTexts(1, n), media: null, visibility: null };
  return () => nextLogits(model, readTokens(model, ids, at, null).x);
}

/** Frees what nothing refers to, if Node runs with --expose-gc. */
async function collect(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await new Promise((resume) => setTimeout(resume, 1)); // weakly held values live until the end of the present task
    (globalThis as { gc?: () => void }).gc?.();
  }
}

/** Runs the decoder in this process. */
export const memoryHere = (
  weights: WeightDtype,
  size: MemorySize,
  target: Target,
  timing: TimingOptions,
): Promise<MemoryUse> =>
  measureTarget(target, async (backend, name) => {
    const model = initialize(decoder(size), 1, { dtype: weights });
    const state = stateDict(model);
    const parameters = parameterNames(model).reduce((sum, key) => sum + (state.get(key)?.size ?? 0), 0);
    const since = performance.now();
    const logits = await run(backend, logitsAfter(model, size.tokens), { model });
    const firstSeconds = (performance.now() - since) / 1000;
    if (!Number.isFinite(logits.flat()[0])) throw new LoadError("the decoder computed no finite logits");
    const one = logitsAfter(model, 1);
    let passes = 0;
    const before = process.cpuUsage();
    const tokenSeconds = await secondsOf(async () => {
      passes++;
      await run(backend, one, { model });
    }, timing);
    const { user, system } = process.cpuUsage(before);
    await collect();
    return {
      ...name,
      ...size,
      weights,
      parameters,
      firstSeconds,
      tokenSeconds,
      tokenProcessorSeconds: (user + system) / 1e6 / passes,
      peakBytes: process.resourceUsage().maxRSS * 1024,
      arrayBytes: process.memoryUsage().arrayBuffers,
    };
  });

/** Runs the decoder in a new process of this command line. */
export async function memoryApart(
  weights: WeightDtype,
  { layers, width, tokens }: MemorySize,
  target: Target,
  quick: boolean,
): Promise<MemoryUse> {
  const sizes = ["--layers", `${layers}`, "--width", `${width}`, "--tokens", `${tokens}`];
  const command = commandOf(target, "--weights", weights, ...sizes, ...(quick ? ["--quick"] : []));
  const { status, stdout, stderr } = await runProcess([process.execPath, "--expose-gc", ...command]);
  if (status !== 0)
    throw new LoadError(`the process with ${weights} weights ended with status ${status}: ${stderr.trim()}`);
  const [result] = (JSON.parse(stdout) as { memory: MemoryUse[] }).memory;
  if (!result) throw new LoadError(`the process with ${weights} weights printed no result: ${stdout}`);
  return result;
}
