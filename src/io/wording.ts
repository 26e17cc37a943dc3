// Text from files in errors: shortened, and without control sequences.

import { indexAt, type Shape } from "../tensor/tensor.ts";
import { printableJson } from "../terminal/width.ts";

/** A text from a file, in quotes, escaped and cut to 100 characters. */
export function quoted(text: string): string {
  const short = text.length > 100 ? `${text.slice(0, 100)}…` : text;
  return printableJson(JSON.stringify(short)); // [io.wording]
}

/** "[2 3 4]"; more than 8 numbers are cut. */
export const listed = (numbers: readonly number[]): string =>
  `[${numbers.slice(0, 8).join(" ")}${numbers.length > 8 ? " …" : ""}]`;

/** "[i j]": the index of the value at a row-major position. */
export const indexOf = (position: number, shape: Shape): string => `[${indexAt(position, shape).join(" ")}]`;

/** The text of these bytes, or null if they are not UTF-8. */
export function utf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
