// Classes of characters as Rust has them. JavaScript's \s has U+FEFF and lacks U+0085, \d and \w are ASCII only.

export const SPACE = "\\p{White_Space}";
/** \w of Rust's regex crate. */
export const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
/** ASCII punctuation, which has symbols such as $ and +, and Unicode's. */
export const PUNCTUATION = "\\p{P}!-/:-@\\[-`{-~";

/** Half of a surrogate pair without the other half, which is no character: U+FFFD takes its place. [tokenizer.surrogates] */
export const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

/** The text as a pattern that matches it. */
export const escapePattern = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
