// A SentencePiece model as a tokenizer (google/sentencepiece, src/sentencepiece_processor.cc).
import { UNKNOWN_PENALTY, Unigram } from "../models/unigram.ts";
import type { Pipeline } from "../pipeline.ts";
import { byteOf, byteToken, utf8Bytes } from "../text/bytes.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import {
  BYTE,
  CONTROL,
  checkPieces,
  NORMAL,
  type Piece,
  type SentencePieceModel,
  UNKNOWN,
  UNUSED,
  USER_DEFINED,
} from "./model.ts";
import { SPACE_MARK, sentencePieceNormalizer } from "./normalizer.ts";
import { PairMerging } from "./pair-merging.ts";

/** The kinds of pieces that text is segmented into, and the others, which may have the same texts. */
const TEXT = [NORMAL, USER_DEFINED, UNUSED];
const RESERVED = [UNKNOWN, CONTROL, BYTE];

const idsOf = (pieces: readonly Piece[], types: readonly number[]): Map<string, number> =>
  new Map(pieces.flatMap(({ text, type }, id) => (types.includes(type) ? [[text, id] as const] : [])));

/** The segmentation into ids of normalized text. */
type Segment = (text: string) => readonly number[];

function unigram({ pieces, byteFallback }: SentencePieceModel, unkId: number): Segment {
  const normal = pieces.filter(({ type }) => type === NORMAL).map(({ score }) => score);
  const lowest = normal.reduce((a, b) => Math.min(a, b), MAX_FLOAT);
  const highest = normal.reduce((a, b) => Math.max(a, b), MIN_NORMAL_FLOAT);
  const model = new Unigram({
    pieces: pieces.flatMap(({ text, score, type }, id) => {
      if (type === NORMAL) return [{ text, id, score }];
      // A user-defined symbol gets a score that is better than that of its parts. [unigram.user-defined]
      return type === USER_DEFINED
        ? [{ text, id, score: Math.fround(utf8Bytes(text).length * highest) - 0.1 }]
        : [];
    }),
    tokens: pieces.map(({ text }) => text),
    ids: idsOf(pieces, [BYTE]),
    unkId,
    unkScore: Math.fround(lowest - UNKNOWN_PENALTY),
    byteFallback,
    precision: "float32",
  });
  return (text) => model.encode(text);
}

/** FLT_MAX and FLT_MIN of C, where the lowest and the highest score are looked for from. */
const [MAX_FLOAT, MIN_NORMAL_FLOAT] = [(2 - 2 ** -23) * 2 ** 127, 2 ** -126];

function pairMerging(model: SentencePieceModel, unkId: number, userDefined: PrefixIndex): Segment {
  const merging = new PairMerging(model.pieces, userDefined);
  const ids = idsOf(model.pieces, TEXT);
  const bytes = idsOf(model.pieces, [BYTE]);
  return (text) => {
    const result: number[] = [];
    let wasUnknown = false;
    for (const piece of merging.segment(text)) {
      const id = ids.get(piece);
      if (id !== undefined) result.push(id);
      else if (model.byteFallback)
        for (const byte of utf8Bytes(piece)) result.push(bytes.get(byteToken(byte)) ?? unkId);
      else if (!wasUnknown) result.push(unkId);
      wasUnknown = id === undefined;
    }
    return result;
  };
}

/** The text of pieces. [sentencepiece.decode] */
function decoderOf(model: SentencePieceModel): (ids: readonly number[]) => string {
  const { pieces, addDummyPrefix, removeExtraWhitespaces, unkSurface } = model;
  const stripsOne = addDummyPrefix || removeExtraWhitespaces;
  return (ids) => {
    let text = "";
    let bytes: number[] = [];
    let isStart = true;
    let hasStripped = false;
    for (const id of ids) {
      const piece = pieces[id];
      if (piece === undefined) continue;
      const byte = piece.type === BYTE ? byteOf(piece.text) : null;
      if (byte !== null) {
        bytes.push(byte);
        continue;
      }
      text += textOfBytes(bytes);
      bytes = [];
      if (hasStripped || text !== "") isStart = false;
      hasStripped = false;
      if (piece.type === CONTROL) continue;
      if (piece.type === UNKNOWN) text += unkSurface;
      else {
        const strips = isStart && stripsOne && piece.text.startsWith(SPACE_MARK);
        hasStripped = strips && !removeExtraWhitespaces; // which removes the spaces of every piece at the start
        text += (strips ? piece.text.slice(1) : piece.text).replaceAll(SPACE_MARK, " ");
      }
    }
    return text + textOfBytes(bytes);
  };
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The characters of bytes; each byte that begins none is one U+FFFD. [sentencepiece.decode] */
function textOfBytes(bytes: readonly number[]): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const width = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    const one = characterOf(Uint8Array.from(bytes.slice(at, at + width)));
    text += one ?? "\ufffd";
    at += one === null ? 1 : width;
  }
  return text;
}

function characterOf(bytes: Uint8Array): string | null {
  try {
    return strict.decode(bytes);
  } catch {
    return null;
  }
}

/** `before` and `after`: ids that are added around a text. Throws a LoadError for pieces that SentencePiece refuses. */
export function sentencePiecePipeline(
  model: SentencePieceModel,
  name: string,
  around: { readonly before: readonly number[]; readonly after: readonly number[] },
): Pipeline {
  const unkId = checkPieces(model, name);
  const symbols = model.pieces.filter(({ type }) => type === USER_DEFINED);
  const userDefined = new PrefixIndex(symbols.map(({ text }) => [text, 0]));
  const normalize = sentencePieceNormalizer(model, userDefined);
  const segment = model.kind === "unigram" ? unigram(model, unkId) : pairMerging(model, unkId, userDefined);
  const decode = decoderOf(model);
  const idOf = new Map([...idsOf(model.pieces, TEXT), ...idsOf(model.pieces, RESERVED)]);
  return {
    size: model.pieces.length,
    encode(text, special) {
      const ids = segment(normalize(text));
      return special ? [...around.before, ...ids, ...around.after] : ids;
    },
    decode: (ids) => decode(ids),
    idOf: (token) => idOf.get(token),
    tokenOf: (id) => model.pieces[id]?.text,
    isPartial: (id) => model.pieces[id]?.type === BYTE,
    isIncremental: true,
  };
}
