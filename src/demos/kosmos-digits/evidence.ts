// Evidence on held-out pictures: captions, answers to questions about one of several pictures, and which pictures change what a token predicts.
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Backend } from "../../kernels/backend.ts";
import { run } from "../../kernels/replay.ts";
import { RuleError } from "../../tensor/errors.ts";
import { BLANK, type Picture } from "../digits/data.ts";
import type { Embeddings } from "../digits/embeddings.ts";
import { accuracy, mean, rotated, sequencesFrom } from "../digits/evidence.ts";
import {
  CAPTION_PROMPT,
  type Document,
  type EncodedDocument,
  encoded,
  MOST_PICTURES,
  questionBefore,
  questionBehind,
  TEXT_BEFORE,
} from "./documents.ts";
import type { Reader } from "./reader.ts";
import { digitNamed } from "./vocabulary.ts";

type Sequences = readonly (readonly Picture[])[];

/** A trained model with what it is measured on. */
export interface Measuring {
  readonly reader: Reader;
  readonly tokenizer: Tokenizer;
  /** What the image tower made of every picture, blank ones included. */
  readonly features: Embeddings;
  readonly backend: Backend;
}

/** Prompts that are answered together. */
const BATCH = 64;

/** The answers to prompts, which may have different lengths: those of one length are answered together. */
async function answersTo(
  { reader, features, backend }: Measuring,
  prompts: readonly EncodedDocument[],
): Promise<number[][]> {
  const groups = new Map<number, number[]>();
  for (const [i, { ids }] of prompts.entries())
    groups.set(ids.length, [...(groups.get(ids.length) ?? []), i]);
  const answers: number[][] = [];
  for (const group of groups.values())
    for (let from = 0; from < group.length; from += BATCH) {
      const some = group.slice(from, from + BATCH);
      const found = await reader.answers(
        some.flatMap((i) => prompts[i] ?? []),
        features,
        backend,
      );
      for (const [at, i] of some.entries()) answers[i] = found[at] ?? [];
    }
  return answers;
}

export interface CaptionRow {
  /** Pictures in each sequence. */
  readonly pictures: number;
  readonly condition: "as-trained" | "swapped" | "blanked";
  readonly sequences: number;
  /** The share of correct captions, in all and for each place; null where the model refuses so many pictures. */
  readonly result: { readonly all: number; readonly places: readonly number[] } | null;
}

/** Captions of sequences of pictures, each behind its picture and the captions before it: the digits that they name, [sequence][place]. */
export async function captionDigits(measuring: Measuring, shown: Sequences): Promise<(number | null)[][]> {
  const prompt = measuring.tokenizer.encode(CAPTION_PROMPT, { special: false });
  const named: (number | null)[][] = shown.map(() => []);
  let documents = shown.map((): EncodedDocument => ({ ids: [], pictures: [] }));
  for (const place of (shown[0] ?? []).keys()) {
    documents = documents.map(({ ids, pictures }, i) => ({
      ids: [...ids, null, ...prompt],
      pictures: [...pictures, shown[i]?.[place] ?? BLANK],
    }));
    const answers = await answersTo(measuring, documents);
    documents = documents.map(({ ids, pictures }, i) => ({ ids: [...ids, ...(answers[i] ?? [])], pictures }));
    for (const [i, answer] of answers.entries()) named[i]?.push(digitNamed(answer));
  }
  return named;
}

async function captionRow(
  measuring: Measuring,
  condition: CaptionRow["condition"],
  shown: Sequences,
  expected = shown,
): Promise<CaptionRow> {
  const row = { pictures: shown[0]?.length ?? 0, condition, sequences: shown.length };
  try {
    return { ...row, result: accuracy(await captionDigits(measuring, shown), expected) };
  } catch (error) {
    if (error instanceof RuleError && row.pictures > MOST_PICTURES) return { ...row, result: null }; // [kosmosDigits.more]
    throw error;
  }
}

const distinct = (sequences: Sequences): Sequences =>
  sequences.filter((row) => new Set(row.map(({ digit }) => digit)).size === row.length);

/** Numbers of pictures that no document for training has. */
const MORE = [MOST_PICTURES + 1, MOST_PICTURES + 2] as const;

async function captionRows(measuring: Measuring, pictures: readonly Picture[]): Promise<CaptionRow[]> {
  const rows: CaptionRow[] = [];
  for (let count = 1; count <= MOST_PICTURES; count++) {
    const sequences = sequencesFrom(pictures, count);
    const blanks = sequences.map((row) => row.map(() => BLANK));
    rows.push(await captionRow(measuring, "as-trained", sequences));
    if (count > 1) rows.push(await captionRow(measuring, "swapped", distinct(sequences).map(rotated))); // [kosmosDigits.swapped]
    rows.push(await captionRow(measuring, "blanked", blanks, sequences)); // [kosmosDigits.blanked]
  }
  for (const count of MORE)
    rows.push(await captionRow(measuring, "as-trained", sequencesFrom(pictures, count))); // [kosmosDigits.more]
  return rows;
}

export interface QuestionRow {
  /** Where the question stands. */
  readonly question: "behind" | "before";
  readonly condition: "as-trained" | "blanked";
  readonly pictures: number;
  /** The picture that the question is about, counted from 0. */
  readonly place: number;
  readonly sequences: number;
  /** The shares of answers that name the digit of that picture, and of the last one. */
  readonly correct: number;
  readonly last: number;
}

const QUESTIONS = { behind: questionBehind, before: questionBefore } as const;

async function questionRow(
  measuring: Measuring,
  row: Pick<QuestionRow, "question" | "condition" | "place">,
  sequences: Sequences,
): Promise<QuestionRow> {
  const { question, condition, place } = row;
  const documents = sequences.map((pictures) =>
    encoded(
      measuring.tokenizer,
      QUESTIONS[question](condition === "blanked" ? pictures.map(() => BLANK) : pictures, place),
    ),
  );
  const named = (await answersTo(measuring, documents)).map(digitNamed);
  const share = (at: number): number =>
    mean(named.map((digit, i) => Number(digit === sequences[i]?.at(at)?.digit)));
  const pictures = sequences[0]?.length ?? 0;
  return { ...row, pictures, sequences: sequences.length, correct: share(place), last: share(-1) };
}

/** Answers about every picture of sequences of different digits. [kosmosDigits.questions] */
async function questionRows(measuring: Measuring, pictures: readonly Picture[]): Promise<QuestionRow[]> {
  const rows: QuestionRow[] = [];
  for (const question of ["behind", "before"] as const)
    for (let count = 1; count <= MOST_PICTURES; count++) {
      const sequences = distinct(sequencesFrom(pictures, count));
      for (let place = 0; place < count; place++)
        rows.push(await questionRow(measuring, { question, condition: "as-trained", place }, sequences));
    }
  const pairs = distinct(sequencesFrom(pictures, 2));
  for (const place of [0, 1])
    rows.push(await questionRow(measuring, { question: "behind", condition: "blanked", place }, pairs));
  return rows;
}

/** What a change of each picture changes at each position: the largest change of a logit. */
export interface Reach {
  /** The tokens of the sequence that self-attention reads; a number is a position of that picture. */
  readonly positions: readonly (string | number)[];
  /** [position][picture] */
  readonly changes: readonly (readonly number[])[];
}

/** A document with text before, between and behind its pictures, and a picture at its end. */
const reachDocument = ([a, b, c]: readonly Picture[]): Document =>
  a && b && c ? ["Here is a picture:", a, CAPTION_PROMPT, b, questionBehind([a, b], 0).at(-1) ?? "", c] : [];

/** Replaces one picture after another, and compares the logits at every position. [kosmosDigits.reach] */
export async function reachOf(measuring: Measuring, pictures: readonly Picture[]): Promise<Reach> {
  const { reader, tokenizer, features, backend } = measuring;
  const shown = pictures.slice(0, 3);
  const logitsOf = async (
    some: readonly Picture[],
  ): Promise<{ width: number; values: ArrayLike<number> }> => {
    const document = encoded(tokenizer, reachDocument(some));
    const logits = await run(backend, () => reader.logits(document, features), { model: reader.model });
    return { width: logits.shape.at(-1) ?? 1, values: logits.flat() };
  };
  const document = encoded(tokenizer, reachDocument(shown));
  const { width, values } = await logitsOf(shown);
  const positions = reader.sequence(document);
  const changes: number[][] = positions.map(() => []);
  for (const place of shown.keys()) {
    const other = await logitsOf(shown.map((picture, i) => (i === place ? (pictures[3] ?? BLANK) : picture)));
    for (const [at, row] of changes.entries()) {
      const differences = Array.from({ length: width }, (_, n) =>
        Math.abs((values[at * width + n] ?? 0) - (other.values[at * width + n] ?? 0)),
      );
      row.push(Math.max(...differences));
    }
  }
  return {
    positions: positions.map((one) => (typeof one === "number" ? tokenizer.decode([one]) : one.picture)),
    changes,
  };
}

export interface ReaderEvidence {
  readonly captions: readonly CaptionRow[];
  readonly questions: readonly QuestionRow[];
  /** The share of texts that name the digit of the picture behind them. */
  readonly textBefore: number;
  readonly reach: Reach;
  /** Positions that self-attention reads of a document with a caption behind each of several pictures. */
  readonly lengths: readonly { readonly pictures: number; readonly positions: number }[];
  /** Those of one picture. */
  readonly perPicture: number;
}

/** The number of positions that self-attention reads of a document. [kosmosDigits.lengths] */
const lengthOf = ({ reader, tokenizer }: Measuring, document: Document): number =>
  reader.sequence(encoded(tokenizer, document)).length;

const captioned = (pictures: readonly Picture[]): Document =>
  pictures.flatMap((picture) => [picture, `${CAPTION_PROMPT} a digit.`]);

/** All measurements of a model. */
export async function evidenceOf(
  measuring: Measuring,
  pictures: readonly Picture[],
): Promise<ReaderEvidence> {
  const [answer = []] = await answersTo(measuring, [encoded(measuring.tokenizer, [TEXT_BEFORE])]);
  const before = digitNamed(answer);
  return {
    captions: await captionRows(measuring, pictures),
    questions: await questionRows(measuring, pictures),
    textBefore: mean(pictures.map(({ digit }) => Number(digit === before))), // [kosmosDigits.text-before]
    reach: await reachOf(measuring, pictures),
    lengths: [1, 2, 3, ...MORE].map((count) => ({
      pictures: count,
      positions: lengthOf(measuring, captioned(pictures.slice(0, count))),
    })),
    perPicture: lengthOf(measuring, [BLANK]) - lengthOf(measuring, []),
  };
}
