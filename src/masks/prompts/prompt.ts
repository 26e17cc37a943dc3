// Splits prompts into tokens: words, punctuation, and tokens in angle brackets such as <image> and <|eot_id|>. A tokenizer splits
// words further, but a mask depends only on which tokens stand for images, and where.
import { type ImageMarker, markedKinds, type TokenKind } from "./image-markers.ts";

export type { ImageMarker, TokenKind } from "./image-markers.ts";

export interface PromptToken {
  readonly text: string;
  readonly kind: TokenKind;
  /** Whether the token only pads the batch. */
  readonly padding: boolean;
}

export const PADDING: PromptToken = { text: "<pad>", kind: 0, padding: true };

/** The image tokens that are recognised without being named, in the order in which they are looked for. */
const IMAGE_TOKENS: readonly string[] = ["<image>", "<|image|>", "<Image>"];
const ENDS = new Set(["</s>", "<eos>", "<|endofchunk|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>"]);
const PIECES =
  /<\|[\p{L}\p{N}_.:/-]+\|>|<\/?[\p{L}\p{N}_][\p{L}\p{N}_.:-]*\/?>|[\p{L}\p{N}_]+(?:['’]\p{L}+)*|\S/gu;

/** Words with their apostrophes, punctuation one mark at a time, and any <word> or <|word|> as one token. [prompt.tokens] */
export const wordsOf = (text: string): string[] => text.match(PIECES) ?? [];

const CLOSING: Readonly<Record<string, string>> = { "[": "]", "{": "}" };
const NAMES_IMAGE = /image|img|picture|vision|visual|im_patch/i;

/** Tokens in brackets that other codebases may use for images, such as <|image_pad|>, <img> and [IMG]. [prompt.lookalikes] */
function lookalikesIn(words: readonly string[]): string[] {
  return words.flatMap((word, l) => {
    if (!NAMES_IMAGE.test(word)) return [];
    if (word.startsWith("<")) return [word]; // [prompt.lookalikes]
    const [before = "", after] = [words[l - 1], words[l + 1]];
    return after !== undefined && CLOSING[before] === after ? [before + word + after] : []; // [prompt.lookalikes]
  });
}

export interface PromptOptions {
  /** The image token of the convention's codebase, which is looked for first. */
  readonly own?: string | undefined;
  /** The text of the tokens that stand for an image, in place of the one that is looked for. */
  readonly imageToken?: string | undefined;
  /** The number of image tokens that are one image, or "run" where each unbroken run is one. */
  readonly imageLength?: ImageMarker["length"];
}

export interface Prompts {
  readonly prompts: readonly (readonly PromptToken[])[];
  /** The text that stands for an image. */
  readonly imageToken: string;
  /** Other known image tokens that occur. They count as text. */
  readonly otherImageTokens: readonly string[];
  /** Tokens that look like an image's, if no image token is named or occurs. They count as text. */
  readonly lookalikes: readonly string[];
}

/**
 * Reads the prompts of a batch, one text each; line breaks are white space. One image token holds for the whole batch: the
 * one that is named, or else the first of the codebase's own and the known ones that occurs. [prompt.image-token]
 */
export function readPrompts(texts: readonly string[], options: PromptOptions = {}): Prompts {
  const { own, imageToken: named, imageLength: length = 1 } = options;
  const split = texts.map(wordsOf);
  const occurring = new Set(
    split.flatMap((words) => IMAGE_TOKENS.concat(own ?? []).filter((token) => words.includes(token))),
  );
  const candidates = own === undefined ? IMAGE_TOKENS : [own, ...IMAGE_TOKENS];
  const found = candidates.find((token) => occurring.has(token)); // [prompt.image-token]
  const imageToken = named ?? found ?? candidates[0] ?? "";
  const marker = { tokens: wordsOf(imageToken), length };
  const prompts = split.map((words) => {
    const kinds = markedKinds(words, marker, (word) => ENDS.has(word)); // [prompt.tokens]
    return words.map((text, l) => ({ text, kind: kinds[l] ?? 0, padding: text === PADDING.text }));
  });
  const otherImageTokens = [...occurring].filter((token) => !marker.tokens.includes(token));
  const isMissing = named === undefined && found === undefined; // [prompt.lookalikes]
  const lookalikes = isMissing ? [...new Set(split.flatMap(lookalikesIn))] : [];
  return { prompts, imageToken, otherImageTokens, lookalikes };
}

/** The tokens of one prompt. */
export const tokensOf = (text: string): PromptToken[] => [...(readPrompts([text]).prompts[0] ?? [])];

export interface SpecialIds {
  /** The id of the image's token, or the ids of several tokens that together stand for one image. */
  readonly image: number | readonly number[];
  /** The number of image tokens that are one image, or "run" where each unbroken run is one. */
  readonly imageLength?: ImageMarker["length"];
  readonly end?: number | undefined;
  readonly pad?: number | undefined;
}

/** Token ids as tokens; a text token shows its id. [prompt.ids] */
export function tokensOfIds(ids: ArrayLike<number>, special: SpecialIds): PromptToken[] {
  const { image, imageLength: length = 1, end, pad } = special;
  const list = Array.from(ids);
  const kinds = markedKinds(list, { tokens: [image].flat(), length }, (id) => id === end); // [prompt.ids]
  const shared = new Map<string, PromptToken>(); // a long text has few different tokens
  return list.map((id, l) => {
    const kind = kinds[l] ?? 0;
    const key = `${id} ${kind}`;
    const padding = id === pad && kind === 0;
    const token = shared.get(key) ?? { text: padding ? PADDING.text : `${id}`, kind, padding };
    shared.set(key, token);
    return token;
  });
}

/** The length of the longest prompt. */
export const longest = (prompts: readonly { readonly length: number }[]): number =>
  prompts.reduce((most, { length }) => Math.max(most, length), 0);

/** Pads prompts to one length, on one side. [prompt.padding] */
export function padded(
  prompts: readonly (readonly PromptToken[])[],
  side: "left" | "right",
): readonly (readonly PromptToken[])[] {
  const length = longest(prompts);
  return prompts.map((prompt) => {
    if (prompt.length === length) return prompt;
    const padding = new Array<PromptToken>(length - prompt.length).fill(PADDING); // [prompt.padding]
    return side === "left" ? [...padding, ...prompt] : [...prompt, ...padding]; // [prompt.padding]
  });
}
