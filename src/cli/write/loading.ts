// Loads a model and gives its weights to a backend, with a progress bar.
import { stream } from "../../generation/generate.ts";
import type { Backend } from "../../kernels/backend.ts";
import { type LoadedModel, loadPretrained } from "../../pretrained/load-pretrained.ts";
import type { MemoryPlan, PlanOptions } from "../../pretrained/memory-plan.ts";
import { progressOn } from "../../terminal/progress.ts";
import type { Prompt } from "./prompts.ts";
import type { Request } from "./request.ts";

/** The longest context and prompt for which a plan is made. */
const [MOST_CONTEXT, MOST_PROMPT] = [2 ** 24, 8192];

/** The inputs of the memory plan. */
export function planOptions({ generation, dtype }: Request, prompts: readonly Prompt[]): PlanOptions {
  if (prompts.length === 0) return { dtype };
  const length = prompts.reduce((most, { ids }) => Math.max(most, ids.length), 0);
  const context = Math.min(MOST_CONTEXT, length + generation.maxTokens);
  const texts = prompts.length * (generation.beams ?? 1);
  return { context, prompt: Math.min(MOST_PROMPT, length), texts, dtype };
}

/**
 * Loads the model of a folder. If the backend holds all weights, a pass over one token reads them, so that the time of reading files is not
 * counted as that of the prompt.
 */
export async function loaded(
  request: Request,
  backend: Backend,
  {
    prompts,
    signal,
    onPlan,
  }: {
    readonly prompts: readonly Prompt[];
    readonly signal: AbortSignal;
    readonly onPlan: (plan: MemoryPlan) => void;
  },
): Promise<LoadedModel> {
  const bar = progressOn(process.stderr);
  const model = await loadPretrained(request.folder, {
    ...planOptions(request, prompts),
    signal,
    plan: onPlan,
    progress: ({ read, total }) =>
      bar.step(read.bytes / 2 ** 20, Math.ceil(total.bytes / 2 ** 20), "MiB of weights"),
  });
  try {
    if (backend.name === "simd" && model.plan.simd.verdict === "holds") {
      const options = { stop: [], maxTokens: 1, backend, signal };
      for await (const _ of stream(model.writer, [[0]], options));
    }
    return model;
  } catch (error) {
    model.close();
    throw error;
  } finally {
    bar.clear();
  }
}
