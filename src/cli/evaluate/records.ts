// The file of an evaluation: a line on what is evaluated, a line for each example, and the scores at the end. A run that was ended goes on behind the
// last whole line, so that the file has the same bytes as that of a run from beginning to end.
import { closeSync, fsyncSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { createFolder, fromBytes, kindOf, systemReason } from "#host";
import { linesOf } from "../../evaluation/data/lines.ts";
import { type Example, type ExampleRecord, isRanked, type TaskName } from "../../evaluation/runs/examples.ts";
import { integer, list, number, optional, record, string } from "../../io/fields.ts";
import { isObject, type JsonObject, parseJson } from "../../io/json.ts";
import { LoadError } from "../../tensor/errors.ts";

/** The largest file that is read. */
const MOST_BYTES = 2 ** 30;
const DEPTH = 6;

const encoder = new TextEncoder();

/** Throws a LoadError for an error of the operating system. */
function attempt<T>(path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const reason = systemReason(error);
    if (reason === null) throw error;
    throw new LoadError(`cannot write ${path}: ${reason}`);
  }
}

/** The lines of a file that are whole, and the bytes that they take. */
interface Whole {
  readonly lines: readonly JsonObject[];
  readonly size: number;
}

const foreign = (path: string, line: number): LoadError =>
  new LoadError(
    `${path}, line ${line} is not of this evaluation; remove the file, or name another one with --out`,
  );

function wholeLines(path: string, bytes: Uint8Array): Whole {
  const lines: JsonObject[] = [];
  const size = bytes.lastIndexOf(10) + 1;
  for (const { number, bytes: line } of linesOf(fromBytes(bytes.slice(0, size))))
    try {
      lines.push(parseJson(line ?? new Uint8Array(), path, DEPTH, "runs.resume"));
    } catch {
      throw foreign(path, number);
    }
  return { lines, size };
}

const readers = {
  example: integer,
  line: integer,
  demonstrations: list(integer),
  answer: optional(string, undefined),
  rationale: optional(string, undefined),
  sums: optional(list(number), undefined),
  means: optional(list(number), undefined),
  leftOut: optional(string, undefined),
};

/** Whether a record has what the task keeps of an example, or the reason why there is nothing. */
function isAnswered(
  { answer, sums, means, leftOut }: ExampleRecord,
  { texts }: Example,
  task: TaskName,
): boolean {
  if (leftOut !== undefined) return answer === undefined && sums === undefined && means === undefined;
  if (!isRanked(task)) return answer !== undefined;
  return sums?.length === texts.length && means?.length === texts.length;
}

/** What the lines of a file behind its first one have to be. */
export interface Expected {
  readonly task: TaskName;
  readonly examples: readonly Example[];
}

/** The records of the lines behind the first one. Throws a LoadError for a line that is no record of its example. [runs.resume] */
function recordsIn(
  path: string,
  lines: readonly JsonObject[],
  { task, examples }: Expected,
): ExampleRecord[] {
  return lines.map((json, i) => {
    const example = examples[i];
    const unread: string[] = [];
    try {
      const read = record<ExampleRecord>(readers)(json, { file: path, field: "", unread });
      const isRight = read.example === i && read.line === example?.line && unread.length === 0;
      if (example && isRight && isAnswered(read, example, task)) return read;
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
    throw foreign(path, i + 2);
  });
}

/** What cannot be made of the records again. */
export interface KeptScores {
  readonly demonstrationsLeftOut: number;
}

/** The scores of a last line; their numbers follow from the records. Throws a LoadError for a line without them. */
function scoresIn(path: string, { scores }: JsonObject, line: number): KeptScores {
  const demonstrationsLeftOut = isObject(scores) ? scores.demonstrationsLeftOut : undefined;
  if (typeof demonstrationsLeftOut !== "number") throw foreign(path, line);
  return { demonstrationsLeftOut };
}

const lineOf = (line: object): Uint8Array => encoder.encode(`${JSON.stringify(line)}\n`);

const isBeginning = (bytes: Uint8Array, of: Uint8Array): boolean =>
  bytes.length <= of.length && bytes.every((byte, i) => byte === of[i]);

/** The first setting in which two headers differ. A model that is not there any more differs in nothing. */
function difference(before: JsonObject, now: JsonObject): string | null {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return (
    names
      .filter((name) => !(name === "modelDigest" && now[name] === undefined))
      .find((name) => JSON.stringify(before[name]) !== JSON.stringify(now[name])) ?? null
  );
}

export class Records {
  readonly #path: string;
  readonly #descriptor: number;
  /** Records that the file had when it was opened. */
  readonly found: readonly ExampleRecord[];
  /** What the scores at the end of the file say; null where it has none. */
  readonly scores: KeptScores | null;

  /** Opens a file, or goes on with one. Throws a LoadError if it is that of another evaluation. */
  constructor(path: string, header: JsonObject, expected: Expected) {
    this.#path = path;
    createFolder(dirname(path));
    const isNew = kindOf(path) === "nothing";
    if (!isNew && !statSync(path).isFile())
      throw new LoadError(`cannot write ${path}: it is not a file; name one with --out`);
    this.#descriptor = attempt(path, () => openSync(path, isNew ? "wx+" : "r+"));
    try {
      const bytes = this.#read();
      const { lines, size } = wholeLines(path, bytes);
      const [first, ...rest] = lines;
      const known = first && "evaluation" in first ? (first.evaluation as JsonObject) : null;
      const other = known === null ? null : difference(known, header);
      const isBegun = first !== undefined || isBeginning(bytes, lineOf({ evaluation: header }));
      if (!isBegun || (first && known === null) || other !== null)
        throw new LoadError(
          `${path} is not of this evaluation${other === null ? "" : `: its "${other}" is another`}; remove it, or name another file with --out`,
        );
      const last = rest.at(-1);
      const isComplete =
        last !== undefined && "scores" in last && rest.length === expected.examples.length + 1;
      this.scores = isComplete ? scoresIn(path, last, rest.length + 1) : null;
      this.found = recordsIn(path, isComplete ? rest.slice(0, -1) : rest, expected);
      attempt(path, () => ftruncateSync(this.#descriptor, size)); // [runs.resume]
      this.#at = size;
      if (!first) this.#append({ evaluation: header });
    } catch (error) {
      closeSync(this.#descriptor);
      throw error;
    }
  }

  /** Where the next line is written. */
  #at = 0;

  #read(): Uint8Array {
    const parts: Buffer[] = [];
    for (let at = 0; at <= MOST_BYTES; ) {
      const part = Buffer.allocUnsafe(2 ** 20);
      const count = attempt(this.#path, () => readSync(this.#descriptor, part, 0, part.length, at));
      if (count === 0) return Buffer.concat(parts);
      parts.push(part.subarray(0, count));
      at += count;
    }
    throw new LoadError(`${this.#path} is larger than 1 GiB; name another file with --out`);
  }

  #append(line: object): void {
    const bytes = lineOf(line);
    attempt(this.#path, () => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, this.#at + done);
    });
    this.#at += bytes.length;
  }

  add(record: ExampleRecord): void {
    this.#append(record);
  }

  /** The end of the file. */
  finish(scores: object): void {
    this.#append({ scores });
    attempt(this.#path, () => fsyncSync(this.#descriptor));
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
