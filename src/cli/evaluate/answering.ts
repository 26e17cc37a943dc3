// What a model answers to an example behind its demonstrations: generated text, or the log-probabilities of choices.
import { textBefore } from "../../evaluation/answers.ts";
import { ensembled, ensembleOrders } from "../../evaluation/classes.ts";
import {
  kosmosChainPrompt,
  kosmosDescriptionPrompt,
  kosmosIqPrompt,
  kosmosPrompt,
  kosmosRationalePrompt,
  kosmosVqa,
  type PromptSegment,
} from "../../evaluation/kosmos-prompts.ts";
import { checkPromptText, type PromptWithImages } from "../../evaluation/prompts.ts";
import { rankClassifications } from "../../evaluation/rank-classification.ts";
import type { Example, ExampleRecord, TaskName } from "../../evaluation/runs/examples.ts";
import { prefill } from "../../generation/prompts.ts";
import { quoted } from "../../io/wording.ts";
import type { Backend } from "../../kernels/backend.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { LoadError } from "../../tensor/errors.ts";
import { type WriteOptions, writeBeams, writeText } from "../../writing/write-text.ts";
import { FORMS } from "../flamingo/forms.ts";
import type { Method } from "./method.ts";
import type { EvaluatedModel } from "./models.ts";

export interface Answering {
  readonly task: TaskName;
  readonly model: EvaluatedModel;
  readonly generation: WriteOptions;
  readonly method: Method;
  /** The names that an answer can be; empty: any text. */
  readonly only: readonly string[];
  /** The seed of the orders of demonstrations. */
  readonly seed: number;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

type Scores = Pick<ExampleRecord, "sums" | "means">;

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
function formOf({ task, model, method }: Answering, shown: readonly Example[], example: Example): TextForm {
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
  if (method.textOnly && model.kind !== "open-flamingo")
    throw new LoadError("--text-only is open-flamingo's; demonstrations of this model have their images");
  const { prompt, ends, answer } = FORMS[model.kind][task === "caption" || task === "name" ? task : "vqa"];
  const demonstrations = shown.map((one) => ({
    query: { question: one.question },
    image: one.image ?? "",
    answer: rightText(one),
  }));
  const query = { query: { question: example.question }, image: example.image ?? "" };
  return { prompt: prompt(demonstrations, query, method.textOnly), ends, answer };
}

/** The text that the model generates behind a prompt. */
async function written(
  { model, generation, only, backend, signal }: Answering,
  { prompt, ends, answer }: TextForm,
): Promise<string> {
  const textModel = await model.withPictures(prompt.images);
  const { stop, never } = model;
  const space = model.kind === "open-flamingo" ? "" : " "; // its prompts have no space before an answer
  const onlyTexts = only.map((name) => choiceIds(model, prompt.text, `${space}${name}`)); // [generate.only-texts]
  const maxTokens = Math.max(generation.maxTokens, ...onlyTexts.map((ids) => ids.length + 1));
  const limits = only.length === 0 ? {} : { onlyTexts, maxTokens };
  const options = { ...generation, ...limits, stop, never, backend, signal };
  const ids = [model.idsOf(prompt.text)];
  if (generation.beams !== undefined) {
    const [[best] = []] = await writeBeams(textModel, ids, options);
    return answer(best?.text ?? "");
  }
  let text = "";
  for await (const piece of writeText(textModel, ids, { ...options, stopStrings: ends })) text += piece.text;
  return answer(text);
}

/** The segments of a prompt of KOSMOS-1 as a text, in which `<image>` stands for each picture. */
function textOf(segments: readonly PromptSegment<string>[]): PromptWithImages<string> {
  const text = segments.map((one) => (typeof one === "string" ? one : FLAMINGO_TOKENS.image)).join("");
  return { text, images: segments.flatMap((one) => (typeof one === "string" ? [] : [one.image])) };
}

/** Throws a LoadError for a model without prompts of KOSMOS-1 that have images. */
function checkKosmos({ kind }: EvaluatedModel, what: string): void {
  if (kind !== "kosmos" && kind !== "flamingo-palm")
    throw new LoadError(`${what} has prompts of KOSMOS-1; name the folder of a Kosmos or a FlamingoPaLM`);
}

/** Strings at which a text of a Kosmos has ended. */
const KOSMOS_ENDS = ["Question:", "Answer:"];

/** The answer behind a description of the image, which the model generates first. [evaluate.kosmos-chain] */
async function chained(
  answering: Answering,
  { image, question }: Example,
): Promise<Pick<ExampleRecord, "rationale" | "answer">> {
  checkKosmos(answering.model, "--chain");
  if (image === null) throw new LoadError("it has no image to describe; leave the line out");
  const answer = (text: string): string => textBefore(text, KOSMOS_ENDS).trim();
  const form = (segments: readonly PromptSegment<string>[]): TextForm => ({
    prompt: textOf(segments),
    ends: KOSMOS_ENDS,
    answer,
  });
  const rationale = await written(answering, form(kosmosRationalePrompt(image)));
  const asked = kosmosVqa.question({ question });
  return { rationale, answer: await written(answering, form(kosmosChainPrompt(image, rationale, asked))) };
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

/** The ids of a choice, with the space before it, behind a text: what the tokens of both have more than those of the text. */
function choiceIds({ idsOf, tokenizer }: EvaluatedModel, text: string, choice: string): readonly number[] {
  const [before, both] = [idsOf(text), idsOf(`${text}${choice}`)];
  const begins = before.every((id, i) => both[i] === id) && both.length > before.length;
  return begins ? both.slice(before.length) : tokenizer.encode(choice, { special: false }); // [runs.choices]
}

/** The log-probabilities of choices behind a prompt. */
async function scored(
  { model, backend, signal }: Answering,
  { text, images }: PromptWithImages<string>,
  choices: readonly string[],
): Promise<Required<Scores>> {
  if (images.length > 0 && model.kind === "text")
    throw new LoadError(
      "the model is a language model, which reads no images; name an OpenFlamingo or a Kosmos",
    );
  const { writer, plan } = (await model.withPictures(images)).model;
  const classes = choices.map((choice) => choiceIds(model, text, ` ${choice}`));
  const ids = model.idsOf(text);
  const tokens = ids.length + Math.max(...classes.map(({ length }) => length));
  if (tokens > plan.longest)
    throw new LoadError(
      `the text with its longest choice has ${tokens} tokens, and a text of this model at most ${plan.longest}; shorten it, or ask for fewer demonstrations`,
    );
  const prompts = prefill([ids], model.stop[0] ?? 0);
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

/** The log-probabilities of the choices, averaged over orders of the demonstrations if asked. */
async function ranked(
  answering: Answering,
  shown: readonly Example[],
  example: Example,
): Promise<Required<Scores>> {
  const { method, seed } = answering;
  const { positive } = method;
  if (positive !== null && !example.texts.includes(positive))
    throw new LoadError(`it has no choice ${quoted(positive)}, which --positive names`);
  if (!method.orders) return scored(answering, contextOf(shown, example), example.texts);
  const all: Required<Scores>[] = [];
  for (const order of ensembleOrders(shown.length, seed)) {
    const ordered = order.flatMap((at) => shown[at] ?? []);
    all.push(await scored(answering, contextOf(ordered, example), example.texts));
  }
  return { sums: ensembled(all.map(({ sums }) => sums)), means: ensembled(all.map(({ means }) => means)) };
}

/** The log-probability of "Yes" behind a matrix with each of its candidates. [evaluate.kosmos-iq] */
async function completed(answering: Answering, { matrix = [], texts }: Example): Promise<Required<Scores>> {
  checkKosmos(answering.model, "iq");
  const all: Required<Scores>[] = [];
  for (const candidate of texts)
    all.push(await scored(answering, textOf(kosmosIqPrompt(matrix, candidate)), ["Yes"]));
  return { sums: all.flatMap(({ sums }) => sums), means: all.flatMap(({ means }) => means) };
}

/** The log-probabilities of names behind descriptions of the classes. */
async function described(
  answering: Answering,
  { image, question, texts, descriptions = [] }: Example,
): Promise<Required<Scores>> {
  checkKosmos(answering.model, "describe");
  for (const choice of texts) checkPromptText(choice, "a choice");
  const prompt = kosmosDescriptionPrompt(descriptions, image ?? "", question);
  return scored(answering, textOf(prompt), texts);
}

/** The record of an example, but for its number. */
export async function recordOf(
  answering: Answering,
  shown: readonly Example[],
  example: Example,
): Promise<Pick<ExampleRecord, "answer" | "rationale" | "sums" | "means">> {
  const { task, method } = answering;
  if (task === "rank") return ranked(answering, shown, example);
  if (task === "iq") return completed(answering, example);
  if (task === "describe") return described(answering, example);
  if (method.chain) return chained(answering, example);
  return { answer: await written(answering, formOf(answering, shown, example)) };
}
