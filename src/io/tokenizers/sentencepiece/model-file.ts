// SentencePiece's .model files (google/sentencepiece, src/sentencepiece_model.proto).
import { LoadError } from "../../../tensor/errors.ts";
import { readCharacterMap } from "./charsmap.ts";
import { MOST_PIECES, type Piece, type SentencePieceModel, UNK_SURFACE } from "./model.ts";
import { Message } from "./protobuf.ts";

/** Numbers of fields. */
const [PIECES, TRAINER, NORMALIZER, DENORMALIZER] = [1, 2, 3, 5];
const KINDS: Readonly<Record<number, SentencePieceModel["kind"]>> = { 1: "unigram", 2: "bpe" };

/** The ids of special tokens by the names that transformers gives them; −1 if there is none. */
const SPECIAL = { unk_token: [40, 0], bos_token: [41, 1], eos_token: [42, 2], pad_token: [43, -1] } as const;

export interface ModelFile {
  readonly model: SentencePieceModel;
  readonly specialTokens: ReadonlyMap<string, string>;
}

function pieceOf(bytes: number | Uint8Array, name: string): Piece {
  const message = new Message(typeof bytes === "number" ? new Uint8Array() : bytes, name);
  return { text: message.text(1, ""), score: message.float(2), type: message.integer(3, 1) };
}

/** Reads a file. Throws a LoadError for one that is damaged, or of a kind other than unigram and BPE. [sentencepiece.file] */
export function readModelFile(bytes: Uint8Array, name: string): ModelFile {
  const file = new Message(bytes, name);
  const [trainer, normalizer] = [file.message(TRAINER), file.message(NORMALIZER)];
  const kind = KINDS[trainer.integer(3, 1)];
  if (kind === undefined)
    throw new LoadError(
      `${name}: this is a model of words or characters; unigram and BPE can be read  [sentencepiece.file]`,
    );
  if (file.message(DENORMALIZER).bytes(2).length > 0)
    throw new LoadError(
      `${name}: it changes decoded text by a map of its own, which is not read  [sentencepiece.file]`,
    );
  const encoded = file.all(PIECES);
  if (encoded.length > MOST_PIECES)
    throw new LoadError(
      `${name}: ${encoded.length} pieces are more than ${MOST_PIECES}  [sentencepiece.pieces]`,
    );
  const pieces = encoded.map((piece) => pieceOf(piece, name));
  const model: SentencePieceModel = {
    kind,
    pieces,
    map: readCharacterMap(normalizer.bytes(2), name),
    addDummyPrefix: normalizer.boolean(3, true),
    removeExtraWhitespaces: normalizer.boolean(4, true),
    escapeWhitespaces: normalizer.boolean(5, true),
    suffixes: trainer.boolean(24, false),
    byteFallback: trainer.boolean(35, false),
    unkSurface: trainer.text(44, UNK_SURFACE),
  };
  const special = Object.entries(SPECIAL).flatMap(([token, [number, id]]) => {
    const piece = pieces[trainer.integer(number, id)];
    return piece === undefined ? [] : [[token, piece.text] as const];
  });
  return { model, specialTokens: new Map(special) };
}
