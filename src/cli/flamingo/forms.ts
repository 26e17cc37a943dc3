// The prompts of `flamboyance caption` and `vqa`, by kind of model: in an OpenFlamingo pictures are tokens of the text, in a Kosmos positions.
import { captionAnswer, textBefore, vqaAnswer } from "../../evaluation/answers.ts";
import {
  type KosmosTask,
  kosmosCaptions,
  kosmosImageNet,
  kosmosPrompt,
  kosmosVqa,
} from "../../evaluation/kosmos-prompts.ts";
import {
  captionTask,
  type Demonstration,
  fewShotPrompt,
  imagenetTask,
  type PromptWithImages,
  type Task,
  vqaTask,
} from "../../evaluation/prompts.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import type { FlamingoTask } from "./request.ts";

interface Question {
  readonly question: string;
}

/** The prompt of one kind of task, and the answer in what is generated behind it. Pictures are paths. */
interface TaskForm {
  readonly prompt: (
    demonstrations: readonly Demonstration<Question, string>[],
    query: { readonly query: Question; readonly image: string },
    textOnly: boolean,
  ) => PromptWithImages<string>;
  /** Strings at which the answer has ended. */
  readonly ends: readonly string[];
  readonly answer: (text: string) => string;
}

/** Names of settings files, and of a file of weights, tell the kinds apart: see `kindOfModel`. */
export type ModelKind = "open-flamingo" | "kosmos" | "flamingo-palm" | "digits";

type Forms = { readonly [T in FlamingoTask | "name"]: TaskForm };

/** Strings at which an answer of a Kosmos has ended. */
const KOSMOS_ENDS = ["Question:", "Answer:"];
const asIs = (text: string): string => text;

const promptOfFlamingo =
  (task: Task<Question>): TaskForm["prompt"] =>
  (demonstrations, query, textOnly) =>
    fewShotPrompt(task, demonstrations, query, { textOnly });

/** The segments of a prompt of KOSMOS-1 as a text, in which `<image>` stands for each picture. */
const promptOfKosmos =
  (task: KosmosTask<Question>): TaskForm["prompt"] =>
  (demonstrations, { query, image }) => {
    const shown = demonstrations.map((one) => ({ ...one, images: [one.image] }));
    const segments = kosmosPrompt(task, shown, { query, images: [image] });
    const text = segments.map((one) => (typeof one === "string" ? one : FLAMINGO_TOKENS.image)).join("");
    return { text, images: segments.flatMap((one) => (typeof one === "string" ? [] : [one.image])) };
  };

/** KOSMOS-1's, on which also the FlamingoPaLM of `train kosmos-digits` is trained. */
const kosmosForms: Forms = {
  name: { prompt: promptOfKosmos(kosmosImageNet), ends: [], answer: asIs },
  caption: { prompt: promptOfKosmos(kosmosCaptions), ends: [], answer: asIs },
  vqa: {
    prompt: promptOfKosmos(kosmosVqa),
    ends: KOSMOS_ENDS,
    answer: (text) => textBefore(text, KOSMOS_ENDS), // a beam search does not end there
  },
};

/** Texts of the digits' model, whose words are its vocabulary: a caption, or a beginning of one and the number that ends it. */
const digitsCaptions: KosmosTask<object> = { images: 1, question: () => "", answer: "generated" };
const digitsQuestions: KosmosTask<Question> = {
  images: 1,
  question: ({ question }) => question,
  answer: "generated",
};

/** In the texts of the digits' model a full stop ends every caption. */
const promptOfDigits =
  (task: KosmosTask<Question>): TaskForm["prompt"] =>
  (demonstrations, query, textOnly) => {
    const ended = demonstrations.map((one) => ({ ...one, answer: one.answer.replace(/\s*\.?\s*$/, ".") }));
    return promptOfKosmos(task)(ended, query, textOnly);
  };

/** The prompts of a kind of model, which are those of its evaluation. */
export const FORMS: { readonly [K in ModelKind]: Forms } = {
  "open-flamingo": {
    caption: { prompt: promptOfFlamingo(captionTask), ends: ["Output"], answer: captionAnswer },
    name: { prompt: promptOfFlamingo(imagenetTask), ends: ["Output"], answer: captionAnswer },
    vqa: {
      prompt: promptOfFlamingo(vqaTask),
      ends: ["Question", "Answer", "Short", ", "],
      answer: vqaAnswer,
    },
  },
  kosmos: kosmosForms,
  "flamingo-palm": kosmosForms,
  digits: {
    name: { prompt: promptOfDigits(digitsCaptions), ends: [], answer: asIs },
    caption: { prompt: promptOfDigits(digitsCaptions), ends: [], answer: asIs },
    vqa: { prompt: promptOfDigits(digitsQuestions), ends: [], answer: asIs },
  },
};
