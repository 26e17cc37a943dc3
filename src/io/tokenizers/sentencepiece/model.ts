// What a SentencePiece model is made of: pieces, and how text is normalized, segmented and written again.
import { LoadError } from "../../../tensor/errors.ts";
import { quoted } from "../../wording.ts";
import { byteOf } from "../text/bytes.ts";
import type { CharacterMap } from "./charsmap.ts";

/** Kinds of pieces, with their numbers in model files. */
export const NORMAL = 1;
export const UNKNOWN = 2;
export const CONTROL = 3;
export const USER_DEFINED = 4;
export const UNUSED = 5;
export const BYTE = 6;

export interface Piece {
  readonly text: string;
  readonly score: number;
  readonly type: number;
}

export interface SentencePieceModel {
  readonly kind: "unigram" | "bpe";
  readonly pieces: readonly Piece[];
  readonly map: CharacterMap | null;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
  readonly suffixes: boolean;
  readonly byteFallback: boolean;
  /** The text of the unknown token. */
  readonly unkSurface: string;
}

export const UNK_SURFACE = " ⁇ ";
/** The most pieces: twice those of the largest released vocabularies. */
export const MOST_PIECES = 2 ** 19;
/** The longest piece, in UTF-16 code units. */
const LONGEST = 1000;

/** Refuses pieces that SentencePiece refuses. Returns the id of the unknown piece. [sentencepiece.pieces] */
export function checkPieces({ pieces, byteFallback }: SentencePieceModel, name: string): number {
  const refuse = (problem: string): LoadError => new LoadError(`${name}: ${problem}  [sentencepiece.pieces]`);
  if (pieces.length > MOST_PIECES) throw refuse(`${pieces.length} pieces are more than ${MOST_PIECES}`);
  const seen = { text: new Set<string>(), reserved: new Set<string>() };
  const unknown: number[] = [];
  const bytes = new Set<number>();
  for (const [id, { text, type, score }] of pieces.entries()) {
    if (type < NORMAL || type > BYTE)
      throw refuse(`the piece ${quoted(text)} is of the unknown type ${type}`);
    if (text === "" || text.length > LONGEST)
      throw refuse(`piece ${id} is empty or longer than ${LONGEST} characters`);
    if (!Number.isFinite(score)) throw refuse(`the piece ${quoted(text)} has the score ${score}`);
    const set = type === NORMAL || type === USER_DEFINED || type === UNUSED ? seen.text : seen.reserved;
    if (set.has(text)) throw refuse(`the piece ${quoted(text)} is there twice`);
    set.add(text);
    if (type === UNKNOWN) unknown.push(id);
    if (type === BYTE) bytes.add(byteOf(text) ?? -1);
  }
  if (unknown.length !== 1) throw refuse(`${unknown.length} pieces are the unknown one; there has to be one`);
  if (bytes.size > 0 && !byteFallback) throw refuse("it has pieces for bytes, and byte_fallback is false");
  if (byteFallback && (bytes.size !== 256 || bytes.has(-1)))
    throw refuse(`byte_fallback is true, and ${bytes.size} of 256 bytes have a piece`);
  return unknown[0] ?? 0;
}
