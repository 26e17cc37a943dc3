// Normalization before SentencePiece's models: character map, white space and the dummy prefix
// (google/sentencepiece, src/normalizer.cc, `Normalizer::Normalize`).
import { LoadError } from "../../../tensor/errors.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import { type CharacterMap, readCharacterMap } from "./charsmap.ts";

export interface NormalizerOptions {
  /** null changes no character. */
  readonly map: CharacterMap | null;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** Whether spaces are written as ▁. */
  readonly escapeWhitespaces: boolean;
  /** Whether ▁ ends a word in place of starting one. */
  readonly suffixes: boolean;
}

export const SPACE_MARK = "▁";

/** The text in pieces, each the replacement of one match of the map, or one character or user-defined symbol as it is. [sentencepiece.longest] */
function replacements(text: string, map: CharacterMap | null, userDefined: PrefixIndex): string[] {
  const pieces: string[] = [];
  for (let at = 0; at < text.length; ) {
    const symbol = userDefined.longest(text, at); // [sentencepiece.user-defined]
    const match = symbol === null ? (map?.at(text, at) ?? null) : null;
    const width = (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    const length = symbol?.length ?? match?.length ?? width;
    pieces.push(match === null ? text.slice(at, at + length) : match.text);
    at += length;
  }
  return pieces;
}

/** A function that normalizes well-formed texts. [sentencepiece.normalize] */
export function sentencePieceNormalizer(
  options: NormalizerOptions,
  userDefined: PrefixIndex,
): (text: string) => string {
  const { map, addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces, suffixes } = options;
  const space = escapeWhitespaces ? SPACE_MARK : " ";
  return (text) => {
    const pieces = replacements(text, map, userDefined);
    let first = 0;
    if (removeExtraWhitespaces) while (pieces[first] === " ") first++; // [sentencepiece.spaces]
    if (first >= pieces.length) return "";
    let result = addDummyPrefix && !suffixes ? space : ""; // [sentencepiece.dummy-prefix]
    let isAfterSpace = removeExtraWhitespaces;
    for (let i = first; i < pieces.length; i++) {
      const piece = pieces[i] ?? "";
      const kept = isAfterSpace ? piece.replace(/^ +/, "") : piece; // [sentencepiece.spaces]
      result += escapeWhitespaces ? kept.replaceAll(" ", space) : kept;
      if (kept !== "") isAfterSpace = removeExtraWhitespaces && kept.endsWith(" ");
    }
    if (removeExtraWhitespaces) result = withoutSpacesAtEnd(result, space);
    return addDummyPrefix && suffixes ? result + space : result; // [sentencepiece.dummy-prefix]
  };
}

function withoutSpacesAtEnd(text: string, space: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === space) end--; // [sentencepiece.spaces]
  return text.slice(0, end);
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
  const map = readCharacterMap(bytes, name);
  const none = new PrefixIndex([]);
  return (text) => replacements(text, map, none).join("");
}
