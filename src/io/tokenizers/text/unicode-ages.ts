// Characters that are younger than the Unicode of the libraries that are reproduced. Newer engines of JavaScript know them, and would
// classify and normalize them; here they count as characters that do not exist yet.

/** Letters, marks and digits of Unicode 17. Oniguruma and Rust, as tokenizers 0.22.2 has them, know Unicode 16. */
const CLASSIFIED =
  "88f c5c cdc 1acf-1add 1ae0-1aeb a7ce-a7cf a7d2 a7d4 a7f1 10940-10959 10ec5-10ec7 10efa-10efb 11b60-11b67 11db0-11ddb " +
  "11de0-11de9 16ea0-16eb8 16ebb-16ed3 16ff2-16ff6 187f8-187ff 18d09-18d1e 18d80-18df2 1e6c0-1e6de 1e6e0-1e6f5 1e6fe-1e6ff " +
  "2b73a-2b73f 2cea2-2cead";

/**
 * Characters with a decomposition or a combining class, and the first characters of compositions, that the crate
 * unicode-normalization-alignments of tokenizers 0.22.2 does not know.
 */
const NORMALIZED =
  "7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1add 1ae0-1aeb 1df6-1dfa 32ff a7f1-a7f4 a82c ab69 105c9 105e4 " +
  "10781-10785 10787-107b0 107b2-107ba 10d24-10d27 10d69-10d6d 10eab-10eac 10efa-10efb 10efd-10eff 10f46-10f50 10f82-10f85 " +
  "11070 1133b 11383 11385 1138e 11391 113c5 113c7-113c8 113ce-113d0 1145e 11839-1183a 11938 1193d-1193e 11943 119e0 11a34 " +
  "11a47 11a99 11d42 11d44-11d45 11d97 11f41-11f42 16121-16128 1612f 16d68-16d6a 16ff0-16ff1 1ccd6-1ccf9 1e030-1e06d 1e08f " +
  "1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3 1e6e6 1e6ee-1e6ef 1e6f5 1f16c 1fbf0-1fbf9 105d2 105da 11382 " +
  "11384 1138b 11390 113c2 11935 1611e 16129 16d63 16d67";

/** A pattern that matches the characters of a list of ranges, and U+0378 and U+10FFFF, which stand for them. */
const patternOf = (ranges: string): RegExp =>
  new RegExp(`[\\u0378\\u{10ffff}${ranges.replace(/[0-9a-f]+/g, "\\u{$&}").replaceAll(" ", "")}]`, "gu");

const [UNKNOWN_CLASS, UNKNOWN_FORM] = [patternOf(CLASSIFIED), patternOf(NORMALIZED)];

/** A character that was never assigned, of the same length in UTF-16. */
const unassigned = (character: string): string => (character.length === 1 ? "\u0378" : "\u{10ffff}");

/** The text, of the same length, as classes of characters are looked for in it. [tokenizer.unicode] */
export const classifiable = (text: string): string => text.replace(UNKNOWN_CLASS, unassigned);

/** A normalization form of the text, with the younger characters as they are. [tokenizer.unicode] */
export function normalForm(text: string, form: "NFC" | "NFD" | "NFKC" | "NFKD"): string {
  const young = text.match(UNKNOWN_FORM);
  if (young === null) return text.normalize(form);
  // Unassigned characters neither change nor move, so the younger ones go back in order.
  const normal = text.replace(UNKNOWN_FORM, unassigned).normalize(form);
  let i = 0;
  return normal.replace(/[\u0378\u{10ffff}]/gu, () => young[i++] ?? "");
}
