// Characters as the tokenizer of captions sees them (Stanford CoreNLP 3.4.1, PTBTokenizer): what it makes of each character of the Basic Multilingual
// Plane, between letters, digits and spaces, was recorded from the program. It knows the letters of Unicode 6.

/** A class of characters from ranges of code points in hexadecimal digits. */
const classOf = (ranges: string): string =>
  `[${ranges
    .trim()
    .split(/\s+/)
    .map((range) => range.replace(/[\da-f]+/g, (code) => `\\u${code.padStart(4, "0")}`))
    .join("")}]`;

/** Letters and digits of today that Unicode 6 did not have. */
const NEWER = new RegExp(
  classOf(`37f 528-52f 560 588 5ef 860-86a 870-887 889-88f 8a1 8ad-8c9 978 980 9fc af9 c34 c5a c5c-c5d c80 cdc-cdd d04 d54-d56 d5f de6-def e86 e89 e8c
    e8e-e93 e98 ea0 ea8-ea9 eac 13f5 13f8-13fd 16f1-16f8 170d 171f 1878 191d-191e 19b0-19c0 19c8-19c9 1b4c 1c80-1c8a 1c90-1cba 1cbd-1cbf 1cf2-1cf3
    1cfa 2c2f 2c5f 312e-312f 31bb-31bf 4db6-4dbf 9fcd-9fff a698-a69d a78f a794-a79f a7ab-a7dc a7f1-a7f7 a8fd-a8fe a9e0-a9e4 a9e6-a9fe aa7e-aa7f
    ab30-ab5a ab5c-ab69 ab70-abbf`),
);
const LETTER = /[\p{L}\u1885\u1886]/u;
const DIGIT = /\p{Nd}/u;
/** Combining marks and signs that are parts of words. Those of other scripts, such as Tibetan, are no tokens. */
const MARK = new RegExp(
  classOf(`2c2-2c5 2d2-2df 2e5-2eb 2ed 2ef-36f 375 378-379 384-385 3f6 483-487 55a-55f 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 615-61a 64b-65e 670 6d6-6e4
    6e7-6ed 6fd-6fe 70f 711 730-74c 7a6-7b0 7eb-7f3 900-903 93c 93e-94e 951-955 962-963 981-983 9bc 9be-9c4 9c7-9c8 9cb-9cd 9d7 9e2-9e3 a01-a03 a3c
    a3e-a4f a81-a83 abc abe-acf b82 bbe-bc2 bc6-bc8 bca-bcd c01-c03 c3e-c56 d3e-d44 d46-d48 e31 e34-e3a e47-e4e eb1 eb4-ebc ec8-ecd`),
);
/** Signs that are tokens by themselves. */
const SYMBOL = new RegExp(
  classOf(`a1 a5-a9 ac ae-b1 b4 b6-b8 bf d7 f7 37e 387 589 5be 5c0 5c3 5c6 5f3-5f4 600-603 606-60c 614 61b 61e-61f 66a 66d 6d4 700-70d 7f6-7f8 964-965
    e3f e4f 1fbd 2016-2017 2020-2023 2030-2038 203b 203e-2042 207a-207e 208a-208e 20a4 2100-2101 2103-2106 2108-2109 2114 2116-2118 211e-2123 2125 2127
    2129 212e 213a-213b 2140-2144 214a-214d 214f 2155-215e 2190-2bff 3001-3002 3012 30fb ff01-ff0f ff1a-ff20 ff3b-ff40 ff5b-ff65 ffe0-ffe1 ffe5-ffe6`),
);
/** Spaces, hyphens, quotation marks, currencies and numbers that patterns of tokens name themselves. */
const NAMED =
  /[\u0080\u0085\u0091-\u0094\u0096\u0097\xa0¢-¤\xab\xad²³¹\xbb-\xbe\u058a\u066b\u066c\u2000-\u200a\u2010\u2011\u2013-\u2015\u2018-\u201f\u2026\u2039\u203a\u2044⁰⁴-⁹₀-₉\u20a0€\u2153\u2154\u2028\u2029\u3000]/;

/** A letter, a digit, a mark and a symbol beyond ASCII, and what is no token. */
export const SHAPES = { letter: "λ", digit: "٠", mark: "\u0301", symbol: "§", none: "\u0001" } as const;

function shapeOf(character: string): string {
  if (NAMED.test(character)) return character;
  if (MARK.test(character)) return SHAPES.mark; // before letters: Unicode has since made letters of some
  if (SYMBOL.test(character)) return SHAPES.symbol;
  if (NEWER.test(character)) return SHAPES.none;
  if (LETTER.test(character)) return SHAPES.letter;
  return DIGIT.test(character) ? SHAPES.digit : SHAPES.none; // [score.caption-signs]
}

/**
 * The text with one character for each kind of character beyond ASCII, so that patterns can be written in ASCII; as long as the text. Characters
 * above U+FFFF are two that are no tokens.
 */
export const shapesOf = (text: string): string => text.replace(/[\x80-\uffff]/g, shapeOf);
