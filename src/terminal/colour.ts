// ANSI colours, chosen by meaning. The code that opens a stream decides whether to use them.
import { printable } from "./width.ts";

/** The meaning of a piece of text. A number is the colour of that image, counted from 1. Colour only repeats what the text says. */
export type Style = "good" | "bad" | "faint" | "strong" | number;

/** Applies a style, or returns the text as it is. */
export type Paint = (text: string, style?: Style) => string;

const CODES = { good: "32", bad: "1;31", faint: "2", strong: "1" };
const IMAGE_CODES = [36, 35, 32, 33, 34]; // red is reserved for "bad"

/** Whether a stream shows colour: on a terminal, unless NO_COLOR is set (https://no-color.org) or TERM is "dumb". */
export const showsColour = (
  { isTTY }: { readonly isTTY?: boolean },
  { NO_COLOR, TERM }: { readonly NO_COLOR?: string | undefined; readonly TERM?: string | undefined },
): boolean => isTTY === true && !NO_COLOR && TERM !== "dumb";

/** Colours the words of a text and leaves the spaces around them plain. Hidden characters of the text are escaped. */
export function painter(colour = false): Paint {
  if (!colour) return printable;
  return (text, style) => {
    const plain = printable(text);
    if (style === undefined) return plain;
    const code = typeof style === "number" ? IMAGE_CODES[(style - 1) % IMAGE_CODES.length] : CODES[style];
    return plain.replace(/\S(?:.*\S)?/, (words) => `\x1b[${code}m${words}\x1b[0m`); // [mask.drawing]
  };
}

/** Text as a stream may get it: without control characters, except for a painter's sequences where the stream shows colour. */
export function printableWithColour(text: string, colour: boolean): string {
  if (!colour) return printable(text);
  const codes = [0, ...Object.values(CODES), ...IMAGE_CODES].join("|");
  return text
    .split(new RegExp(`(\x1b\\[(?:${codes})m)`))
    .map((part, i) => (i % 2 === 1 ? part : printable(part)))
    .join("");
}
