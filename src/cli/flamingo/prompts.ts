// The prompts of `flamboyance caption` and `vqa`: for each picture one, with its demonstrations, or one text that the user has written.
import type { PromptWithImages } from "../../evaluation/prompts.ts";
import { type Feature, imageFeatures, mostSimilar } from "../../evaluation/retrieval.ts";
import { IMAGE_TOKENS } from "../../io/tokenizers/kosmos/t5.ts";
import type { Backend } from "../../kernels/backend.ts";
import { counted } from "../../masks/sentences.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { rearrange } from "../../tensor/ops/arrange.ts";
import { named } from "../../tensor/pattern.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { progressOn } from "../../terminal/progress.ts";
import { UsageError } from "../usage-error.ts";
import { type CliDemonstration, demonstrationsOf } from "./demonstrations.ts";
import { FORMS } from "./forms.ts";
import type { Pictures } from "./loading.ts";
import { kindOfModel } from "./models.ts";
import type { PictureModel } from "./picture-model.ts";
import type { FlamingoRequest } from "./request.ts";

export type CliPrompt = PromptWithImages<string>;

/** The user's own text. Throws a UsageError unless it has an image token for each picture. */
function ownPrompt(text: string, images: readonly string[]): CliPrompt {
  const { image } = FLAMINGO_TOKENS;
  const tokens = text.split(image).length - 1;
  if (tokens !== images.length)
    throw new UsageError(
      `--prompt has ${counted(tokens, "image token")}, and there ${images.length === 1 ? "is" : "are"} ${counted(images.length, "picture")}; write ${image} where each picture stands, in their order`,
    );
  return { text, images };
}

/** The prompt of a Kosmos, in which `</image>` is written behind each picture without being part of the text. */
function checkedPrompt(folder: string, prompt: CliPrompt): CliPrompt {
  const [image, imageEnd] = IMAGE_TOKENS;
  if (kindOfModel(folder) === "kosmos" && prompt.text.includes(imageEnd))
    throw new UsageError(
      `the prompt contains ${imageEnd}, which follows each picture by itself; leave it out: ${image} alone stands for a picture`,
    );
  return prompt;
}

/** The prompt of one picture behind its demonstrations. */
function promptOf(request: FlamingoRequest, i: number, shown: readonly CliDemonstration[]): CliPrompt {
  const { task, folder, pictures, textOnly } = request;
  const question = request.questions[i] ?? "";
  const query = { query: { question }, image: pictures[i] ?? "" };
  const demonstrations = shown.map((one) => ({
    query: { question: one.question ?? question },
    image: one.image,
    answer: one.answer,
  }));
  return checkedPrompt(folder, FORMS[kindOfModel(folder)][task].prompt(demonstrations, query, textOnly));
}

/** The features of pictures, one after another, with a progress bar. */
async function featuresOf(
  { tower }: PictureModel,
  paths: readonly string[],
  pictures: Pictures,
  backend: Backend,
): Promise<Feature[]> {
  const bar = progressOn(process.stderr);
  async function* batches(): AsyncGenerator<Tensor<"b c h w">, void> {
    for (const [i, path] of paths.entries()) {
      bar.step(i, paths.length, "pictures encoded");
      yield named("b c h w", rearrange("c h w -> 1 c h w", await pictures.read(path)));
    }
  }
  try {
    return await imageFeatures(tower, batches(), { backend });
  } finally {
    bar.clear();
  }
}

/** The prompts that a request can be written into before its model is loaded: all, unless demonstrations are chosen by similarity. */
export function promptsOf(request: FlamingoRequest): CliPrompt[] {
  const { prompt, pictures, folder } = request;
  if (prompt !== null) return [checkedPrompt(folder, ownPrompt(prompt, pictures))];
  const shown = demonstrationsOf(request);
  return pictures.map((_, i) => promptOf(request, i, shown));
}

/** The prompts with the demonstrations whose pictures are most similar to each query's. */
export async function similarPrompts(
  request: FlamingoRequest,
  model: PictureModel,
  pictures: Pictures,
  backend: Backend,
): Promise<CliPrompt[]> {
  const all = demonstrationsOf(request);
  const paths = [...all.map(({ image }) => image), ...request.pictures];
  const features = await featuresOf(model, paths, pictures, backend);
  const [examples, queries] = [features.slice(0, all.length), features.slice(all.length)];
  return queries.map((query, i) => {
    const shown = mostSimilar(query, examples, request.shots ?? 0).flatMap((n) => all[n] ?? []);
    return promptOf(request, i, shown);
  });
}
