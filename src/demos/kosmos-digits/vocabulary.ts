// The vocabulary of the documents as a tokenizer.json: a unigram model whose pieces are words, and letters for all other text.
import { readTokenizerJson } from "../../io/tokenizers/json/read.ts";
import { IMAGE_TOKENS } from "../../io/tokenizers/kosmos/t5.ts";
import { loadTranslator } from "../../io/tokenizers/text/patterns.ts";
import { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { Bug } from "../../tensor/errors.ts";
import { NUMBERS } from "../digits/captions.ts";

const MARK = "▁";
/** Fairseq's order, in which KOSMOS-1 numbers its special tokens. */
export const SPECIAL = { bos: "<s>", pad: "<pad>", eos: "</s>", unk: "<unk>" } as const;

const WORDS =
  "An image of a an A handwritten This is Question Which digit does the first second third fourth fifth picture show this Answer Here Next";
const PUNCTUATION = [".", "?", ":"];
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

/** Scores of pieces: a word costs less than its letters, so that the most probable segmentation has whole words. */
const [OF_SPECIAL, OF_WORD, OF_LETTER] = [0, -2, -10];

const pieces: readonly (readonly [string, number])[] = [
  ...Object.values(SPECIAL).map((token) => [token, OF_SPECIAL] as const),
  ...[...WORDS.split(" "), ...NUMBERS].map((word) => [MARK + word, OF_WORD] as const),
  ...PUNCTUATION.map((sign) => [sign, OF_WORD] as const),
  ...[MARK, ...LETTERS, ...LETTERS.toUpperCase()].map((letter) => [letter, OF_LETTER] as const),
];
const ofPieces = new Map(pieces.map(([piece], id) => [piece, id]));

/** The id of a piece or of a special token. */
function idOf(token: string): number {
  const images: readonly string[] = IMAGE_TOKENS;
  const image = images.indexOf(token);
  const id = image < 0 ? ofPieces.get(token) : pieces.length + image;
  if (id === undefined) throw new Bug(`${token} is not in the vocabulary`);
  return id;
}

export const IDS = {
  bos: idOf(SPECIAL.bos),
  pad: idOf(SPECIAL.pad),
  eos: idOf(SPECIAL.eos),
  image: idOf(IMAGE_TOKENS[0]),
  imageEnd: idOf(IMAGE_TOKENS[1]),
  fullStop: idOf("."),
} as const;
export const VOCABULARY_SIZE = pieces.length + IMAGE_TOKENS.length;

/** The digit of a word's id, or null. */
const digitOfId = new Map(NUMBERS.map((word, digit) => [idOf(MARK + word), digit]));

/** The digit that a text names, or null where it names none or several. [kosmosDigits.accuracy] */
export function digitNamed(ids: Iterable<number>): number | null {
  const named = new Set([...ids].flatMap((id) => digitOfId.get(id) ?? []));
  const [digit] = named;
  return named.size === 1 ? (digit ?? null) : null;
}

const added = [...Object.values(SPECIAL), ...IMAGE_TOKENS].map((content) => ({
  id: idOf(content),
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
}));
const metaspace = { type: "Metaspace", replacement: MARK, prepend_scheme: "always", split: true };

/** tokenizer.json */
const TOKENIZER = {
  version: "1.0",
  added_tokens: added,
  normalizer: { type: "Strip", strip_left: true, strip_right: true },
  pre_tokenizer: metaspace,
  post_processor: null,
  decoder: metaspace,
  model: { type: "Unigram", unk_id: idOf(SPECIAL.unk), vocab: pieces.map(([...entry]) => entry) },
};

/** tokenizer_config.json */
const CONFIGURATION = {
  tokenizer_class: "PreTrainedTokenizerFast",
  bos_token: SPECIAL.bos,
  eos_token: SPECIAL.eos,
  pad_token: SPECIAL.pad,
  unk_token: SPECIAL.unk,
  clean_up_tokenization_spaces: false,
};

/** The files of the tokenizer, by name. */
export const TOKENIZER_FILES = {
  "tokenizer.json": TOKENIZER,
  "tokenizer_config.json": CONFIGURATION,
} as const;

export async function digitsTokenizer(): Promise<Tokenizer> {
  const pipeline = readTokenizerJson(TOKENIZER, "tokenizer.json", await loadTranslator(), []);
  const specialTokens = new Map(Object.entries(SPECIAL).map(([name, token]) => [`${name}_token`, token]));
  return new Tokenizer(pipeline, {
    name: "the vocabulary of the digits",
    specialTokens,
    templates: new Map(),
    render: null,
    cleanUp: false,
  });
}
