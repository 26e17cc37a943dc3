// The models of `flamboyance caption` and `vqa`: an OpenFlamingo, a Kosmos, or a FlamingoPaLM.
import { kindOf } from "#host";
import { loadDigitsModel } from "../../demos/digits/model.ts";
import { towerOf } from "../../evaluation/retrieval.ts";
import { kosmosLayout } from "../../models/kosmos/layout.ts";
import { FLAMINGO_TOKENS } from "../../models/open-flamingo/tokens.ts";
import { loadFlamingoPaLM, SETTINGS as PALM_SETTINGS } from "../../pretrained/flamingo-palm/folder.ts";
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
import type { ModelKind } from "./forms.ts";
import { ofDigits, ofFlamingoPaLM } from "./palm.ts";
import type { PictureModel } from "./picture-model.ts";

/** The kind of model at a path: a Kosmos has kosmos.json, a FlamingoPaLM flamingo-palm.json, and the digits' model is a file. */
export function kindOfModel(path: string): ModelKind {
  if (kindOf(path) === "file") return "digits";
  const has = (name: string): boolean => kindOf(`${path}/${name}`) === "file";
  if (has(KOSMOS_SETTINGS)) return "kosmos";
  return has(PALM_SETTINGS) ? "flamingo-palm" : "open-flamingo";
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

/** The model at a path. Throws as `loadFlamingo`, `loadKosmos`, `loadFlamingoPaLM` and `loadDigitsModel` do. */
export async function pictureModel(
  kind: ModelKind,
  folder: string,
  options: LoadFlamingoOptions,
): Promise<PictureModel> {
  if (kind === "kosmos") return ofKosmos(await loadKosmos(folder));
  if (kind === "flamingo-palm") return ofFlamingoPaLM(await loadFlamingoPaLM(folder));
  if (kind === "digits") return ofDigits(loadDigitsModel(folder));
  return ofFlamingo(await loadFlamingo(folder, options));
}
