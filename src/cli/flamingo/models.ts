// The models of `flamboyance caption` and `vqa`: an OpenFlamingo, whose pictures are tokens of the text, or a Kosmos, whose pictures are positions.
import { kindOf } from "#host";
import { captionAnswer, textBefore, vqaAnswer } from "../../evaluation/answers.ts";
import { type KosmosTask, kosmosCaptions, kosmosPrompt, kosmosVqa } from "../../evaluation/kosmos-prompts.ts";
import {
  captionTask,
  type Demonstration,
  fewShotPrompt,
  type PromptWithImages,
  type Task,
  vqaTask,
} from "../../evaluation/prompts.ts";
import { type FeatureTower, towerOf } from "../../evaluation/retrieval.ts";
import type { Image } from "../../io/images/image.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { kosmosLayout } from "../../models/kosmos/layout.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { type LoadedKosmos, loadKosmos } from "../../pretrained/kosmos/folder.ts";
import { kosmosMemoryPlan } from "../../pretrained/kosmos/memory-plan.ts";
import { SETTINGS as KOSMOS_SETTINGS } from "../../pretrained/kosmos/settings.ts";
import {
  type LoadedFlamingo,
  type LoadFlamingoOptions,
  loadFlamingo,
} from "../../pretrained/open-flamingo/folder.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { TextModel } from "../../writing/write-text.ts";
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

export type ModelKind = "open-flamingo" | "kosmos";

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

/** The prompts of a kind of model, which are those of its evaluation. */
export const FORMS: { readonly [K in ModelKind]: { readonly [T in FlamingoTask]: TaskForm } } = {
  "open-flamingo": {
    caption: { prompt: promptOfFlamingo(captionTask), ends: ["Output"], answer: captionAnswer },
    vqa: {
      prompt: promptOfFlamingo(vqaTask),
      ends: ["Question", "Answer", "Short", ", "],
      answer: vqaAnswer,
    },
  },
  kosmos: {
    caption: { prompt: promptOfKosmos(kosmosCaptions), ends: [], answer: asIs },
    vqa: {
      prompt: promptOfKosmos(kosmosVqa),
      ends: KOSMOS_ENDS,
      answer: (text) => textBefore(text, KOSMOS_ENDS), // a beam search does not end there
    },
  },
};

/** The kind of model in a folder: a Kosmos has kosmos.json. */
export const kindOfModel = (folder: string): ModelKind =>
  kindOf(`${folder}/${KOSMOS_SETTINGS}`) === "file" ? "kosmos" : "open-flamingo";

/** A model that continues texts with pictures. */
export interface PictureModel {
  readonly tokenizer: Tokenizer;
  /** From a photograph to what the image tower takes. */
  readonly imageProcessor: (image: Image) => Tensor<"c h w">;
  /** The tower, as pictures are compared by it. */
  readonly tower: FeatureTower;
  /** The ids of a text in which `<image>` stands for each picture. */
  readonly idsOf: (text: string) => readonly number[];
  /** The model with the pictures of one text. */
  readonly withPictures: (pictures: Tensor<"b m f c h w">) => TextModel;
  /** Tokens that end an answer, and tokens that no answer has. */
  readonly stop: readonly number[];
  readonly never: readonly number[];
  /** Names of the weights of attention to pictures; null: pictures are read by self-attention. */
  readonly crossAttentionWeights: readonly string[] | null;
  readonly close: () => void;
}

function ofFlamingo({ model, tokenizer, language, imageProcessor, close }: LoadedFlamingo): PictureModel {
  const { eocTokenId, mediaTokenId } = model.options;
  return {
    tokenizer,
    imageProcessor,
    tower: towerOf(model.vision_encoder),
    idsOf: (text) => tokenizer.encode(text),
    withPictures: (pictures) => ({ model: { ...language, writer: model.withMedia(pictures) }, tokenizer }),
    stop: [eocTokenId],
    never: [mediaTokenId], // an image that there is not
    crossAttentionWeights: model.crossAttentionWeights,
    close,
  };
}

function ofKosmos(loaded: LoadedKosmos): PictureModel {
  const { model, tokenizer, imageProcessor, close } = loaded;
  const { tokens, slots } = model.options;
  const { maxPositions } = model.decoder.options;
  const room = maxPositions === null ? {} : { maxPositions };
  const plan = kosmosMemoryPlan(loaded);
  return {
    tokenizer,
    imageProcessor,
    tower: towerOf(model.clip_model),
    idsOf(text) {
      const segments = text
        .split(FLAMINGO_TOKENS.image)
        .flatMap((part, i) => [
          ...(i > 0 ? ["image" as const] : []),
          ...(part === "" ? [] : [tokenizer.encode(part, { special: false })]),
        ]);
      return kosmosLayout(segments, { tokens, slots, end: false, ...room }).ids;
    },
    withPictures(pictures) {
      const images = rearrange("b m 1 c h w -> b m c h w", named("b m 1 c h w", pictures));
      const writer = model.withMedia({ images: named("b m c h w", images) });
      return { model: { writer, config: {}, generationConfig: null, plan }, tokenizer };
    },
    stop: [tokens.eos],
    never: [tokens.pad, tokens.image, tokens.imageEnd],
    crossAttentionWeights: null,
    close,
  };
}

/** The model of a folder. Throws as `loadFlamingo` and `loadKosmos` do. */
export async function pictureModel(
  kind: ModelKind,
  folder: string,
  options: LoadFlamingoOptions,
): Promise<PictureModel> {
  return kind === "kosmos"
    ? ofKosmos(await loadKosmos(folder))
    : ofFlamingo(await loadFlamingo(folder, options));
}
