// The words of captions, as the evaluation of COCO's captions makes them for CIDEr: the tokenizer of the Penn Treebank (Stanford CoreNLP 3.4.1,
import { checkGiven } from "../../tensor/given.ts";

// PTBTokenizer with -lowerCase), and then no punctuation (pycocoevalcap 1.2, tokenizer/ptbtokenizer.py). Stanford's tokenizer is a large grammar; these
// are its rules for English captions: words, contractions, hyphens, numbers, times, abbreviations, quotation marks and brackets. Where a comma or a
// colon has no space behind it, and in addresses and emoticons, the words may be others.

/** What ptbtokenizer.py removes. The names of round and curly brackets are in its list in capitals, which the tokenizer has lowered: they stay. */
const REMOVED = /^(?:['`.?!,:;"“”‘’«»…–—-]|\.{2,}|-{2,})$/; // [score.caption-punctuation]

/** How the Penn Treebank writes brackets. */
const BRACKETS: ReadonlyMap<string, string> = new Map([
  ["(", "-lrb-"],
  [")", "-rrb-"],
  ["[", "-lsb-"],
  ["]", "-rsb-"],
  ["{", "-lcb-"],
  ["}", "-rcb-"],
]);

/** Signs that the Penn Treebank, which is in ASCII, writes in another way. */
const SIGNS: ReadonlyMap<string, string> = new Map([
  ["£", "#"],
  ["€", "$"],
  ["¼", "1/4"],
  ["½", "1/2"],
  ["¾", "3/4"],
]);
/** A typographic apostrophe in a contraction or a possessive. Elsewhere it is a quotation mark, or a part of its word. */
const APOSTROPHE = /(?<=[\p{L}\d])’(?=(?:s|m|d|re|ve|ll)(?!\p{L}))|(?<=n)’(?=t(?!\p{L}))/gu;
/** What Stanford's tokenizer cannot read: emoji among it. */
const BEYOND_THE_PLANE = /[\u{10000}-\u{10ffff}]/gu;

/** Abbreviations that keep their period. */
const ABBREVIATIONS =
  "mr mrs ms dr st ave blvd rd jr sr vs etc inc co corp ltd jan feb mar apr jun jul aug sept sep oct nov dec mt ft prof gen lt sgt capt gov sen rep rev";
/** Words that are written as one and are two. */
const PAIRS: ReadonlyMap<string, readonly [string, string]> = new Map(
  "can|not gon|na gim|me lem|me got|ta wan|na d'|ye".split(" ").map((pair) => {
    const [first = "", second = ""] = pair.split("|");
    return [first + second, [first, second]];
  }),
);

/** The kinds of tokens, the first that matches at a place. Text is in lower case. */
const TOKEN = new RegExp(
  [
    "nos?\\.(?=\\s*\\d)",
    `(?:${ABBREVIATIONS.replaceAll(" ", "|")})\\.(?![\\p{L}\\p{N}])`,
    "\\p{L}(?:\\.\\p{L})*\\.(?!\\p{L})|\\p{L}(?:\\.\\p{L})+(?!\\p{L})", // u.s., a.m., a single letter with a period
    "o['’]clock|'n'(?!\\p{L})|’n’(?!\\p{L})",
    "n't(?!\\p{L})|'(?:s|m|d|re|ve|ll)(?!\\p{L})",
    "[.,]?\\d+(?:[.,:/]\\d+)*(?:-\\d+)*(?:(?:st|nd|rd|th|s)(?!\\p{L})|(?:-\\p{L}+)+)?", // 1,000, 3.5, 10:30, 1/2, 5th, 12-year-old
    "\\p{L}+?(?=n't(?!\\p{L}))", // the verb of a contraction
    "(?:[od]'|[odl]’)?\\p{L}[\\p{L}\\p{N}_]*(?:[-/][\\p{L}\\p{N}]+)*", // t-shirt, and/or, o'brien
    "\\.{2,}|-{2,}|[!?]{2,}|[^\\s]",
  ].join("|"),
  "gu",
);

/** The words of a caption between single spaces, for `cider`. */
export function captionTokens(caption: string): string {
  checkGiven("captionTokens", { caption }, "a text");
  const tokens: string[] = [];
  const text = caption.toLowerCase().replace(BEYOND_THE_PLANE, " ").replace(APOSTROPHE, "'");
  // [score.caption-signs]
  for (const [token] of text.matchAll(TOKEN)) {
    const written = BRACKETS.get(token) ?? SIGNS.get(token);
    const pair = PAIRS.get(token);
    if (written !== undefined) tokens.push(written);
    else if (pair)
      tokens.push(...pair); // [score.caption-contractions]
    else if (!REMOVED.test(token)) tokens.push(token);
  }
  return tokens.join(" "); // [score.caption-words]
}
