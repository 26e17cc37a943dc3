// Splits a prompt into tokens: words, punctuation, <image> and end tokens; or reads token ids. A tokenizer splits words further,
// but a mask depends only on which tokens stand for images, and where.
import { LoadError } from "../tensor/errors.ts";
import { quoted, utf8 } from "./wording.ts";

/** 0 text, 1 an image token, 2 an end token. */
export type TokenKind = 0 | 1 | 2;

export interface PromptToken {
  readonly text: string;
  readonly kind: TokenKind;
  /** Whether the token only pads the batch. */
  readonly padding: boolean;
}

export const PADDING: PromptToken = { text: "<pad>", kind: 0, padding: true };

const IMAGES = new Set(["<image>", "<|image|>"]);
const ENDS = new Set(["</s>", "<eos>", "<|endofchunk|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>"]);
const PIECES = /<image>|<\/s>|<\|\w+\|>|<(?:eos|bos|s|pad|unk)>|[\p{L}\p{N}_]+(?:['’]\p{L}+)*|\S/gu;

/** Words with their apostrophes, punctuation one mark at a time, and tokens in angle brackets. [prompt.tokens] */
export function tokensOf(line: string): PromptToken[] {
  return Array.from(line.matchAll(PIECES), ([text]) => {
    const kind = IMAGES.has(text) ? 1 : ENDS.has(text) ? 2 : 0; // [prompt.tokens]
    return { text, kind, padding: text === PADDING.text };
  });
}

export interface SpecialIds {
  readonly image: number;
  readonly end?: number | undefined;
  readonly pad?: number | undefined;
}

/** Token ids as tokens; a text token shows its id. [prompt.ids] */
export const tokensOfIds = (ids: ArrayLike<number>, { image, end, pad }: SpecialIds): PromptToken[] =>
  Array.from(ids, (id) => ({
    text: id === pad ? PADDING.text : `${id}`,
    kind: id === image ? 1 : id === end ? 2 : 0, // [prompt.ids]
    padding: id === pad && id !== image && id !== end,
  }));

const MOST_BYTES = 16_000_000;

/** A file of ids: JSON ([1, 2] or [[1, 2], [3]]), or numbers separated by spaces or commas, one prompt per line. Throws a LoadError. [prompt.ids] */
export function readIds(bytes: Uint8Array, name: string): number[][] {
  const text = bytes.length > MOST_BYTES ? null : (utf8(bytes)?.replace(/^\uFEFF/, "") ?? null);
  if (text === null)
    throw new LoadError(`${name} is not a text file of token ids, or is longer than 16 MB  [prompt.ids]`);
  const prompts = text.trimStart().startsWith("[") ? fromJson(text, name) : fromLines(text);
  for (const id of prompts.flat()) {
    const isId = typeof id === "number" && Number.isSafeInteger(id);
    if (!isId)
      throw new LoadError(
        `${name}: ${quoted(String(id))} is not a token id; ids are whole numbers  [prompt.ids]`,
      );
  }
  if (prompts.length === 0)
    throw new LoadError(`${name} holds no token ids; write JSON, or one prompt a line  [prompt.ids]`);
  return prompts as number[][];
}

function fromJson(text: string, name: string): unknown[][] {
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

/** Words that are not numbers stay text, so that an error can quote them. */
const fromLines = (text: string): unknown[][] =>
  text
    .split(/\r?\n/)
    .map((line) => line.split(/[\s,]+/).filter((word) => word !== ""))
    .filter((words) => words.length > 0)
    .map((words) => words.map((word) => (/^-?\d+$/.test(word) ? Number(word) : word)));

/** Pads prompts to one length, on one side. [prompt.padding] */
export function padded(
  prompts: readonly (readonly PromptToken[])[],
  side: "left" | "right",
): PromptToken[][] {
  const length = Math.max(0, ...prompts.map((prompt) => prompt.length));
  return prompts.map((prompt) => {
    const padding = new Array<PromptToken>(length - prompt.length).fill(PADDING); // [prompt.padding]
    return side === "left" ? [...padding, ...prompt] : [...prompt, ...padding]; // [prompt.padding]
  });
}
