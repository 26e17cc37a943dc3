// Normalization before SentencePiece's models: character map, white space and the dummy prefix
// (google/sentencepiece, src/normalizer.cc, `Normalizer::Normalize`).
import { LoadError } from "../../../tensor/errors.ts";
import { utf8Bytes } from "../text/bytes.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import { type CharsMap, readCharsMap } from "./charsmap.ts";

export interface NormalizerOptions {
  readonly charsMap: CharsMap | null;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** Whether spaces are written as ▁. */
  readonly escapeWhitespaces: boolean;
  /** Whether ▁ ends a word in place of starting one. */
  readonly suffixes: boolean;
  /** Stretches that are left as they are. */
  readonly userDefined: Iterable<string>;
}

export const SPACE_MARK = "▁";
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The width in bytes of the UTF-8 character that starts with this byte. */
const widthOf = (first: number): number => (first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4);

/** The text in pieces, each the replacement of one match of the map, or one character that no key matches. [sentencepiece.longest] */
function replacements(text: string, charsMap: CharsMap | null, userDefined: PrefixIndex): string[] {
  const bytes = utf8Bytes(text);
  const pieces: string[] = [];
  for (let at = 0, unit = 0; at < bytes.length; ) {
    const symbol = userDefined.longest(text, unit);
    const match = symbol === null ? (charsMap?.at(bytes, at) ?? null) : null;
    const width =
      symbol === null
        ? (match?.length ?? widthOf(bytes[at] ?? 0))
        : utf8Bytes(text.slice(unit, unit + symbol.length)).length;
    const taken = decoder.decode(bytes.subarray(at, at + width));
    pieces.push(match === null ? taken : decoder.decode(match.bytes));
    at += width;
    unit += taken.length;
  }
  return pieces;
}

/** A function that normalizes texts without surrogates. [sentencepiece.normalize] */
export function sentencePieceNormalizer(options: NormalizerOptions): (text: string) => string {
  const { charsMap, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces, suffixes } = options;
  const userDefined = new PrefixIndex([...options.userDefined].map((symbol) => [symbol, 0]));
  const space = escapeWhitespaces ? SPACE_MARK : " ";
  return (text) => {
    const pieces = replacements(text, charsMap, userDefined);
    let first = 0;
    if (removeExtraWhitespaces) while (pieces[first] === " ") first++; // [sentencepiece.spaces]
    if (first >= pieces.length) return "";
    let result = addDummyPrefix && !suffixes ? space : ""; // [sentencepiece.dummy-prefix]
    let afterSpace = removeExtraWhitespaces;
    for (const piece of pieces.slice(first)) {
      const kept = afterSpace ? piece.replace(/^ +/, "") : piece; // [sentencepiece.spaces]
      result += escapeWhitespaces ? kept.replaceAll(" ", space) : kept;
      if (kept !== "") afterSpace = kept.endsWith(" ");
      if (!removeExtraWhitespaces) afterSpace = false;
    }
    if (removeExtraWhitespaces) {
      let end = result.length;
      while (result.endsWith(space, end) && end > 0) end -= space.length; // [sentencepiece.spaces]
      result = result.slice(0, end);
    }
    return addDummyPrefix && suffixes ? result + space : result;
  };
}

/** The normalizer `Precompiled` of tokenizer.json: the character map alone, in base64. */
export function precompiledNormalizer(base64: string, name: string): (text: string) => string {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.from(atob(base64), (byte) => byte.charCodeAt(0));
  } catch {
    throw new LoadError(
      `${name}: the character map is not base64; the file is damaged  [sentencepiece.charsmap]`,
    );
  }
  const charsMap = readCharsMap(bytes, name);
  const none = new PrefixIndex([]);
  return (text) => replacements(text, charsMap, none).join("");
}
