// The text of one row, given out while its tokens are chosen. Text that may be the beginning of a stop string is held back.

/** The part of a tokenizer's stream that is used here: the text that is complete with a token, and the rest. */
export interface TextDecoder {
  push(id: number): string;
  end(): string;
}

/** The length of the longest end of `text` with which one of the strings begins. */
function heldLength(text: string, strings: readonly string[]): number {
  const most = strings.reduce((longest, { length }) => Math.max(longest, length), 1) - 1;
  for (let length = Math.min(most, text.length); length > 0; length--) {
    const end = text.slice(text.length - length);
    if (strings.some((string) => string.startsWith(end))) return length;
  }
  return 0;
}

/** The first place at which one of the strings begins, and that string; of several there, the one listed first. */
function firstOf(text: string, strings: readonly string[]): { at: number; string: string } | null {
  let first: { at: number; string: string } | null = null;
  for (const string of strings) {
    const at = text.indexOf(string);
    if (at >= 0 && (first === null || at < first.at)) first = { at, string };
  }
  return first;
}

export class RowText {
  readonly #decoder: TextDecoder;
  readonly #stopStrings: readonly string[];
  #held = "";
  #stopString: string | null = null;

  constructor(decoder: TextDecoder, stopStrings: readonly string[]) {
    this.#decoder = decoder;
    this.#stopStrings = stopStrings;
  }

  /** The stop string that has occurred, or null. */
  get stopString(): string | null {
    return this.#stopString;
  }

  /** The text that is complete with this token: it ends before a stop string. [write.stop-strings] */
  push(id: number): string {
    return this.#give(this.#decoder.push(id), false);
  }

  /** The rest of the text. */
  end(): string {
    return this.#give(this.#decoder.end(), true);
  }

  #give(more: string, isLast: boolean): string {
    if (this.#stopString !== null) return "";
    const text = this.#held + more;
    const stop = firstOf(text, this.#stopStrings);
    this.#stopString = stop?.string ?? null;
    const length = stop?.at ?? text.length - (isLast ? 0 : heldLength(text, this.#stopStrings));
    this.#held = text.slice(length);
    return text.slice(0, length);
  }
}
