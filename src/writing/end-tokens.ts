// The tokens that end a text of a model in a folder.
import type { Tokenizer } from "../io/tokenizers/tokenizer.ts";
import type { LoadedModel } from "../pretrained/load-pretrained.ts";

const isId = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** The ids of `eos_token_id`: one, or several in a list; null if it is absent. */
function idsOf(config: Readonly<Record<string, unknown>> | null): readonly number[] | null {
  const value = config?.eos_token_id;
  const ids = [value].flat().filter(isId);
  return ids.length > 0 ? ids : null;
}

/**
 * The ids that end a text: `eos_token_id` of generation_config.json, where that is absent of config.json, and otherwise the end token of
 * the tokenizer. Empty if none of them names one. [write.end]
 */
export function endTokensOf(
  { config, generationConfig }: Pick<LoadedModel, "config" | "generationConfig">,
  { eos }: Pick<Tokenizer, "eos">,
): readonly number[] {
  return idsOf(generationConfig) ?? idsOf(config) ?? (eos === null ? [] : [eos]);
}
