// Classes of characters as Rust and Python have them. JavaScript's \s has U+FEFF and lacks U+0085, \d and \w are ASCII only.

export const SPACE = "\\p{White_Space}";
/** \w of Rust's regex crate. */
export const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
/** ASCII punctuation, which has symbols such as $ and +, and Unicode's. */
export const PUNCTUATION = "\\p{P}!-/:-@\\[-`{-~";

/** Half of a surrogate pair without the other half, which is no character: U+FFFD takes its place. [tokenizer.surrogates] */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

/** The text as a pattern that matches it. */
export const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");

/** What str.strip of Python removes and str.split splits at: the white space of Unicode, and the separators U+001C to U+001F. */
export const PYTHON_SPACE =
  "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const ONE_SPACE = new RegExp(PYTHON_SPACE);

/** A text without the white space at its end: str.rstrip(). */
export function strippedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ONE_SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** A text without the white space at its ends: str.strip(). */
export function stripped(text: string): string {
  let start = 0;
  while (start < text.length && ONE_SPACE.test(text.charAt(start))) start++;
  return strippedEnd(text.slice(start));
}
