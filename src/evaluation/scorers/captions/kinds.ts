// Kinds of tokens of Stanford's tokenizer for English (CoreNLP 3.4.1, PTBTokenizer), which the evaluation of COCO's captions runs. The program's
// documentation names the kinds; where they begin and end was measured with the program. At each place the kind with the longest match counts, and of
// equally long ones the first. What must follow a token (its context) adds to the length. Patterns are matched against `shapesOf` of a text.
import {
  ABBREVIATIONS,
  CAPITAL_ABBREVIATIONS,
  FINAL_ABBREVIATIONS,
  NUMBERED_ABBREVIATIONS,
  STARTERS,
} from "./abbreviations.ts";
import { SHAPES } from "./characters.ts";

/** How a token is written, from its text. */
type Writing = (token: string) => string | readonly string[];

export interface Kind {
  /** Its first group is the token. */
  readonly pattern: RegExp;
  readonly write: Writing;
  /** If this matches where `pattern` does not, then `pattern` matches nowhere before the end of this: no text is read again and again. */
  readonly vain?: RegExp | undefined;
}

/** A pattern for letters in either case; without \p, backslashes stand before signs only. */
const anyCase = (pattern: string): string =>
  pattern.replace(/[a-z]/g, (letter) => `[${letter}${letter.toUpperCase()}]`);
const anyOf = (words: readonly string[]): string => `(?:${words.join("|")})`;

const SPACE = "[ \\t\\xa0\\u2000-\\u200a\\u3000]";
const DIGIT = `[0-9${SHAPES.digit}]`;
/** A letter, also as an entity of HTML or with a soft hyphen, which is not written. */
const LETTER = `(?:[A-Za-z${SHAPES.letter}\\xad]|&[aeiouAEIOU](?:acute|grave|uml);)`;
const PLAIN_LETTER = `[A-Za-z${SHAPES.letter}]`;
const PLAIN = `[A-Za-z${SHAPES.letter}0-9${SHAPES.digit}]`;
const WORD = `(?:${LETTER}|${SHAPES.mark})(?:${LETTER}|[${SHAPES.mark}0-9${SHAPES.digit}])*`;
/** Words with a period or another end of a sentence between them, without a space: the.end */
const JOINED = `${WORD}(?:[.!?]${WORD})+`;
const APOSTROPHE = "['’\\x92]";
/** An apostrophe in a word, where other quotation marks count too. */
const INNER = "['’‘`\\x91\\x92‛]";
/** A part of a hyphenated word: d'ab, ab1 */
const PART = `(?:[dloDLO]${INNER}(?=${PLAIN}${PLAIN}))?${PLAIN}+`;
const HYPHEN = "[-_\\u058a\\u2010\\u2011]";
const ENDING = anyCase("(?:s|m|d|re|ve|ll)");
const NOT = `[nN]${INNER}[tT]`;

const DOMAIN = anyCase("(?:com|net|org|edu)");
const OUTSIDE = ' \\t-\\r"()<>|'; // of addresses
const LAST = `[^${OUTSIDE}.!?{},-]`;
const PATH = `(?:/[^${OUTSIDE}]+${LAST})?`;
const HOST = "[^ \\t-\\r\"$'(),\\-./0-9:;<=>?!@A-Z[\\\\\\]^_`{|}]";
const WWW = `[^${OUTSIDE}.!?{},]`;
const MAIL = `[^ \\t-\\r\\xa0"()<>{}|]`;
const MAIL_NAME = `[^ \\t-\\r\\xa0"()<>{}|.]`;
const TAG_NAME = "[A-Za-z][A-Za-z0-9_:.-]*";
const EYES_OR_MOUTH = "[-'<=>^x~]";
const FILES =
  "(?:bat|bmp|c|cgi|class|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py|sql|tar|txt|wav|x|xml|zip)";

const SOFT_HYPHENS = /\xad/g;
/** Capital sigma is written as at the end of a word if letters stand before it and none behind it, digits aside. */
const lower = (token: string): string =>
  token
    .replace(/[\p{L}\p{M}\p{N}_]+(?:[.'][\p{L}\p{M}\p{N}_]+)*/gu, (word) =>
      word.replace(/Σ/g, (_, at: number) =>
        /[\p{Lu}\p{Ll}]/u.test(word.slice(0, at)) && !/[\p{Lu}\p{Ll}]/u.test(word.slice(at + 1)) ? "ς" : "σ",
      ),
    )
    .toLowerCase();
const written: Writing = (token) => lower(token.replace(SOFT_HYPHENS, ""));
const asItIs: Writing = (token) => lower(token);
const straight: Writing = (token) => written(token.replace(/[’\x92]/g, "'").replace(/[‘‛\x91]/g, "`"));
const bracketed: Writing = (token) =>
  written(token.replace(/[()]/g, (bracket) => (bracket === "(" ? "-lrb-" : "-rrb-")));
const always =
  (text: string): Writing =>
  () =>
    text;

/** Words that are written as one and are two. */
const PAIRS: ReadonlyMap<string, readonly string[]> = new Map(
  ["can not", "gon na", "gim me", "lem me", "got ta", "wan na"].map((pair) => [
    pair.replace(" ", ""),
    pair.split(" "),
  ]),
);

/** Brackets by their names in the Penn Treebank, and what it, being in ASCII, writes in another way. */
const SIGNS: ReadonlyMap<string, string> = new Map(
  "( -lrb- ) -rrb- [ -lsb- ] -rsb- { -lcb- } -rcb- £ # € $ ¤ $ ₠ $ \u0080 $ ¢ cents ¼ 1/4 ½ 1/2 ¾ 3/4 ⅓ 1/3 ⅔ 2/3"
    .split(" ")
    .flatMap((sign, i, all): [string, string][] => (i % 2 === 0 ? [[sign, all[i + 1] ?? ""]] : [])),
);
const QUOTES: ReadonlyMap<string, string> = new Map([
  ...[..."’›\u0092"].map((mark): [string, string] => [mark, "'"]),
  ...[..."‘‛‹\u0091"].map((mark): [string, string] => [mark, "`"]),
  ...[..."“«\u0093"].map((mark): [string, string] => [mark, "``"]),
  ...[...'”»\u0094"'].map((mark): [string, string] => [mark, "''"]),
]);
const ENTITIES: ReadonlyMap<string, string> = new Map(
  Object.entries({ "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": "''", "&apos;": "'", "&nbsp;": "" }),
);

const kind = (token: string, context = "", write: Writing = written, vain?: string): Kind => ({
  pattern: new RegExp(`(${token})${context}`, "y"),
  write,
  vain: vain === undefined ? undefined : new RegExp(vain, "y"),
});

/** The two words of a contraction, and other short forms. [score.caption-contractions] */
const contractions: readonly Kind[] = [
  kind("[A-Za-z\\xad]*[A-MO-Za-mo-z]", NOT), // do|n't
  kind(NOT, "", straight),
  kind(`${anyOf(FINAL_ABBREVIATIONS.map(anyCase))}\\.`, "(?:[^A-Za-zλ]?[^])?"),
  kind(
    `(?:${anyOf(CAPITAL_ABBREVIATIONS.map((word) => word.slice(0, 1) + anyCase(word.slice(1))))}|[Pp]p?t(?:e|es|y|ys)|${anyCase("(?:ph|ed)")}\\.[dD])\\.`,
    "(?:[^A-Za-zλ]?[^])?",
  ),
  kind(WORD, `${APOSTROPHE}${ENDING}`), // he|'s
  kind(JOINED, `${APOSTROPHE}${ENDING}`),
  kind(`'${ENDING}`, "(?![A-Za-z])", straight),
  kind(`[’\\x92]${ENDING}`, "", straight),
  kind(`${APOSTROPHE}[tT]`, anyCase("(?:is|was)"), straight), // 't|is
  kind(`${APOSTROPHE}${anyCase("(?:em|till?|cause)")}`),
  kind(`'[nN]'|'[nN]’|[’\\x92][nN]${APOSTROPHE}?`), // rock 'n' roll
  kind("'[nN]", `(?=${SPACE}|$)`),
  kind(`[yY]${APOSTROPHE}`, `(?=${LETTER})`), // y'|all
  kind(`[oO][lL]${APOSTROPHE}|[djlDJL]${APOSTROPHE}`),
  kind(`[cC]'${anyCase("(?:mon|est)")}|[eE]${INNER}[eE][rR]|[mM][aA]${INNER}[aA][mM]|[oO]${INNER}[oO]`),
  kind("['’][0-9]0[sS]"), // '90s
  kind("['’][0-9]{2}", `(?=${SPACE}|$)`),
];

const words: readonly Kind[] = [
  kind(WORD, "", (token) => PAIRS.get(lower(token)) ?? written(token)),
  kind(`${DIGIT}+${PLAIN}*`),
  kind(`[+-]?(?:${DIGIT}*(?:[.,:\\u2044\\u066b\\u066c\\xad]${DIGIT}+)+|${DIGIT}+)`),
  kind(`(?:${DIGIT}{1,4}[- \\xa0])?${DIGIT}{1,4}\\\\?/${DIGIT}{1,4}`), // 1 1/2
  kind("[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}"),
  kind(
    "(?:\\([0-9]{2,3}\\)[ \\xa0]?|\\+?[0-9]{2,4}[- \\xa0](?:[0-9]{2,4}[- \\xa0])?)[0-9]{3,4}[- \\xa0]?[0-9]{3,5}",
    "",
    bracketed,
  ), // telephone numbers
  kind(`${PART}(?:${HYPHEN}${PART})*`),
  kind(
    "[A-Za-z0-9][A-Za-z0-9.,\\xad]*(?:-(?:(?:[A-Za-z]\\.){2,}|[A-Za-z0-9\\xad]+))+",
    "",
    written,
    "[A-Za-z0-9][A-Za-z0-9.,\\xad]*",
  ), // 5.5-inch, non-U.S., U.S.-based
  kind("[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}(?:\\\\?/[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}){1,2}"), // and/or
  kind(
    `[dlnoA-HJ-XZ]${INNER}${PLAIN_LETTER}{2,}|${PLAIN_LETTER}+[aeiouyAEIOUY]${INNER}[aeiouA-Z]${PLAIN_LETTER}*`,
  ), // O'Brien
  kind(JOINED),
  kind("[A-Za-z](?:\\.[A-Za-z])+\\.?"), // U.S.
  kind("[A-Z]+(?:(?:[&+]|&(?:amp|AMP);)[A-Z]+)+|[sS]&[lL][sS]", "", (token) =>
    written(token.replace(/&amp;/gi, "&")),
  ), // AT&T
  kind("[A-Z]+\\$"), // US$
  kind("[cC]\\+\\+|[CcFf]#"),
];

const abbreviations: readonly Kind[] = [
  kind(`(?:${ABBREVIATIONS.map(anyCase).join("|")}|[Mm][ft]g|[A-Za-z])\\.`),
  kind(
    "[A-Za-z]",
    `\\.${SPACE}+(?:${STARTERS.map((word) => word.slice(0, 1) + anyCase(word.slice(1)).replace(".", "\\.")).join("|")}|</?[A-Za-z][^<>]*>|<[!?][-A-Za-z][^<>]*>)(?:${SPACE}|$)`,
  ),
  kind(`${anyOf(NUMBERED_ABBREVIATIONS.map(anyCase))}\\.`, `(?=${SPACE}?${DIGIT})`),
  kind(`(?:${PART}(?:[-_]${PART})*|${WORD}|${JOINED})\\.`, "(?=[,;:])"),
];

/** Addresses of mail and names of files come before words of the same length. */
const mailAndFiles: readonly Kind[] = [
  kind(
    `(?:<|&lt;)?[A-Za-z0-9]${MAIL}*@${MAIL_NAME}+(?:\\.${MAIL_NAME}+)*(?:>|&gt;)?`,
    "",
    asItIs,
    `[A-Za-z0-9]${MAIL}*`,
  ),
  kind(`(?:(?:${LETTER}|${DIGIT})+\\.)+${anyCase(FILES)}`, `(?=[ ,.!?\\xa0]|$)`, asItIs),
];

const addresses: readonly Kind[] = [
  kind(`@[A-Za-z_][A-Za-z0-9_]*|#(?:${LETTER}|${SHAPES.mark})+`, "", asItIs),
  kind(`${anyCase("https?")}://[^${OUTSIDE}{}]+${LAST}`, "", asItIs),
  kind(`[wW]{3}\\.(?:${WWW}+\\.)+[A-Za-z]{2,4}${PATH}`, "", asItIs, `[wW]{3}\\.${WWW}+(?:\\.${WWW}+)*`),
  kind(`(?:${HOST}+\\.)+${DOMAIN}${PATH}`, "", asItIs, `${HOST}+(?:\\.${HOST}+)*`),
  kind(`<${TAG_NAME}(?: +${TAG_NAME}(?: *= *(?:"[^"]*"|'[^']*'))?)* */?>|</${TAG_NAME} *>`, "", asItIs),
  kind("<[!?][-A-Za-z][^>]*>", "", asItIs, "<[!?][-A-Za-z][^>]*"),
];

const marks: readonly Kind[] = [
  kind("[<>]?[:;=][-o*']?[()DOPdp@[\\]{|\\\\]", "(?![A-Za-z0-9])", bracketed), // :-)
  kind(
    `${EYES_OR_MOUTH}_${EYES_OR_MOUTH}|\\(${EYES_OR_MOUTH}[._]?${EYES_OR_MOUTH}\\)|\\((?!-)${EYES_OR_MOUTH}-(?!-)${EYES_OR_MOUTH}\\)`,
    "",
    bracketed,
  ), // ^_^
  kind("\\.{3,}|[…\\x85]", "", always("...")),
  kind("-{2,4}|[–—―\\x96\\x97]", "", always("--")),
  kind("-{5,}|[!?]{2,}|\\*+|##+|@@+|_+|<<?|>>?|[²³¹⁰⁴⁵⁶⁷⁸⁹]+|[₀₁₂₃₄₅₆₇₈₉]+"),
  kind("''|[`‘’‛‹›“”«»‚„‟\\x91-\\x94]{1,2}|\"", "", (token) =>
    [...token].map((mark) => QUOTES.get(mark) ?? mark).join(""),
  ),
  kind(
    "&(?:[aA][mM][pP]|[lLgG][tT]|quot|apos|nbsp);",
    "",
    (token) => ENTITIES.get(token.toLowerCase()) ?? token,
  ),
  kind("&[mn]dash;", "", always("--")),
  kind(`&QUOT;|&#${DIGIT}+;|\\\\\\*`),
  kind(
    `[${SHAPES.mark}${SHAPES.symbol}!#-/:;<=>?@[-^\`{-~¢£¤¼½¾⅓⅔₠€\\x80⁄]`,
    "",
    (token) => SIGNS.get(token) ?? lower(token),
  ),
  kind("\\xad", "", always("-")),
];

export const KINDS: readonly Kind[] = [
  // [score.caption-kinds]
  ...mailAndFiles,
  ...contractions,
  ...words,
  ...abbreviations,
  ...addresses,
  ...marks,
];
