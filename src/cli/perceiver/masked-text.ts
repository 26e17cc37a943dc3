// A text with masked bytes, as `flamboyance perceiver mask-fill` takes it.
import { byteTokens, SPECIAL_TOKENS } from "../../io/tokenizers/byte-tokens.ts";
import { UsageError } from "../usage-error.ts";

const masks = (count: number): number[] => Array.from({ length: count }, () => SPECIAL_TOKENS.mask);

/** The ids of a text: [MASK] and [MASK:N] are one and N masked bytes, and so are the bytes of `hidden`. At most `most` of them. */
export function maskedIds(text: string, hidden: string | undefined, most: number): number[] {
  if (hidden !== undefined && !text.includes(hidden))
    throw new UsageError(`the text does not contain "${hidden}", which --hide names`);
  const ids: number[] = [];
  const visible = (part: string): void => {
    const parts = hidden === undefined ? [part] : part.split(hidden);
    for (const [i, piece] of parts.entries()) {
      if (i > 0) ids.push(...masks(byteTokens(hidden ?? "").length));
      for (const id of byteTokens(piece)) ids.push(id);
    }
  };
  for (const piece of text.split(/(\[MASK(?::\d+)?\])/)) {
    const [, count] = /^\[MASK(?::(\d+))?\]$/.exec(piece) ?? [null, null];
    if (count === null) visible(piece);
    else ids.push(...masks(Math.min(Number(count ?? 1), most + 1))); // [perceiver.masked-text]
  }
  if (ids.length > most)
    throw new UsageError(`the text has more than the ${most} bytes that the model takes; make it shorter`);
  if (!ids.includes(SPECIAL_TOKENS.mask))
    throw new UsageError(
      "the text has no masked byte; write [MASK] or [MASK:9] into it, or name a part with --hide",
    );
  return ids;
}
