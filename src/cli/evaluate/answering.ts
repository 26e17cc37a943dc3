// What a model answers to an example behind its demonstrations: generated text, or the log-probabilities of choices.
import { textBefore } from "../../evaluation/answers.ts";
import { kosmosPrompt, kosmosVqa } from "../../evaluation/kosmos-prompts.ts";
import { checkPromptText, type PromptWithImages } from "../../evaluation/prompts.ts";
import { rankClassifications } from "../../evaluation/rank-classification.ts";
import type { Example, ExampleRecord, TaskName } from "../../evaluation/runs/examples.ts";
import { prefill } from "../../generation/prompts.ts";
import type { Backend } from "../../kernels/backend.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { LoadError } from "../../tensor/errors.ts";
import { type WriteOptions, writeBeams, writeText } from "../../writing/write-text.ts";
import { FORMS } from "../flamingo/forms.ts";
import type { EvaluatedModel } from "./models.ts";

export interface Answering {
  readonly task: TaskName;
  readonly model: EvaluatedModel;
  readonly generation: WriteOptions;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

interface TextForm {
  readonly prompt: PromptWithImages<string>;
  readonly ends: readonly string[];
  readonly answer: (text: string) => string;
}

/** The answer of a demonstration. */
const rightText = ({ texts, right }: Example): string => texts[right] ?? "";

/** Strings at which the answer of a language model has ended. */
const TEXT_ENDS = ["\n", "Question:", "Answer:"];

/** Question and answer without images, as KOSMOS-1's prompts have them. */
function questionAlone(shown: readonly Example[], { question }: Example): TextForm {
  const task = { ...kosmosVqa, images: 0 };
  const demonstrations = shown.map((one) => ({ query: { question: one.question }, answer: rightText(one) }));
  const [text = ""] = kosmosPrompt<{ readonly question: string }, never>(task, demonstrations, {
    query: { question },
  });
  return {
    prompt: { text: typeof text === "string" ? text : "", images: [] },
    ends: TEXT_ENDS,
    answer: (generated) => textBefore(generated, TEXT_ENDS).trim(), // a beam search does not end there
  };
}

/** The prompt of a caption or a question. Throws a LoadError for an image that the model cannot read, or needs and has not. */
function formOf({ task, model }: Answering, shown: readonly Example[], example: Example): TextForm {
  const all = [...shown, example];
  if (model.kind === "text") {
    if (all.some(({ image }) => image !== null))
      throw new LoadError(
        "the model is a language model, which reads no images; name an OpenFlamingo or a Kosmos",
      );
    return questionAlone(shown, example);
  }
  if (all.some(({ image }) => image === null))
    throw new LoadError("it has no image, which the model's prompts have; leave the line out");
  const { prompt, ends, answer } = FORMS[model.kind][task === "caption" ? "caption" : "vqa"];
  const demonstrations = shown.map((one) => ({
    query: { question: one.question },
    image: one.image ?? "",
    answer: rightText(one),
  }));
  const query = { query: { question: example.question }, image: example.image ?? "" };
  return { prompt: prompt(demonstrations, query, false), ends, answer };
}

/** The answer that the model generates. */
async function generated(answering: Answering, shown: readonly Example[], example: Example): Promise<string> {
  const { model, generation, backend, signal } = answering;
  const { prompt, ends, answer } = formOf(answering, shown, example);
  const textModel = await model.withPictures(prompt.images);
  const { stop, never } = model;
  const options = { ...generation, stop, never, backend, signal };
  const ids = [model.idsOf(prompt.text)];
  if (generation.beams !== undefined) {
    const [[best] = []] = await writeBeams(textModel, ids, options);
    return answer(best?.text ?? "");
  }
  let text = "";
  for await (const piece of writeText(textModel, ids, { ...options, stopStrings: ends })) text += piece.text;
  return answer(text);
}

/** The text of an example up to its choices, behind its demonstrations with their right ones. */
export function contextOf(shown: readonly Example[], example: Example): PromptWithImages<string> {
  const all = [...shown, example];
  for (const choice of example.texts) checkPromptText(choice, "a choice");
  const text = all.map((one, i) => {
    const isShown = i < shown.length;
    const words = isShown ? `${one.question} ${rightText(one)}` : one.question;
    checkPromptText(words, isShown ? `the demonstration of line ${one.line}` : "the context");
    const space = isShown && all[i + 1]?.image === null ? " " : ""; // a space in front of an image would be a token
    return `${one.image === null ? "" : FLAMINGO_TOKENS.image}${words}${space}`;
  });
  return { text: text.join(""), images: all.flatMap(({ image }) => (image === null ? [] : [image])) };
}

/** The ids of a choice behind a text: what the tokens of both have more than those of the text. */
function choiceIds({ idsOf, tokenizer }: EvaluatedModel, text: string, choice: string): readonly number[] {
  const [before, both] = [idsOf(text), idsOf(`${text} ${choice}`)];
  const begins = before.every((id, i) => both[i] === id) && both.length > before.length;
  return begins ? both.slice(before.length) : tokenizer.encode(` ${choice}`, { special: false }); // [runs.choices]
}

/** The log-probabilities of the choices. */
async function ranked(
  { model, backend, signal }: Answering,
  shown: readonly Example[],
  example: Example,
): Promise<Pick<ExampleRecord, "sums" | "means">> {
  const { text, images } = contextOf(shown, example);
  if (images.length > 0 && model.kind === "text")
    throw new LoadError(
      "the model is a language model, which reads no images; name an OpenFlamingo or a Kosmos",
    );
  const { writer } = (await model.withPictures(images)).model;
  const classes = example.texts.map((choice) => choiceIds(model, text, choice));
  const prompts = prefill([model.idsOf(text)], model.stop[0] ?? 0);
  const [sums = []] = await rankClassifications(writer, prompts, {
    classes,
    normalizeLength: false,
    backend,
    signal,
  });
  if (!sums.every(Number.isFinite))
    throw new LoadError("a choice has a log-probability that is not finite; look for weights that are not");
  return { sums, means: sums.map((sum, i) => sum / (classes[i]?.length ?? 1)) };
}

/** The record of an example, but for its number. */
export async function recordOf(
  answering: Answering,
  shown: readonly Example[],
  example: Example,
): Promise<Pick<ExampleRecord, "answer" | "sums" | "means">> {
  if (answering.task === "rank") return ranked(answering, shown, example);
  return { answer: await generated(answering, shown, example) };
}
