// Pre-tokenizers of tokenizer.json, which split a text into words (huggingface/tokenizers, tokenizers/src/pre_tokenizers).
import { boolean, integer, oneOf } from "../../fields.ts";
import { toByteAlphabet } from "../text/bytes.ts";
import { escapePattern, PUNCTUATION, SPACE, WORD } from "../text/characters.ts";
import { type Behavior, splitAt } from "../text/split.ts";
import { character, field, make, type Part, partsOf, patternIn, required, type Table } from "./fields.ts";

/** The words of a piece of text. `isFirst`: whether the piece is where the text begins. */
export type PreTokenize = (piece: string, isFirst: boolean) => readonly string[];

const behavior = oneOf<Behavior>("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous");

/** GPT-2's words (openai/gpt-2, src/encoder.py): contractions, and letters, numbers or other characters with at most one space before. */
const GPT2_WORDS = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
  "gu",
); // [tokenizer.byte-level]

function byteLevel(part: Part): PreTokenize {
  const prefix = field(part, "add_prefix_space", boolean, true);
  const useRegex = field(part, "use_regex", boolean, true);
  return (piece) => {
    const text = prefix && !piece.startsWith(" ") ? ` ${piece}` : piece;
    const words = useRegex ? splitAt(text, GPT2_WORDS, "Isolated") : [text];
    return words.map(toByteAlphabet);
  };
}

function metaspace(part: Part): PreTokenize {
  const mark = required(part, "replacement", character);
  const isOld = field(part, "add_prefix_space", boolean, true) ? "always" : "never";
  const scheme = field(part, "prepend_scheme", oneOf("always", "never", "first"), isOld);
  const starts = new RegExp(escapePattern(mark), "gu");
  const isSplit = field(part, "split", boolean, true);
  return (piece, isFirst) => {
    const marked = piece.replaceAll(" ", mark);
    const isPrefixed = scheme === "always" || (scheme === "first" && isFirst);
    const text = isPrefixed && !marked.startsWith(mark) ? mark + marked : marked;
    return isSplit ? splitAt(text, starts, "MergedWithNext") : [text]; // [tokenizer.metaspace]
  };
}

const splitter =
  (pattern: RegExp, how: Behavior, invert = false): PreTokenize =>
  (piece) =>
    splitAt(piece, pattern, how, { invert });

const DIGITS = /\p{N}/gu;

const PRE_TOKENIZERS: Table<PreTokenize> = {
  Sequence: (part) => {
    const all = partsOf(part, "pretokenizers").map(preTokenizer);
    return (piece, isFirst) =>
      all.reduce<readonly string[]>(
        (pieces, split) => pieces.flatMap((one, i) => split(one, isFirst && i === 0)),
        [piece],
      );
  },
  ByteLevel: byteLevel,
  Metaspace: metaspace,
  Split: (part) =>
    splitter(
      patternIn(part, "pattern"),
      required(part, "behavior", behavior),
      field(part, "invert", boolean, false),
    ),
  Digits: (part) => {
    const how = field(part, "individual_digits", boolean, false) ? "Isolated" : "Contiguous";
    return (piece) => splitAt(piece, DIGITS, how, { seen: piece }); // [tokenizer.digits]
  },
  Punctuation: (part) =>
    splitter(new RegExp(`[${PUNCTUATION}]`, "gu"), field(part, "behavior", behavior, "Isolated")),
  Whitespace: () => splitter(new RegExp(`[${WORD}]+|[^${WORD}${SPACE}]+`, "gu"), "Removed", true),
  WhitespaceSplit: () => splitter(new RegExp(SPACE, "gu"), "Removed"),
  CharDelimiterSplit: (part) =>
    splitter(new RegExp(escapePattern(required(part, "delimiter", character)), "gu"), "Removed"),
  FixedLength: (part) => {
    const length = field(part, "length", integer, 5);
    return splitter(new RegExp(`.{1,${Math.max(1, length)}}`, "gsu"), "Isolated");
  },
};

/** [tokenizer.pre-tokenizers] */
export function preTokenizer(part: Part): PreTokenize {
  return make(part, PRE_TOKENIZERS);
}
