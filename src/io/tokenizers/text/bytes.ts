// GPT-2's byte alphabet: every byte is written as one printable character, so that a vocabulary of strings can hold any bytes
// (openai/gpt-2, src/encoder.py, `bytes_to_unicode`).

const isPrintable = (byte: number): boolean =>
  (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;

/** The character of each byte: itself if it is printable, or else the next one from U+0100 on. [tokenizer.bytes] */
const CHARACTERS: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
})();
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The UTF-8 bytes of a text in the byte alphabet. */
export function toByteAlphabet(text: string): string {
  let result = "";
  for (const byte of encoder.encode(text)) result += CHARACTERS[byte];
  return result;
}

/** The bytes that a token stands for; a token with a character outside the alphabet stands for its own UTF-8 bytes. */
function bytesOf(token: string): Iterable<number> {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTES.get(character);
    if (byte === undefined) return encoder.encode(token); // [tokenizer.bytes]
    bytes.push(byte);
  }
  return bytes;
}

/** The text of tokens in the byte alphabet; bytes that are no UTF-8 become U+FFFD. [tokenizer.bytes] */
export function fromByteAlphabet(tokens: readonly string[]): string {
  const bytes: number[] = [];
  for (const token of tokens) for (const byte of bytesOf(token)) bytes.push(byte);
  return decoder.decode(Uint8Array.from(bytes));
}

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text);

/** "<0x0A>": a byte as a token. */
export const byteToken = (byte: number): string => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;

/** The byte of a token such as "<0x0A>", or null. */
export function byteOf(token: string): number | null {
  const digits = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}
