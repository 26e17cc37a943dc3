// Text as Python's str methods and `re` see it. The published scorers are Python programs, and scores depend on these sets of characters.

/** What str.strip removes and str.split splits at: the white space of Unicode, and the separators U+001C to U+001F. */
const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+";
const SPACES = new RegExp(SPACE);
const ENDS = new RegExp(`^${SPACE}|${SPACE}$`, "g");

/** A text without the white space at its ends: str.strip(). */
export const stripped = (text: string): string => text.replace(ENDS, "");

/** The words of a text: str.split(). */
export const wordsOf = (text: string): string[] => text.split(SPACES).filter((word) => word !== "");
