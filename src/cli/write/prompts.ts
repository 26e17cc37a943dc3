// The prompts of `flamboyance write` as token ids.
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { utf8 } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { readInput } from "../input-bytes.ts";
import type { Request } from "./request.ts";

export interface Prompt {
  /** The text that was encoded, with what a chat template adds. */
  readonly text: string;
  readonly ids: readonly number[];
}

/** Bytes of the longest prompt on stdin. */
const MOST_BYTES = 16_000_000;

/** The text on stdin, without its last line break. */
function stdin(): string {
  const bytes = readInput("-", MOST_BYTES + 1);
  const text = bytes.length > MOST_BYTES ? null : utf8(bytes);
  if (text === null)
    throw new LoadError("stdin is not text in UTF-8, or is longer than 16 MB; give another prompt");
  return text.replace(/\r?\n$/, "");
}

/** The prompts with their ids. An empty one consists of the token that begins a text. */
export function encoded({ prompts, chat, folder }: Request, tokenizer: Tokenizer): Prompt[] {
  if (chat && !tokenizer.hasChat)
    throw new LoadError(`${folder} has no chat template; leave out --chat, and write the prompt as text`);
  return prompts.map((given) => {
    const content = given === "-" ? stdin() : given;
    const system = chat?.system === undefined ? [] : [{ role: "system", content: chat.system }];
    const text = chat
      ? tokenizer.chat([...system, { role: "user", content }], { generationPrompt: true })
      : content;
    const ids = tokenizer.encode(text, { special: !chat });
    if (ids.length > 0) return { text, ids };
    if (tokenizer.bos !== null) return { text, ids: [tokenizer.bos] };
    throw new LoadError(`the prompt has no tokens, and ${folder} has no token that begins a text; write one`);
  });
}
