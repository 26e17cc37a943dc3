// The executable half of 78-kosmos-prompts.md. The expected texts are those of the paper.
import { expect, test } from "vitest";
import {
  type KosmosTask,
  kosmosCaptions,
  kosmosChainPrompt,
  kosmosColour,
  kosmosContinuation,
  kosmosDescriptionPrompt,
  kosmosImageNet,
  kosmosIqPrompt,
  kosmosMemes,
  kosmosPrompt,
  kosmosRationalePrompt,
  kosmosRelativeSize,
  kosmosSentiment,
  kosmosVqa,
  kosmosWebPages,
} from "../../src/evaluation/kosmos-prompts.ts";
import { refusal } from "../support/properties/refusals.ts";

const image = { image: 1 };
/** The prompt of one example with an image. */
const about = <Q>(task: KosmosTask<Q>, query: Q) => kosmosPrompt(task, [], { query, images: [1] });

test("[evaluate.kosmos-perception] prompts about an image", () => {
  expect(about(kosmosCaptions, {})).toEqual([image, "An image of"]);
  const question = "What is it?";
  expect(about(kosmosVqa, { question })).toEqual([image, "Question: What is it? Answer:"]);
  const sentiment = "Question: what is the sentiment of the opinion? Answer:";
  expect(about(kosmosSentiment, {})).toEqual([image, sentiment]);
  const memes = "Question: does this picture contain real hate speech? Answer:";
  expect(about(kosmosMemes, {})).toEqual([image, memes]);
  expect(about(kosmosImageNet, {})).toEqual([image, "The photo of the"]);
});

test("[evaluate.kosmos-perception] how answers are found", () => {
  const tasks = [kosmosCaptions, kosmosVqa, kosmosImageNet];
  expect(tasks.map(({ answer, beams }) => [answer, beams])).toEqual([
    ["generated", 5],
    ["generated", 1],
    ["generated", 2],
  ]);
  expect(kosmosSentiment.labels).toEqual(["positive", "negative"]);
  expect(kosmosMemes.labels).toEqual(["yes", "no"]);
});

test("[evaluate.kosmos-web] web pages", () => {
  expect(about(kosmosWebPages, { webText: "TEXT", question: "WHO?" })).toEqual([
    image,
    "Given the context below from web page, extract the answer from the given text like this: Qusestion: Who is the publisher of this book? Answer: Penguin Books Ltd. Context: TEXT Q: WHO? A:",
  ]);
});

test("[evaluate.kosmos-language] texts alone", () => {
  const size = { query: { first: "a sofa", second: "a cat" } };
  expect(kosmosPrompt(kosmosRelativeSize, [], size)).toEqual(["Is a sofa larger than a cat?"]);
  expect(kosmosRelativeSize.labels).toEqual(["Yes", "No"]);
  expect(kosmosPrompt(kosmosColour, [], { query: { object: "the sky" } })).toEqual([
    "The color of the sky is?",
  ]);
  expect(kosmosColour.labels?.length).toBe(11);
  const query = { context: "The man went" };
  expect(kosmosPrompt(kosmosContinuation, [], { query })).toEqual(["The man went"]);
});

test("[evaluate.kosmos-demonstrations] demonstrations have the format of the query", () => {
  const demonstration = { query: { question: "How many?" }, images: [1], answer: "two" };
  const query = { query: { question: "What?" }, images: [2] };
  const prompt = (separator?: string) => kosmosPrompt(kosmosVqa, [demonstration], query, { separator });
  const end = [{ image: 2 }, "Question: What? Answer:"];
  expect(prompt()).toEqual([image, "Question: How many? Answer: two", ...end]);
  expect(prompt("\n")).toEqual([image, "Question: How many? Answer: two\n", ...end]);
  // Texts that follow one another are one segment.
  const shown = { query: { object: "snow" }, answer: "white" };
  expect(kosmosPrompt(kosmosColour, [shown], { query: { object: "coal" } })).toEqual([
    "The color of snow is? white The color of coal is?",
  ]);
});

test("[evaluate.kosmos-images] [evaluate.markers] another number of images, and image tokens in texts, are refused", () => {
  expect(refusal(() => kosmosPrompt(kosmosCaptions, [], { query: {} })).message).toContain(
    "the query has 0 images, and its task 1",
  );
  const two = { query: { question: "?" }, images: [1, 2], answer: "x" };
  const query = { query: { question: "?" }, images: [1] };
  expect(refusal(() => kosmosPrompt(kosmosVqa, [two], query)).message).toContain("demonstration 0 has 2");
  expect(refusal(() => about(kosmosVqa, { question: "a <image> b" })).message).toContain(
    "the query contains",
  );
  expect(refusal(() => kosmosChainPrompt(1, "<image>", "?")).message).toContain("contains <image>");
  expect(refusal(() => kosmosDescriptionPrompt(["<image>"], 1, "bird")).message).toContain(
    "contains <image>",
  );
});

test("[evaluate.kosmos-iq] Raven's test", () => {
  const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => ({ image: name }));
  expect(kosmosIqPrompt(["a", "b", "c"], "d")).toEqual([
    "Here are three images:",
    a,
    b,
    c,
    "The following image is:",
    d,
    "Is it correct?",
  ]);
  expect(kosmosIqPrompt([1, 2, 3, 4], 5)[0]).toBe("Here are four images:");
  expect(kosmosIqPrompt([1, 2, 3, 4, 5, 6, 7, 8], 9)[0]).toBe("Here are eight images:");
  expect(refusal(() => kosmosIqPrompt([1, 2], 3)).message).toContain("2 images; questions have 3, 4 or 8");
});

test("[evaluate.kosmos-chain] a chain of thought has two stages", () => {
  expect(kosmosRationalePrompt(1)).toEqual([image, "Introduce this picture in detail:"]);
  const question = kosmosSentiment.question({});
  expect(kosmosChainPrompt(1, "A text says: fun.", question)).toEqual([
    image,
    "A text says: fun. Question: what is the sentiment of the opinion? Answer:",
  ]);
});

test("[evaluate.kosmos-descriptions] classes are described before the image", () => {
  expect(kosmosDescriptionPrompt(["One is red.", "Two is blue."], 1, "woodpecker")).toEqual([
    "One is red. Two is blue.",
    image,
    "Question:what is the name of woodpecker in the picture? Answer:",
  ]);
});
