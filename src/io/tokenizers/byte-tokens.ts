// UTF-8 bytes as tokens: utils/bytes_tokenizer.py of JOBR0/PerceiverIO_Pytorch, which is DeepMind's perceiver/bytes_tokenizer.py.
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven } from "../../tensor/given.ts";
import { quoted } from "../wording.ts";
import { utf8Bytes } from "./text/bytes.ts";

/** Tokens that are no bytes. */
export const SPECIAL_TOKENS = { pad: 0, bos: 1, eos: 2, mask: 3, cls: 4, sep: 5 } as const;

/** The byte 0 has this id. */
const FIRST = 6;
export const BYTE_VOCABULARY = 256 + FIRST;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The ids of a text: its UTF-8 bytes + 6, without tokens at its beginning or end. [tokenizer.byte-tokens] */
export function byteTokens(text: string): number[] {
  checkGiven("byteTokens", { text }, "a text");
  return Array.from(utf8Bytes(text), (byte) => byte + FIRST);
}

/** The text of ids; special tokens are left out, and bytes that are no UTF-8 become U+FFFD. Throws a RuleError for other numbers. */
export function byteText(ids: Iterable<number>): string {
  checkGiven("byteText", { ids }, "a list or another iterable");
  const bytes: number[] = [];
  for (const id of ids) {
    if (!Number.isInteger(id) || id < 0 || id >= BYTE_VOCABULARY)
      throw new RuleError(
        `there is no token ${quoted(String(id))}; the tokens of bytes are 0 to ${BYTE_VOCABULARY - 1}`,
        "tokenizer.byte-tokens",
      );
    if (id >= FIRST) bytes.push(id - FIRST); // [tokenizer.byte-tokens]
  }
  return decoder.decode(Uint8Array.from(bytes));
}
