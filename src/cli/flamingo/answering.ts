// Answers of `flamboyance caption` and `vqa`: text that the model generates behind a prompt with images, and the attention behind it.
import { attentionWeights } from "../../generation/attention-maps.ts";
import type { ChosenToken } from "../../generation/choose.ts";
import type { Backend } from "../../kernels/backend.ts";
import { type Finish, type TextModel, writeBeams, writeText } from "../../writing/write-text.ts";
import { attentionOf, type WordAttention } from "./attention.ts";
import { FORMS } from "./forms.ts";
import type { Pictures } from "./loading.ts";
import { kindOfModel } from "./models.ts";
import type { PictureModel } from "./picture-model.ts";
import type { CliPrompt } from "./prompts.ts";
import type { FlamingoRequest } from "./request.ts";

export interface Answer {
  readonly prompt: CliPrompt;
  readonly promptIds: readonly number[];
  /** The generated text, without special tokens. */
  readonly text: string;
  /** The answer in the text, as the evaluation extracts it; for a prompt of the user's, the text itself. */
  readonly answer: string;
  readonly tokens: readonly ChosenToken[];
  readonly finish: Finish;
  /** The score of a beam search; null for other texts. */
  readonly score: number | null;
  readonly attention: readonly WordAttention[] | null;
}

export interface Answering {
  readonly request: FlamingoRequest;
  readonly model: PictureModel;
  readonly pictures: Pictures;
  readonly backend: Backend;
  readonly signal: AbortSignal;
}

type Generated = Pick<Answer, "text" | "tokens" | "finish" | "score">;

/** Tokens that are chosen one after another; `print` is given the text as it is written. */
async function streamed(
  model: TextModel,
  ids: readonly number[],
  options: Parameters<typeof writeText>[2],
  print: (text: string) => void,
): Promise<Generated> {
  const tokens: ChosenToken[] = [];
  let text = "";
  let finish: Finish = { reason: "length" };
  for await (const piece of writeText(model, [ids], options)) {
    text += piece.text;
    if (piece.token) tokens.push(piece.token);
    if (piece.finish) finish = piece.finish;
    print(piece.text);
  }
  return { text, tokens, finish, score: null };
}

/** The best text of a beam search. */
async function searched(
  model: TextModel,
  ids: readonly number[],
  options: Parameters<typeof writeText>[2],
): Promise<Generated> {
  const [[best] = []] = await writeBeams(model, [ids], options);
  if (!best) return { text: "", tokens: [], finish: { reason: "length" }, score: null };
  const tokens = best.ids.map((id): ChosenToken => ({ id, logProbability: null, alternatives: [] }));
  return { text: best.text, tokens, finish: best.finish, score: best.score };
}

/** The answer to one prompt. `print` is given the answer in pieces, as it is written. */
export async function answered(
  { request, model, pictures, backend, signal }: Answering,
  prompt: CliPrompt,
  print: (text: string) => void,
): Promise<Answer> {
  const { task, folder, generation } = request;
  const { stop, never, crossAttentionWeights: weights } = model;
  const { ends, answer: answerIn } = FORMS[kindOfModel(folder)][task];
  const promptIds = model.idsOf(prompt.text);
  const textModel = model.withPictures(await pictures.together(prompt.images));
  const isOwn = request.prompt !== null;
  const isSearch = generation.beams !== undefined;
  const options = {
    ...generation,
    stop,
    never,
    stopStrings: [...(generation.stopStrings ?? []), ...(isOwn || isSearch ? [] : ends)],
    backend,
    signal,
  };
  const clean = isOwn ? (text: string) => text : answerIn;
  const generated = isSearch
    ? await searched(textModel, promptIds, options)
    : await streamed(textModel, promptIds, options, (text) => print(clean(text)));
  const answer = clean(generated.text);
  if (isSearch) print(answer);
  const attention =
    request.attend && weights
      ? attentionOf(
          await attentionWeights(
            textModel.model.writer,
            [...promptIds, ...generated.tokens.map(({ id }) => id)],
            {
              weights,
              images: prompt.images.length,
              backend,
            },
          ),
          promptIds.length,
        )
      : null;
  return { prompt, promptIds, ...generated, answer, attention };
}
