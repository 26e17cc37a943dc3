// The prompts with which KOSMOS-1 is evaluated: Huang et al., arXiv 2302.14045, §4 and the tables and figures named below.
import { type Check, checked, listOf, optional, passing } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven, checkMember } from "../tensor/given.ts";
import { checkPromptText } from "./prompts.ts";

/** A piece of a prompt: text, or an image. */
export type PromptSegment<I> = string | { readonly image: I };

/** How one kind of example becomes text. `Q` is what an example has besides its images and its answer. */
export interface KosmosTask<Q> {
  /** What the number of images of an example has to be. */
  readonly images: number;
  /** The text of an example, behind its images, up to the answer. */
  readonly question: (query: Q) => string;
  /** How the answer is found: generated, or the most probable of some. */
  readonly answer: "generated" | "ranked";
  /** Generated answers: the number of beams, 1 for greedy decoding. */
  readonly beams?: number;
  /** Ranked answers, where they are the same for all examples. */
  readonly labels?: readonly string[];
}

/** COCO Captions and Flickr30k (§4.1.1). */
export const kosmosCaptions: KosmosTask<object> = {
  images: 1,
  question: () => "An image of", // [evaluate.kosmos-perception]
  answer: "generated",
  beams: 5,
};

/** VQAv2 and VizWiz (§4.1.2). */
export const kosmosVqa: KosmosTask<{ readonly question: string }> = {
  images: 1,
  question: ({ question }) => `Question: ${question} Answer:`, // [evaluate.kosmos-perception]
  answer: "generated",
  beams: 1,
};

/** Rendered SST-2, whose images are texts (§4.3.1). */
export const kosmosSentiment: KosmosTask<object> = {
  images: 1,
  question: () => "Question: what is the sentiment of the opinion? Answer:", // [evaluate.kosmos-perception]
  answer: "ranked",
  labels: ["positive", "negative"],
};

/** HatefulMemes (§4.3.1). */
export const kosmosMemes: KosmosTask<object> = {
  images: 1,
  question: () => "Question: does this picture contain real hate speech? Answer:", // [evaluate.kosmos-perception]
  answer: "ranked",
  labels: ["yes", "no"],
};

/** WebSRC (§4.4): the text of a web page beside its picture. The misspelling "Qusestion" is the paper's. */
export const kosmosWebPages: KosmosTask<{ readonly webText: string; readonly question: string }> = {
  images: 1,
  question: ({ webText, question }) =>
    `Given the context below from web page, extract the answer from the given text like this: Qusestion: Who is the publisher of this book? Answer: Penguin Books Ltd. Context: ${webText} Q: ${question} A:`, // [evaluate.kosmos-web]
  answer: "generated",
  beams: 1,
};

/** ImageNet (§4.6). Answers are free, or the names of its classes alone. */
export const kosmosImageNet: KosmosTask<object> = {
  images: 1,
  question: () => "The photo of the", // [evaluate.kosmos-perception]
  answer: "generated",
  beams: 2,
};

/** RelativeSize (§4.9). */
export const kosmosRelativeSize: KosmosTask<{ readonly first: string; readonly second: string }> = {
  images: 0,
  question: ({ first, second }) => `Is ${first} larger than ${second}?`, // [evaluate.kosmos-language]
  answer: "ranked",
  labels: ["Yes", "No"],
};

/** MemoryColor and ColorTerms (§4.9): the eleven basic colour terms of English. */
export const kosmosColour: KosmosTask<{ readonly object: string }> = {
  images: 0,
  question: ({ object }) => `The color of ${object} is?`, // [evaluate.kosmos-language]
  answer: "ranked",
  labels: "black white red green yellow blue brown orange pink purple grey".split(" "),
};

/** StoryCloze, HellaSwag, Winograd, Winogrande, PIQA, BoolQ, CB and COPA: a text and its possible continuations. The paper gives no template. */
export const kosmosContinuation: KosmosTask<{ readonly context: string }> = {
  images: 0,
  question: ({ context }) => context, // [evaluate.kosmos-language]
  answer: "ranked",
};

/** An example: its images in order, and what its task asks for. */
export interface KosmosExample<Q, I> {
  readonly query: Q;
  readonly images?: readonly I[];
}

export interface KosmosPromptOptions {
  /** Text between examples. Default: a space in front of text, nothing in front of an image. */
  readonly separator?: string | undefined;
}
const checks: { readonly [K in keyof KosmosPromptOptions]-?: Check } = {
  separator: optional(passing("a text", (value) => typeof value === "string")),
};

/** The segments of one example. Throws a RuleError for another number of images than its task has, and for image tokens in its text. */
function exampleOf<Q, I>(
  { images, question }: KosmosTask<Q>,
  example: KosmosExample<Q, I>,
  what: string,
  answer = "",
): PromptSegment<I>[] {
  const given = example.images ?? [];
  if (given.length !== images)
    throw new RuleError(
      `${what} has ${given.length} images, and its task ${images}`,
      "evaluate.kosmos-images",
    ); // [evaluate.kosmos-images]
  const words = question(example.query) + answer;
  checkPromptText(words, what);
  return [...given.map((image) => ({ image })), words];
}

/** Segments in which no two texts follow one another. */
function joined<I>(segments: readonly PromptSegment<I>[]): PromptSegment<I>[] {
  const out: PromptSegment<I>[] = [];
  for (const segment of segments) {
    const last = out.at(-1);
    if (typeof segment === "string" && typeof last === "string") out[out.length - 1] = last + segment;
    else if (segment !== "") out.push(segment);
  }
  return out;
}

/**
 * The prompt of an example behind its demonstrations, which have the same format and their answers (figure 7). Throws a RuleError for another
 * number of images than the task has, or image tokens in a text.
 */
export function kosmosPrompt<Q, I>(
  task: KosmosTask<Q>,
  demonstrations: readonly (KosmosExample<Q, I> & { readonly answer: string })[],
  query: KosmosExample<Q, I>,
  options: KosmosPromptOptions = {},
): PromptSegment<I>[] {
  checkMember("kosmosPrompt", { task }, "images", "a task, such as kosmosCaptions");
  checkGiven("kosmosPrompt", { demonstrations }, "a list");
  const { separator = task.images > 0 ? "" : " " } = checked("kosmosPrompt", options, checks);
  const shown = demonstrations.flatMap((one, i) => [
    ...exampleOf(task, one, `demonstration ${i}`, ` ${one.answer}`),
    separator,
  ]); // [evaluate.kosmos-demonstrations]
  return joined([...shown, ...exampleOf(task, query, "the query")]);
}

const NUMBERS: ReadonlyMap<number, string> = new Map([
  [3, "three"],
  [4, "four"],
  [8, "eight"],
]);

/**
 * A question of Raven's test (§4.2.1): the images of a matrix, and one that may complete it; the candidate after which "Yes" is most probable is the
 * answer. Throws a RuleError unless the matrix has 3, 4 or 8 images.
 */
export function kosmosIqPrompt<I>(matrix: readonly I[], candidate: I): PromptSegment<I>[] {
  checkGiven("kosmosIqPrompt", { matrix }, "a list");
  const number = NUMBERS.get(matrix.length);
  if (number === undefined)
    throw new RuleError(
      `kosmosIqPrompt: the matrix has ${matrix.length} images; questions have 3, 4 or 8`,
      "evaluate.kosmos-iq",
    );
  const images = matrix.map((image) => ({ image }));
  return [
    `Here are ${number} images:`,
    ...images,
    "The following image is:",
    { image: candidate },
    "Is it correct?",
  ]; // [evaluate.kosmos-iq]
}

/** The first stage of a chain of thought (§4.5): the description of an image is asked for. */
export const kosmosRationalePrompt = <I>(image: I): PromptSegment<I>[] => [
  { image },
  "Introduce this picture in detail:", // [evaluate.kosmos-chain]
];

/** The second stage: the question, behind the description that the first one gave. */
export function kosmosChainPrompt<I>(image: I, rationale: string, question: string): PromptSegment<I>[] {
  const words = `${rationale} ${question}`;
  checkPromptText(words, "the rationale or its question");
  return [{ image }, words]; // [evaluate.kosmos-chain]
}

/**
 * Classification with descriptions of the classes (§4.7): two descriptions, an image, and the question for the name of what it shows. `category` is a
 * general name, such as "woodpecker".
 */
export function kosmosDescriptionPrompt<I>(
  descriptions: readonly string[],
  image: I,
  category: string,
): PromptSegment<I>[] {
  checked("kosmosDescriptionPrompt", { descriptions }, { descriptions: listOf("descriptions") });
  const context = descriptions.join(" ");
  const question = `Question:what is the name of ${category} in the picture? Answer:`;
  checkPromptText(context + question, "the descriptions or the category");
  return joined([context, { image }, question]); // [evaluate.kosmos-descriptions]
}
