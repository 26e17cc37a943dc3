// A SentencePiece model as JSON: its pieces with scores, and the options of its normalization by the names of SentencePiece's trainer.
import {
  boolean,
  type FieldLocation,
  listUpTo,
  number,
  oneOf,
  optional,
  type Read,
  record,
  refuse,
  string,
} from "../../fields.ts";
import type { Json, JsonObject } from "../../json.ts";
import { type CamelCased, camelKeys } from "../../snake-case.ts";
import { MOST_PIECES, NORMAL, type Piece, type SentencePieceModel, UNK_SURFACE } from "./model.ts";
import { MAP_NAMES, namedMap } from "./named-maps.ts";

const RULE = "sentencepiece.pieces-json";

/** [piece, score], or with its type as a third element. [sentencepiece.pieces-json] */
const piece: Read<Piece> = (value: Json | undefined, at: FieldLocation) => {
  const [text, score, type = NORMAL, ...others] = Array.isArray(value) ? value : [];
  if (others.length > 0) throw refuse(at, "has to be a piece, its score and its type");
  return { text: string(text, at), score: Math.fround(number(score, at)), type: number(type, at) };
};

/** The members of the file. Those that are left out have the values of SentencePiece's trainer. */
export const PIECES_FIELDS = {
  pieces: listUpTo(MOST_PIECES, piece),
  normalizer: optional(oneOf(...MAP_NAMES), "nmt_nfkc" as const),
  add_dummy_prefix: optional(boolean, true),
  remove_extra_whitespaces: optional(boolean, true),
  escape_whitespaces: optional(boolean, true),
  treat_whitespace_as_suffix: optional(boolean, false),
  byte_fallback: optional(boolean, false),
  unk_surface: optional(string, UNK_SURFACE),
};
const KNOWN = Object.keys(PIECES_FIELDS).join(", ");

type Fields = CamelCased<{
  readonly [K in keyof typeof PIECES_FIELDS]: ReturnType<(typeof PIECES_FIELDS)[K]>;
}>;

/** A unigram model of the members that were read. */
export const modelOfPieces = ({
  normalizer,
  treatWhitespaceAsSuffix,
  ...others
}: Fields): SentencePieceModel => ({
  kind: "unigram",
  map: namedMap(normalizer),
  suffixes: treatWhitespaceAsSuffix,
  ...others,
});

/** Reads such a file. Throws a LoadError that names a member of another type, or one that is not known. [sentencepiece.pieces-json] */
export function readPieces(json: JsonObject, file: string): SentencePieceModel {
  const unread: string[] = [];
  const fields = record(PIECES_FIELDS)(json, { file, field: "", unread, rule: RULE });
  if (unread.length > 0)
    throw refuse({ file, field: unread[0] ?? "" }, `is not known; known are ${KNOWN}`, RULE);
  return modelOfPieces(camelKeys(fields));
}
