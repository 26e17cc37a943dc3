// The arguments of `flamboyance caption` and `flamboyance vqa`.
import { counted } from "../../masks/sentences.ts";
import type { WriteOptions } from "../../writing/write-text.ts";
import { optionalWhole, type readArguments } from "../arguments.ts";
import { UsageError } from "../usage-error.ts";
import {
  COMPUTATION_OPTIONS,
  type Computation,
  computationOf,
  GENERATION_OPTIONS,
  generationOf,
} from "../write/request.ts";

export const FLAMINGO_OPTIONS = {
  model: { type: "string" },
  "language-model": { type: "string" },
  question: { type: "string", multiple: true },
  prompt: { type: "string" },
  demo: { type: "string", multiple: true },
  demos: { type: "string" },
  shots: { type: "string" },
  rices: { type: "boolean", default: false },
  "text-only": { type: "boolean", default: false },
  attend: { type: "boolean", default: false },
  ...GENERATION_OPTIONS,
  "max-tokens": { type: "string", default: "20" },
  ...COMPUTATION_OPTIONS,
  help: { type: "boolean", default: false },
} as const;

export type FlamingoValues = ReturnType<typeof readArguments<typeof FLAMINGO_OPTIONS>>["values"];

export type FlamingoTask = "caption" | "vqa";

/** Pictures of one command, and demonstrations of one prompt, at most. */
const [MOST_PICTURES, MOST_SHOTS] = [1024, 64];

/** How to get a folder, for messages. */
export const HOW_TO_GET_A_FOLDER = "flamboyance train smollm2-digits and train kosmos-digits make one";

/** A demonstration of the command line: the question is that of the query. */
export interface GivenDemonstration {
  readonly image: string;
  readonly answer: string;
}

export interface FlamingoRequest extends Computation {
  readonly task: FlamingoTask;
  readonly folder: string;
  /** The folder of the language model, in place of the one that the folder names. */
  readonly languageModel: string | undefined;
  readonly pictures: readonly string[];
  /** The question about each picture; empty for captions. */
  readonly questions: readonly string[];
  /** A text with an image token for each picture, in place of the prompts of the task; null: one prompt for each picture. */
  readonly prompt: string | null;
  readonly demonstrations: readonly GivenDemonstration[];
  /** A file of demonstrations, or a folder that has one. */
  readonly demosPath: string | undefined;
  /** The number of demonstrations that are taken; undefined: all. */
  readonly shots: number | undefined;
  readonly rices: boolean;
  readonly textOnly: boolean;
  readonly attend: boolean;
  readonly generation: WriteOptions;
  readonly json: boolean;
}

/** IMAGE=ANSWER */
function demonstration(text: string): GivenDemonstration {
  const at = text.indexOf("=");
  const answer = text.slice(at + 1);
  if (at > 0 && answer.trim() !== "") return { image: text.slice(0, at), answer };
  throw new UsageError(
    `--demo is IMAGE=ANSWER, such as cat.png="a cat", not "${text}"; names with = in them go into a file for --demos`,
  );
}

/** The question of each picture: one for all, or one for each. */
function questionsOf(task: FlamingoTask, values: FlamingoValues, pictures: number): string[] {
  const given = values.question ?? [];
  if (task === "caption") {
    if (given.length > 0) throw new UsageError("--question is an option of vqa, not of caption");
    return [];
  }
  if (values.prompt !== undefined) {
    if (given.length > 0) throw new UsageError("--prompt is the whole text; write the question into it");
    return [];
  }
  if (given.length === 0 || given.some((text) => text.trim() === ""))
    throw new UsageError('vqa needs --question "…"');
  if (given.length !== 1 && given.length !== pictures)
    throw new UsageError(
      `there are ${counted(given.length, "question")} and ${counted(pictures, "picture")}; give one question for all, or one for each`,
    );
  return Array.from({ length: pictures }, (_, i) => given[i] ?? given[0] ?? "");
}

/** Throws a UsageError for options of demonstrations that do not go together. */
function checkDemonstrations(values: FlamingoValues): void {
  const { demo = [], demos, prompt, rices } = values;
  if (demos === "") throw new UsageError("--demos is empty; name a file or a folder");
  const any = demo.length > 0 || demos !== undefined;
  if (prompt !== undefined && any)
    throw new UsageError(
      "--prompt is the whole text, and --demo and --demos write a part of it; give one of both",
    );
  if (rices && (demos === undefined || values.shots === undefined))
    throw new UsageError("--rices chooses among demonstrations; it needs --demos and --shots K");
  if (values.shots !== undefined && !any) throw new UsageError("--shots needs --demo or --demos");
  if (values["text-only"] && !any) throw new UsageError("--text-only needs --demo or --demos");
}

/** The request of a command line. Throws a UsageError that names the option and the remedy. */
export function flamingoRequest(
  task: FlamingoTask,
  values: FlamingoValues,
  pictures: readonly string[],
): FlamingoRequest {
  if (!values.model)
    throw new UsageError(`${task} needs --model FOLDER, an OpenFlamingo or a Kosmos; ${HOW_TO_GET_A_FOLDER}`);
  if (values["language-model"] === "") throw new UsageError("--language-model is empty; name a folder");
  if (pictures.length === 0 || pictures.includes(""))
    throw new UsageError(`${task} takes one picture or several: PNG or JPEG files`);
  if (pictures.length > MOST_PICTURES)
    throw new UsageError(`${task} takes at most ${MOST_PICTURES} pictures, not ${pictures.length}`);
  checkDemonstrations(values);
  return {
    task,
    folder: values.model,
    languageModel: values["language-model"],
    pictures,
    questions: questionsOf(task, values, pictures.length),
    prompt: values.prompt ?? null,
    demonstrations: (values.demo ?? []).map(demonstration),
    demosPath: values.demos,
    shots: optionalWhole("shots", values.shots, 1, MOST_SHOTS),
    rices: values.rices,
    textOnly: values["text-only"],
    attend: values.attend,
    generation: generationOf(values),
    ...computationOf(values),
    json: values.json,
  };
}
