// The vocabulary of the captions as a tokenizer.json: a unigram model whose pieces are its words.
import { readTokenizerJson } from "../../../io/tokenizers/json/read.ts";
import { loadTranslator } from "../../../io/tokenizers/text/patterns.ts";
import { Tokenizer } from "../../../io/tokenizers/tokenizer.ts";
import { quoted } from "../../../io/wording.ts";
import { RuleError } from "../../../tensor/errors.ts";
import { IMAGE, PAD, STOP, VOCABULARY } from "../captions.ts";

const MARK = "▁";
/** Tokens that stand for no word, and one that has no space before it. */
const BARE: ReadonlySet<number> = new Set([PAD, STOP, IMAGE]);
const metaspace = { type: "Metaspace", replacement: MARK, prepend_scheme: "always", split: true };

/** tokenizer.json, whose ids are those of VOCABULARY. */
const TOKENIZER = {
  version: "1.0",
  added_tokens: [PAD, IMAGE].map((id) => ({
    id,
    content: VOCABULARY[id] ?? "",
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: null,
  pre_tokenizer: metaspace,
  post_processor: null,
  decoder: metaspace,
  model: {
    type: "Unigram",
    unk_id: PAD,
    vocab: VOCABULARY.map((word, id) => [BARE.has(id) ? word : MARK + word, 0]),
  },
};

export async function captionTokenizer(): Promise<Tokenizer> {
  return new Tokenizer(readTokenizerJson(TOKENIZER, "tokenizer.json", await loadTranslator(), []), {
    name: "the vocabulary of the digits' model",
    specialTokens: new Map(),
    templates: new Map(),
    render: null,
    cleanUp: false,
  });
}

const ids = new Map(VOCABULARY.map((word, id) => [word, id]));

/** The ids of words, full stops and image tokens. Throws a RuleError for a word that the vocabulary lacks. [digits.words] */
export function wordIds(text: string): number[] {
  const tokens = text.toLowerCase().match(/<image>|\.|[^\s.<]+|</g) ?? [];
  return tokens.map((word) => {
    const id = ids.get(word);
    if (id !== undefined) return id;
    const words = VOCABULARY.filter((_, i) => !BARE.has(i)).join(", ");
    throw new RuleError(
      `the digits' model has no word ${quoted(word)}; its words are ${words}; leave the line out, or use these words`,
      "digits.words",
    );
  });
}
