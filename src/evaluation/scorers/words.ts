// Text as Python's str methods and `re` see it. The published scorers are Python programs, and scores depend on these sets of characters.
import { PYTHON_SPACE } from "../../io/tokenizers/text/characters.ts";

const SPACES = new RegExp(`${PYTHON_SPACE}+`);

/** The words of a text: str.split(). */
export const wordsOf = (text: string): string[] => text.split(SPACES).filter((word) => word !== "");
