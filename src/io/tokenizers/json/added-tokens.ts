// Added tokens, which are cut out of a text before it is normalized, or after
// (huggingface/tokenizers, tokenizers/src/tokenizer/added_vocabulary.rs).

import { SPACE, WORD } from "../text/characters.ts";
import { PrefixIndex } from "../text/prefix-index.ts";
import type { Normalize } from "./normalizers.ts";

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it is left alone inside a word. */
  readonly singleWord: boolean;
  /** Whether it takes the white space before it, and after it. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Whether it is looked for in the normalized text. */
  readonly normalized: boolean;
  /** Whether decoding can leave it out. */
  readonly special: boolean;
}

/** A stretch of text, or an added token. */
export type Section =
  | { readonly text: string; readonly isFirst: boolean; readonly id: null }
  | { readonly text: null; readonly id: number };

const IS_SPACE = new RegExp(SPACE, "u");
const [WORD_AT_END, WORD_AT_START] = [new RegExp(`[${WORD}]$`, "u"), new RegExp(`^[${WORD}]`, "u")];

/** Whether no letter, digit or mark touches the stretch. */
const isWord = (text: string, start: number, stop: number): boolean =>
  !WORD_AT_END.test(text.slice(Math.max(0, start - 2), start)) &&
  !WORD_AT_START.test(text.slice(stop, stop + 2));

/** Where the white space before `end` begins, not before `least`. */
function spacesFrom(text: string, least: number, end: number): number {
  let at = end;
  while (at > least && IS_SPACE.test(text[at - 1] ?? "")) at--; // every space is one code unit
  return at;
}

/** Where the white space after `start` ends. */
function spacesTo(text: string, start: number): number {
  let at = start;
  while (at < text.length && IS_SPACE.test(text[at] ?? "")) at++;
  return at;
}

export class AddedTokens {
  readonly #tokens: readonly AddedToken[];
  readonly #raw: PrefixIndex;
  readonly #normalized: PrefixIndex;
  readonly #normalize: Normalize;

  constructor(tokens: readonly AddedToken[], normalize: Normalize) {
    const special = tokens.filter((token) => token.special);
    this.#tokens = [...special, ...tokens.filter((token) => !token.special)]; // of two with one text, the special one counts
    this.#normalize = normalize;
    const entries = this.#tokens.map((token, i) => [token, i] as const);
    this.#raw = new PrefixIndex(entries.filter(([t]) => !t.normalized).map(([t, i]) => [t.content, i]));
    this.#normalized = new PrefixIndex(
      entries.filter(([t]) => t.normalized).map(([t, i]) => [normalize(t.content), i]),
    );
  }

  /** The added tokens of a text, and the normalized text between them. [tokenizer.added] */
  split(text: string): Section[] {
    return this.#cut(text, true, this.#raw).flatMap((section) =>
      section.text === null
        ? [section]
        : this.#cut(this.#normalize(section.text), this.#keepsStart(section), this.#normalized),
    );
  }

  /** Whether the normalized text begins where the text does: its first character is not removed. */
  #keepsStart({ text, isFirst }: { readonly text: string; readonly isFirst: boolean }): boolean {
    return isFirst && this.#normalize(String.fromCodePoint(text.codePointAt(0) ?? 0)) !== "";
  }

  /** At each position the longest token counts. */
  #cut(text: string, isFirst: boolean, index: PrefixIndex): Section[] {
    const sections: Section[] = [];
    let done = 0;
    const addText = (end: number): void => {
      if (end > done)
        sections.push({ text: text.slice(done, end), isFirst: isFirst && done === 0, id: null });
    };
    for (let i = 0; i < text.length; ) {
      const match = index.longest(text, i);
      const token = match === null ? undefined : this.#tokens[match.value];
      if (match === null || token === undefined) {
        i++;
        continue;
      }
      const stop = i + match.length;
      if (!token.singleWord || isWord(text, i, stop)) {
        addText(token.lstrip ? spacesFrom(text, done, i) : i);
        sections.push({ text: null, id: token.id });
        done = token.rstrip ? spacesTo(text, stop) : stop;
      }
      i = stop;
    }
    addText(text.length);
    return sections;
  }
}
