// The document of `flamboyance write --json`.
import type { Alternative, ChosenToken } from "../../generation/choose.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { MemoryPlan } from "../../pretrained/memory-plan.ts";
import type { Finish } from "../../writing/write-text.ts";
import type { Prompt } from "./prompts.ts";
import type { Timings } from "./timings.ts";

/** One text that was written. */
export interface WrittenText {
  /** The index of its prompt. */
  readonly prompt: number;
  readonly text: string;
  readonly tokens: readonly ChosenToken[];
  readonly finish: Finish;
  /** The score of a beam search; null for other texts. */
  readonly score: number | null;
}

export interface Written {
  readonly plan: MemoryPlan;
  readonly backend: Backend;
  readonly prompts: readonly Prompt[];
  readonly texts: readonly WrittenText[];
  readonly timings: Timings;
}

/** A token as the vocabulary writes it, and as text: U+FFFD where its bytes are a part of a character. */
const tokenOf = (tokenizer: Tokenizer, id: number): object => ({
  id,
  token: tokenizer.idToToken(id),
  text: tokenizer.decode([id]),
});

/** A generated token with its log-probability and its alternatives. */
export function tokenDocument(
  tokenizer: Tokenizer,
  { id, logProbability, alternatives }: ChosenToken,
): object {
  const alternative = ({ id, logProbability }: Alternative): object => ({
    ...tokenOf(tokenizer, id),
    logProbability,
  });
  return { ...tokenOf(tokenizer, id), logProbability, alternatives: alternatives.map(alternative) };
}

/** The document with stable keys; numbers that are not finite, such as the log-probability of an excluded token, are null. */
export function writtenDocument(
  tokenizer: Tokenizer,
  { plan, backend, prompts, texts, timings }: Written,
): object {
  const { name, mode, threads, precision } = backend;
  return {
    plan,
    backend: { name, mode, threads, precision },
    prompts,
    texts: texts.map(({ prompt, text, tokens, finish, score }) => ({
      prompt,
      text,
      ids: tokens.map(({ id }) => id),
      tokens: tokens.map((token) => tokenDocument(tokenizer, token)),
      finish,
      score,
    })),
    timings,
  };
}
