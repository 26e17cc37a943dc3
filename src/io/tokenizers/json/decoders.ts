// Decoders of tokenizer.json, which turn tokens back into text (huggingface/tokenizers, tokenizers/src/decoders).
import { boolean, integer, oneOf, string } from "../../fields.ts";
import { utf8 } from "../../wording.ts";
import { byteOf, fromByteAlphabet } from "../text/bytes.ts";
import { character, field, make, type Part, partsOf, patternIn, required, type Table } from "./fields.ts";

/** Tokens to pieces of text; the text is the pieces one after the other. */
export type Decode = (tokens: readonly string[]) => readonly string[];

function metaspace(part: Part): Decode {
  const mark = required(part, "replacement", character);
  const isOld = field(part, "add_prefix_space", boolean, true) ? "always" : "never";
  const scheme = field(part, "prepend_scheme", oneOf("always", "never", "first"), isOld);
  return (tokens) =>
    tokens.map((token, i) => token.replaceAll(mark, i === 0 && scheme !== "never" ? "" : " ")); // [tokenizer.decoders]
}

/** Runs of byte tokens as text; every byte of a run that is no UTF-8 becomes U+FFFD. [tokenizer.byte-fallback] */
export function joinBytes(tokens: readonly string[]): string[] {
  const result: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) result.push(utf8(Uint8Array.from(run)) ?? "\ufffd".repeat(run.length));
    run = [];
  };
  for (const token of tokens) {
    const byte = byteOf(token);
    if (byte !== null) run.push(byte);
    else {
      flush();
      result.push(token);
    }
  }
  flush();
  return result;
}

function strip(part: Part): Decode {
  const content = required(part, "content", character);
  const [start, stop] = [required(part, "start", integer), required(part, "stop", integer)];
  return (tokens) =>
    tokens.map((token) => {
      let [from, to] = [0, token.length];
      for (let i = 0; i < start && token.startsWith(content, from); i++) from += content.length;
      for (let i = 0; i < stop && to > from && token.endsWith(content, to); i++) to -= content.length;
      return token.slice(from, to);
    });
}

const DECODERS: Table<Decode> = {
  Sequence: (part) => {
    const all = partsOf(part, "decoders").map(decoder);
    return (tokens) => all.reduce((pieces, decode) => decode(pieces), tokens);
  },
  ByteLevel: () => (tokens) => [fromByteAlphabet(tokens)],
  Metaspace: metaspace,
  ByteFallback: () => joinBytes,
  Fuse: () => (tokens) => [tokens.join("")],
  Strip: strip,
  Replace: (part) => {
    const [pattern, content] = [patternIn(part, "pattern"), required(part, "content", string)];
    return (tokens) => tokens.map((token) => token.replace(pattern, () => content));
  },
  BPEDecoder: (part) => {
    const suffix = field(part, "suffix", string, "</w>");
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
  },
};

/** [tokenizer.decoders] */
export function decoder(part: Part): Decode {
  return make(part, DECODERS);
}
