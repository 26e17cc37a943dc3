// Documents of text and pictures of digits, with pictures before, between and behind the text.
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Generator } from "../../tensor/random.ts";
import { NUMBERS } from "../digits/captions.ts";
import { type Picture, pick } from "../digits/data.ts";

/** Text, or a picture at its place. */
export type Segment = string | Picture;
export type Document = readonly Segment[];

const CAPTIONS = ["An image of a #.", "A handwritten #.", "This is a #."] as const;
const ORDINALS = ["first", "second", "third", "fourth", "fifth"] as const;
/** Pictures of a document for training, at most. */
export const MOST_PICTURES = 3;

const numberOf = ({ digit }: Picture): string => NUMBERS[digit] ?? "?";
/** A sentence with the number of a picture in place of "#". */
const sentence = (text: string, picture: Picture): string =>
  text.replace("a #", numberOf(picture) === "eight" ? "an #" : "a #").replace("#", numberOf(picture)); // [kosmosDigits.documents]

/** The question about one of several pictures, counted from 0. */
const questionAbout = (place: number): string =>
  `Question: Which digit does the ${ORDINALS[place]} picture show?`;
export const QUESTION_ABOUT_ONE = "Question: Which digit is this?";
const ANSWER = "Answer:";

export type DocumentKind =
  | "captions"
  | "question behind"
  | "question before"
  | "introduction"
  | "picture last";

/** The share of each kind of document among those for training. */
const SHARES: readonly (readonly [DocumentKind, number])[] = [
  ["captions", 0.35],
  ["question behind", 0.3],
  ["question before", 0.2],
  ["introduction", 0.1],
  ["picture last", 0.05],
];

/** The share of questions that are about one of several pictures at any rate. */
const ASKS_ABOUT_SEVERAL = 0.8;

/** The kind of document at `x`, from 0 to 1. */
function kindAt(x: number): DocumentKind {
  let sum = 0;
  for (const [kind, share] of SHARES) {
    sum += share;
    if (x < sum) return kind;
  }
  return "captions";
}

/** A question with its answer. */
const answered = (question: Document, asked: Picture): Document => [
  ...question.slice(0, -1),
  `${question.at(-1)} ${numberOf(asked)}.`,
];

/** A document of one kind about pictures. `random` chooses among captions and questions. */
export function documentOf(kind: DocumentKind, pictures: readonly Picture[], random: Generator): Document {
  const [first] = pictures;
  if (!first) return [];
  const place = Math.floor(random.uniform() * pictures.length);
  const asked = pictures[place] ?? first;
  const caption = (picture: Picture): string => sentence(pick(CAPTIONS, random), picture);
  switch (kind) {
    case "captions":
      return pictures.flatMap((picture) => [picture, caption(picture)]);
    case "question behind":
      return answered(questionBehind(pictures, place), asked);
    case "question before":
      return answered(questionBefore(pictures, place), asked);
    case "introduction":
      return ["Here is a picture:", first, caption(first)];
    case "picture last":
      return [sentence(`${TEXT_BEFORE} a #:`, first), first];
  }
}

/** A document for training. */
export function randomDocument(pictures: readonly Picture[], random: Generator): Document {
  const kind = kindAt(random.uniform());
  const least = kind.startsWith("question") && random.uniform() < ASKS_ABOUT_SEVERAL ? 2 : 1;
  const count = least + Math.floor(random.uniform() * (MOST_PICTURES + 1 - least));
  const shown = Array.from({ length: count }, () => pick(pictures, random));
  return documentOf(kind, shown, random);
}

/** What a caption begins with in the evaluation of KOSMOS-1. */
export const CAPTION_PROMPT = "An image of";
/** Text before its picture: what follows stands before the picture too. */
export const TEXT_BEFORE = "Next is";

/** A question behind the pictures, up to its answer. `place` is that of the picture that it is about. */
export const questionBehind = (pictures: readonly Picture[], place: number): Document => [
  ...pictures,
  `${pictures.length === 1 ? QUESTION_ABOUT_ONE : questionAbout(place)} ${ANSWER}`,
];

/** A question before the pictures; its answer stands behind them. */
export const questionBefore = (pictures: readonly Picture[], place: number): Document => [
  questionAbout(place),
  ...pictures,
  ANSWER,
];

/** A document as token ids, with null in the place of each picture, and its pictures in order. */
export interface EncodedDocument {
  readonly ids: readonly (number | null)[];
  readonly pictures: readonly Picture[];
}

export function encoded(tokenizer: Tokenizer, document: Document): EncodedDocument {
  return {
    ids: document.flatMap((segment) =>
      typeof segment === "string" ? tokenizer.encode(segment, { special: false }) : [null],
    ),
    pictures: document.filter((segment) => typeof segment !== "string"),
  };
}
