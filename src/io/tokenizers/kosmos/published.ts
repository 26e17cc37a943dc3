// The tokens that KosmosTokenizer of kosmosx 0.3.1 (kosmosx/model.py) and of KOSMOS_reimplementation (kosmos.py) makes for one image and
// a text.
import { RuleError } from "../../../tensor/errors.ts";
import { checkGiven, checkMember } from "../../../tensor/given.ts";
import type { KosmosTokenizer } from "./load.ts";

export interface PublishedTokensOptions {
  /** The most ids of a text, image tokens excluded; longer ones are cut. Default 1980, with which 64 vectors fit into 2046 positions. */
  readonly maxLength?: number | undefined;
  /** The number of vectors of an image. Default 64. */
  readonly features?: number | undefined;
}

/** `tokenize` of the packages, without the pixels: a list for each text. */
export interface PublishedTokens {
  /** The first id of the text, `<image> </image>`, and the other ids. */
  readonly textTokens: readonly (readonly number[])[];
  /** The ids of the text alone. */
  readonly labels: readonly (readonly number[])[];
  /** 1 for every vector of the image and for every id that is not padding. It has the length of the sequence that the model reads. */
  readonly attentionMask: readonly (readonly number[])[];
}

const MOST = 2 ** 24;

function checkCount(name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= MOST) return;
  throw new RuleError(
    `publishedTokens: ${name} is ${String(value)}; it must be a whole number from ${least} to ${MOST}`,
    "tokenizer.kosmos-published",
  );
}

/** The ids of a text with special tokens, cut to `most` ids. The last one is still </s>. [tokenizer.kosmos-truncation] */
function cutIds({ tokenizer, tokens, repeatsEnd }: KosmosTokenizer, text: string, most: number): number[] {
  const ids = tokenizer.encode(text, { special: false });
  const before = tokens.bos === null ? [] : [tokens.bos];
  const cut = ids.slice(0, most - before.length - 1);
  const after = !repeatsEnd && cut.at(-1) === tokens.eos ? [] : [tokens.eos];
  return [...before, ...cut, ...after];
}

/**
 * The ids of one image and each text, padded at the right to the longest text. T5's vocabulary has no `<s>`, so that the first
 * piece of a text stands before its image; `kosmosLayout` places images as KOSMOS-1 does. Throws a RuleError for a number of
 * slots or positions that is out of range.
 */
export function publishedTokens(
  tokenizer: KosmosTokenizer,
  texts: readonly string[],
  { maxLength = 1980, features = 64 }: PublishedTokensOptions = {},
): PublishedTokens {
  checkMember("publishedTokens", { tokenizer }, "tokens", "a tokenizer, as loadKosmosTokenizer returns it");
  checkGiven("publishedTokens", { texts }, "a list");
  checkCount("maxLength", maxLength, 2);
  checkCount("features", features, 0);
  const { pad, image, imageEnd } = tokenizer.tokens;
  const ids = texts.map((text) => cutIds(tokenizer, text, maxLength));
  const longest = ids.reduce((most, { length }) => Math.max(most, length), 0);
  const labels = ids.map((row) => [...row, ...new Array<number>(longest - row.length).fill(pad)]); // [tokenizer.kosmos-published]
  const textTokens = labels.map(([first = pad, ...others]) => [first, image, imageEnd, ...others]); // [tokenizer.kosmos-published]
  const vectors = new Array<number>(features).fill(1);
  const attentionMask = textTokens.map((row) => [...vectors, ...row.map((id) => Number(id !== pad))]); // [tokenizer.kosmos-published]
  return { textTokens, labels, attentionMask };
}
