// The width of a text in columns of a terminal.

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** The columns of a text. East Asian wide characters and emoji take two; combining marks and joiners take none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += /\p{Mn}|\u200d/u.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

/** The longest beginning of a text that fits into `most` columns. */
export function clip(text: string, most: number): string {
  let [clipped, width] = ["", 0];
  for (const char of text) {
    width += widthOf(char);
    if (width > most) break;
    clipped += char;
  }
  return clipped;
}

export type Alignment = keyof typeof BEFORE;

/** The share of the space that stands before a text. */
const BEFORE = { left: 0, center: 0.5, right: 1 };

/** Spaces up to `width` columns, after a text or before it. `painted`: the text in colour, which is as wide. */
export function fill(text: string, width: number, align: Alignment = "left", painted = text): string {
  const space = Math.max(0, width - widthOf(text));
  const before = Math.floor(space * BEFORE[align]);
  return " ".repeat(before) + painted + " ".repeat(space - before);
}

/**
 * Characters that are not shown as they are: controls (C0, DEL, C1), format characters such as bidirectional overrides, lone
 * surrogates, and Unicode's line and paragraph separators. A terminal acts on them or does not show them.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

const escaped = (char: string): string =>
  char === "\n" ? "\\n" : char === "\t" ? "\\t" : `\\u{${char.codePointAt(0)?.toString(16)}}`;

const shown = (text: string, kept: string): string =>
  text.replace(HIDDEN, (char) => (kept.includes(char) ? char : escaped(char)));

/** Text of several lines as it can be printed: hidden characters other than line breaks and tabs are escaped. */
export const printable = (text: string): string => shown(text, "\n\t");

/** The zero-width joiner and non-joiner: letters of Persian, Devanagari and other scripts, and emoji, are written with them. */
const JOINERS = /([\u200c\u200d])/;

/** `printable` for a text in any script: joiners stay, too. */
export const printableText = (text: string): string =>
  text
    .split(JOINERS)
    .map((part) => (JOINERS.test(part) ? part : printable(part)))
    .join("");

/** Text as it can be printed on one line: line breaks and tabs are escaped, too. */
export const printableLine = (text: string): string => shown(text, "");

/** A JSON document as it can be printed: hidden characters in its strings become JSON's own escapes. */
export const printableJson = (json: string): string =>
  json.replace(HIDDEN, (char) =>
    char === "\n"
      ? char // between members; inside strings JSON escapes it
      : [...Array(char.length).keys()]
          .map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, "0")}`)
          .join(""),
  );

/** A token as it can be printed: on one line, without hidden characters, at most `most` columns wide. */
export function label(token: string, most = 16): string {
  const plain = printableLine(token);
  return widthOf(plain) <= most ? plain : `${clip(plain, most - 2)}..`;
}
