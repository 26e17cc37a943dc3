// Samples of training and evaluation in files of JSON lines: texts, captions, documents of text and images, questions, and choices.
import type { ByteSource } from "#host";
import {
  type FieldLocation,
  integer,
  list,
  optional,
  type Read,
  record,
  refuse,
  string,
} from "../../io/fields.ts";
import { isObject, type Json, type JsonObject, parseJson } from "../../io/json.ts";
import { quoted } from "../../io/wording.ts";
import { LoadError, messageOf } from "../../tensor/errors.ts";
import { checkGiven, checkMember } from "../../tensor/given.ts";
import { LINE_REMEDY, linesOf } from "./lines.ts";

/** A piece of a document: text, or the path of an image. */
export type DocumentSegment = string | { readonly image: string };

/** A sample by its kind. Paths of images are as the file has them. */
export type Sample =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "caption"; readonly image: string; readonly caption: string }
  | { readonly kind: "document"; readonly segments: readonly DocumentSegment[] }
  | {
      readonly kind: "question";
      readonly image: string | null;
      readonly question: string;
      readonly answers: readonly string[];
    }
  | {
      readonly kind: "choice";
      readonly image: string | null;
      readonly context: string;
      readonly choices: readonly string[];
      /** The index of the right choice. */
      readonly answer: number;
    }
  | {
      readonly kind: "matrix";
      /** Images, and those of which one completes them. */
      readonly matrix: readonly string[];
      readonly candidates: readonly string[];
      /** The index of the right candidate. */
      readonly answer: number;
    }
  | {
      readonly kind: "description";
      readonly image: string;
      /** Descriptions of the classes, and a general name of what the image shows. */
      readonly descriptions: readonly string[];
      readonly category: string;
      readonly choices: readonly string[];
      readonly answer: number;
    };
export type SampleKind = Sample["kind"];

/** The rule that a refused line cites. */
const RULE = "data.samples";

/** A text of whole characters. */
const whole: Read<string> = (value, at) => {
  const text = string(value, at);
  if (/\p{Surrogate}/u.test(text))
    throw refuse(at, "has half of a surrogate pair; write the whole character", RULE); // [data.samples]
  return text;
};

/** A text with at least one character that is not white space. */
const words: Read<string> = (value, at) => {
  const text = whole(value, at);
  if (text.trim() === "") throw refuse(at, "is empty; write it, or leave the line out", RULE);
  return text;
};

/** A list with at least `least` entries. */
const atLeast =
  <T>(least: number, read: Read<T>): Read<readonly T[]> =>
  (value, at) => {
    const items = list(read)(value, at);
    if (items.length < least)
      throw refuse(at, `has ${items.length} entries; it needs at least ${least}`, RULE); // [data.samples]
    return items;
  };

/** At least two different texts, of which one is right: of two equal ones either could be meant. */
const alternatives: Read<readonly string[]> = (value, at) => {
  const items = atLeast(2, words)(value, at);
  const twice =
    items.length === new Set(items).size ? undefined : items.find((item, i) => items.indexOf(item) < i);
  if (twice !== undefined) throw refuse(at, `has ${quoted(twice)} twice; remove one`, RULE); // [data.samples]
  return items;
};

const segment: Read<DocumentSegment> = (value, at) => {
  if (isObject(value) && "image" in value) return record<{ image: string }>({ image: words })(value, at);
  if (isObject(value)) return record<{ text: string }>({ text: words })(value, at).text;
  return words(value, at);
};

const image = optional<string, null>(words, null);

/** Throws a LoadError unless the answer is the index of one of several entries. */
function checkAnswer(answer: number, entries: readonly string[], what: string, at: FieldLocation): void {
  if (answer < 0 || answer >= entries.length)
    throw refuse(
      { ...at, field: "answer" },
      `is ${answer}; it is the index of one of ${entries.length} ${what}, from 0`,
      RULE,
    ); // [data.samples]
}

const readers: { readonly [K in SampleKind]: Read<Omit<Extract<Sample, { kind: K }>, "kind">> } = {
  text: record({ text: words }),
  caption: record({ image: words, caption: words }),
  document: record({ segments: atLeast(1, segment) }),
  question: record({ image, question: words, answers: atLeast(1, whole) }),
  choice: (value, at) => {
    const read = record<{
      image: string | null;
      context: string;
      choices: readonly string[];
      answer: number;
    }>({
      image,
      context: words,
      choices: alternatives,
      answer: integer,
    })(value, at);
    checkAnswer(read.answer, read.choices, "choices", at);
    return read;
  },
  matrix: (value, at) => {
    const read = record<{ matrix: readonly string[]; candidates: readonly string[]; answer: number }>({
      matrix: atLeast(3, words),
      candidates: alternatives,
      answer: integer,
    })(value, at);
    const { length } = read.matrix;
    if (length !== 3 && length !== 4 && length !== 8)
      throw refuse({ ...at, field: "matrix" }, `has ${length} images; matrices have 3, 4 or 8`, RULE); // [data.samples]
    checkAnswer(read.answer, read.candidates, "candidates", at);
    return read;
  },
  description: (value, at) => {
    const read = record<Omit<Extract<Sample, { kind: "description" }>, "kind">>({
      image: words,
      descriptions: atLeast(1, words),
      category: words,
      choices: alternatives,
      answer: integer,
    })(value, at);
    checkAnswer(read.answer, read.choices, "choices", at);
    return read;
  },
};

/** The field by which a kind is known. */
const MARKS: readonly (readonly [string, SampleKind])[] = [
  ["segments", "document"],
  ["matrix", "matrix"],
  ["descriptions", "description"],
  ["choices", "choice"],
  ["question", "question"],
  ["caption", "caption"],
  ["text", "text"],
];

function kindOf(json: JsonObject, at: FieldLocation): SampleKind {
  const mark = MARKS.find(([field]) => field in json);
  if (mark) return mark[1]; // [data.kinds]
  const fields = MARKS.map(([field]) => field).join(", ");
  throw new LoadError(
    `${at.file}: a sample has one of the fields ${fields}; this line has none  [data.kinds]`,
  );
}

/** A sample with its line, from 1. */
export interface ReadSample {
  readonly line: number;
  readonly sample: Sample;
  /** The line as it is, without its line break. */
  readonly bytes: Uint8Array;
}

/** A line that is no sample. */
export interface BadLine {
  readonly line: number;
  /** A sentence that names file, line and field. */
  readonly problem: string;
}

/** The sample of a line. Throws a LoadError that names file, line and field. */
function sampleOf(json: Json, name: string, kinds: readonly SampleKind[] | null): Sample {
  const unread: string[] = [];
  const at: FieldLocation = { file: name, field: "", unread, rule: RULE };
  if (!isObject(json)) throw new LoadError(`${name} is not an object { … }  [${RULE}]`);
  const kind = kindOf(json, at);
  if (kinds !== null && !kinds.includes(kind))
    throw new LoadError(
      `${name} is a ${kind}, and what is wanted is a ${kinds.join(" or a ")}; leave it out  [data.kinds]`,
    );
  const sample = { kind, ...readers[kind](json, at) } as Sample;
  const [unknown] = unread;
  if (unknown !== undefined)
    throw new LoadError(`${name}: ${quoted(unknown)} is no field of a ${kind}; remove it  [data.samples]`);
  return sample;
}

/** White space of JSON within a line. */
const [TAB, CR, SPACE] = [9, 13, 32];
/** Levels of nesting of a line. */
const DEPTH = 4;

/**
 * The samples of a file, line by line, and the lines that are none. `name` is the file's, for messages; blank lines are passed over. Samples of other
 * `kinds` count as bad lines.
 */
export function* samplesOf(
  source: ByteSource,
  name: string,
  kinds: readonly SampleKind[] | null = null,
): Generator<ReadSample | BadLine, void, undefined> {
  checkMember("samplesOf", { source }, "read", "a source of bytes, with size and read");
  for (const { number: line, bytes } of linesOf(source)) {
    const place = `${name}, line ${line}`;
    if (bytes === null) {
      yield { line, problem: `${place} is longer than 16 MB; split it  [data.long-lines]` };
      continue;
    }
    if (bytes.every((byte) => byte === SPACE || byte === TAB || byte === CR)) continue; // [data.lines]
    try {
      yield {
        line,
        sample: sampleOf(parseJson(bytes, place, DEPTH, RULE, LINE_REMEDY), place, kinds),
        bytes,
      };
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      yield { line, problem: messageOf(error) }; // [data.bad-lines]
    }
  }
}

/** The samples alone. `onBad` is told of each line that is none; it may throw, which ends the reading. */
export function* goodSamples(
  source: ByteSource,
  name: string,
  kinds: readonly SampleKind[] | null,
  onBad: (bad: BadLine) => void,
): Generator<ReadSample, void, undefined> {
  checkMember("goodSamples", { source }, "size", "a source of bytes, with size and read");
  checkGiven("goodSamples", { onBad }, "a function");
  for (const one of samplesOf(source, name, kinds)) {
    if ("problem" in one) onBad(one);
    else yield one;
  }
}

/** The images of a sample, in order. */
export function imagesOf(sample: Sample): string[] {
  if (sample.kind === "document")
    return sample.segments.flatMap((one) => (typeof one === "string" ? [] : [one.image]));
  if (sample.kind === "matrix") return [...sample.matrix, ...sample.candidates];
  return "image" in sample && sample.image !== null ? [sample.image] : [];
}

/** The JSON of a sample with other paths of its images, as a file has it. [data.images] */
export function withImages(sample: Sample, moved: (path: string) => string): string {
  const { kind: _, ...fields } = sample;
  if ("segments" in fields) {
    const segments = fields.segments.map((one) =>
      typeof one === "string" ? one : { image: moved(one.image) },
    );
    return JSON.stringify({ segments });
  }
  if ("matrix" in fields) {
    const { matrix, candidates, answer } = fields;
    return JSON.stringify({ matrix: matrix.map(moved), candidates: candidates.map(moved), answer });
  }
  if (!("image" in fields)) return JSON.stringify(fields);
  const { image, ...rest } = fields;
  return JSON.stringify(image === null ? rest : { image: moved(image), ...rest });
}
