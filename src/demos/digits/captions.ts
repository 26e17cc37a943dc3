// The little language of the digits: a dozen ways to say which digit it is, one word a token.
import { batchOf } from "../../generation/generate.ts";
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
/** Where a number stands # ; an eight is the one that takes "an". */
const SENTENCES = ["this is a #", "here is a #", "i see a #", "it looks like a #", "the digit is #", "a #"];

export const PAD = 0;
export const STOP = 1;
export const IMAGE = 3;
/** Token 3 stands for an image, as in flamingo-pytorch; the others are as they come. */
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

/** "it looks like an eight ." */
export function caption(digit: number, random: Generator): number[] {
  const number = NUMBERS[digit] ?? "?";
  const sentence = pick(SENTENCES, random).replace(/a #|#/, (slot) =>
    slot === "#" ? number : `${number === "eight" ? "an" : "a"} ${number}`,
  ); // [digits.captions]
  return encode(`${sentence} .`);
}

/** The digit that a caption names; null where it names none, or several. */
export function named(tokens: Iterable<number>): number | null {
  const numbers = [...tokens].map((id) => NUMBERS.indexOf(VOCABULARY[id] as (typeof NUMBERS)[number]));
  const found = numbers.filter((number) => number >= 0);
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** <image> caption <image> caption … of each row's pictures. */
export const interleaved = (rows: readonly (readonly Picture[])[], random: Generator): Int<"b l"> =>
  batchOf(
    rows.map((row) => row.flatMap(({ digit }) => [IMAGE, ...caption(digit, random)])),
    PAD,
  );

/** Captions alone, of digits that nobody drew. */
export function sentences(rows: number, each: number, random: Generator): Int<"b l"> {
  const digit = () => Math.floor(random.uniform() * NUMBERS.length);
  const row = () => Array.from({ length: each }, () => caption(digit(), random)).flat();
  return batchOf(Array.from({ length: rows }, row), PAD);
}
