// The vocabulary and the captions of the digits: six sentences that name a digit, one token for each word.
import { batchOf } from "../../generation/prompts.ts";
import type { Generator } from "../../tensor/random.ts";
import type { Int } from "../../tensor/tensor.ts";
import { type Picture, pick } from "./data.ts";

export const NUMBERS = [
  "zero",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
] as const;
/** A number replaces each `#`; "a #" becomes "an eight" for 8. */
const SENTENCES = ["this is a #", "here is a #", "i see a #", "it looks like a #", "the digit is #", "a #"];

export const PAD = 0;
export const STOP = 1;
/** The image token has the id that flamingo-pytorch uses by default. */
export const IMAGE = 3;
export const VOCABULARY: readonly string[] = [
  "<pad>",
  ".",
  "an",
  "<image>",
  ...new Set(SENTENCES.flatMap((sentence) => sentence.replace("#", "").trim().split(" "))),
  ...NUMBERS,
];
const ids = new Map(VOCABULARY.map((word, id) => [word, id]));

export const encode = (text: string): number[] => text.split(" ").map((word) => ids.get(word) ?? PAD);
export const decode = (tokens: Iterable<number>): string =>
  [...tokens].map((id) => VOCABULARY[id] ?? "?").join(" ");

/** Token ids of a random caption, such as "it looks like an eight ." */
export function caption(digit: number, random: Generator): number[] {
  const number = NUMBERS[digit] ?? "?";
  const sentence = pick(SENTENCES, random).replace(/a #|#/, (slot) =>
    slot === "#" ? number : `${number === "eight" ? "an" : "a"} ${number}`,
  ); // [digits.captions]
  return encode(`${sentence} .`);
}

/** The digit that a caption names, or null where it names none or several. */
export function digitNamed(tokens: Iterable<number>): number | null {
  const first = VOCABULARY.indexOf(NUMBERS[0]); // the vocabulary ends with the numbers in order
  const digits = [...tokens].filter((id) => id >= first).map((id) => id - first);
  return digits.length === 1 ? (digits[0] ?? null) : null;
}

/** <image> caption <image> caption … for the pictures of each row. */
export const interleaved = (rows: readonly (readonly Picture[])[], random: Generator): Int<"b l"> =>
  batchOf(
    rows.map((row) => row.flatMap(({ digit }) => [IMAGE, ...caption(digit, random)])),
    PAD,
  );

/** Rows of `length` captions of random digits, without pictures. */
export function sentences(rows: number, length: number, random: Generator): Int<"b l"> {
  const digit = () => Math.floor(random.uniform() * NUMBERS.length);
  const row = () => Array.from({ length }, () => caption(digit(), random)).flat();
  return batchOf(Array.from({ length: rows }, row), PAD);
}
