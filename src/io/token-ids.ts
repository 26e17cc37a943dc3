// Reads files of token ids: JSON, or numbers in lines.
import { LoadError } from "../tensor/errors.ts";
import { quoted, utf8 } from "./wording.ts";

/** The largest file of ids, in bytes. */
export const MOST_BYTES = 16_000_000;
/** The largest number of ids in a file. */
export const MOST_IDS = 400_000;
/** Brackets within brackets: a list of prompts has two, and a file with more than these is refused unread. */
const DEEPEST = 100;

/** A file of ids: JSON ([1, 2] or [[1, 2], [3]]), or numbers separated by spaces or commas, one prompt per line. Throws a LoadError. [prompt.ids] */
export function readIds(bytes: Uint8Array, name: string): number[][] {
  const text = bytes.length > MOST_BYTES ? null : (utf8(bytes)?.replace(/^\uFEFF/, "") ?? null);
  if (text === null)
    throw new LoadError(`${name} is not a text file of token ids, or is longer than 16 MB  [prompt.ids]`);
  const prompts = text.trimStart().startsWith("[") ? fromJson(text, name) : fromLines(text, name);
  let count = 0;
  for (const prompt of prompts) {
    count += prompt.length;
    for (const id of prompt) if (!Number.isSafeInteger(id)) throw notAnId(id, name);
  }
  if (count > MOST_IDS) throw tooMany(name);
  if (prompts.length === 0)
    throw new LoadError(`${name} holds no token ids; write JSON, or one prompt a line  [prompt.ids]`);
  return prompts as number[][];
}

function notAnId(value: unknown, name: string): LoadError {
  const shown = typeof value === "object" && value !== null ? "a list or object" : quoted(String(value));
  return new LoadError(`${name}: ${shown} is not a token id; ids are whole numbers  [prompt.ids]`);
}

const tooMany = (name: string): LoadError =>
  new LoadError(
    `${name} holds more than ${MOST_IDS.toLocaleString("en")} token ids; split it into several files  [prompt.ids]`,
  );

function fromJson(text: string, name: string): unknown[][] {
  if (depthOf(text) > DEEPEST)
    throw new LoadError(`${name} has brackets within brackets; write [1, 2] or [[1, 2], [3]]  [prompt.ids]`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LoadError(
      `${name} begins like JSON but is not valid JSON; write [1, 2] or [[1, 2], [3]]  [prompt.ids]`,
    );
  }
  const list = value as unknown[];
  return list.length > 0 && list.every(Array.isArray) ? (list as unknown[][]) : list.length > 0 ? [list] : [];
}

/** The largest number of square brackets that are open at once. */
function depthOf(text: string): number {
  let [depth, deepest] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "[") deepest = Math.max(deepest, ++depth);
    else if (text[i] === "]") depth--;
  }
  return deepest;
}

/** Words that are not numbers stay text, so that an error can quote them. */
function fromLines(text: string, name: string): unknown[][] {
  const prompts: unknown[][] = [];
  let count = 0;
  for (const [line] of text.matchAll(/[^\r\n]+/g)) {
    const prompt: unknown[] = [];
    for (const [word] of line.matchAll(/[^\s,]+/g)) {
      if (++count > MOST_IDS) throw tooMany(name);
      prompt.push(/^-?\d+$/.test(word) ? Number(word) : word);
    }
    if (prompt.length > 0) prompts.push(prompt);
  }
  return prompts;
}
