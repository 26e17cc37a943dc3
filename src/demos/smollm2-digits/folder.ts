// The result as the folder of an OpenFlamingo, with pictures to try it on.
import { createFolder, writeFile } from "#host";
import { encodePng } from "../../io/images/png/write.ts";
import { saveFlamingo } from "../../pretrained/open-flamingo/folder.ts";
import { NUMBERS } from "../digits/captions.ts";
import type { Picture } from "../digits/data.ts";
import { type SmolDigits, settingsOf } from "./model.ts";
import { pictureImage, saveTower } from "./vision.ts";

/** Held-out pictures that are written as files. */
const PICTURES = 10;

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
  createFolder(`${folder}/pictures`);
  for (const [i, picture] of heldOut.slice(0, PICTURES).entries())
    writeFile(
      `${folder}/pictures/${i}-${NUMBERS[picture.digit]}.png`,
      await encodePng(pictureImage(picture)),
    );
  saveFlamingo(folder, model.flamingo.model, {
    ...settingsOf(model.firstLayer),
    lang_encoder_path: languageModel,
    vision_encoder_path: "vision",
  });
}
