// The result as the folder of an OpenFlamingo, with pictures to try it on.
import { saveFlamingo } from "../../pretrained/open-flamingo/folder.ts";
import type { Picture } from "../digits/data.ts";
import { type SmolDigits, settingsOf } from "./model.ts";
import { savePictures, saveTower } from "./vision.ts";

/**
 * Writes `folder` for `loadFlamingo`: the trained part, the image tower in `vision`, the absolute path of the language model, and the first
 * held-out pictures in `pictures`. [smollm2Digits.folder]
 */
export async function saveSmolDigits(
  folder: string,
  model: SmolDigits,
  languageModel: string,
  heldOut: readonly Picture[],
): Promise<void> {
  saveTower(`${folder}/vision`, model.classifier);
  await savePictures(`${folder}/pictures`, heldOut);
  saveFlamingo(folder, model.flamingo.model, {
    ...settingsOf(model.firstLayer),
    lang_encoder_path: languageModel,
    vision_encoder_path: "vision",
  });
}
