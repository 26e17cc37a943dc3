// The trained models as folders, with pictures to try them on.
import { createFolder, writeFile } from "#host";
import type { FlamingoPaLM } from "../../models/flamingo/flamingo-palm.ts";
import type { Kosmos } from "../../models/kosmos/kosmos.ts";
import { saveFlamingoPaLM } from "../../pretrained/flamingo-palm/folder.ts";
import { saveKosmos } from "../../pretrained/kosmos/folder.ts";
import type { Picture } from "../digits/data.ts";
import { type DigitClassifier, PREPROCESSING, savePictures, saveTower } from "../smollm2-digits/vision.ts";
import { SETTINGS } from "./flamingo.ts";
import { TOKENIZER_FILES } from "./vocabulary.ts";

function saveTokenizer(folder: string): void {
  for (const [name, json] of Object.entries(TOKENIZER_FILES))
    writeFile(`${folder}/${name}`, new TextEncoder().encode(`${JSON.stringify(json, null, 1)}\n`));
}

/** Writes `folder` for `loadKosmos`, and the first held-out pictures in `pictures`. [kosmosDigits.folder] */
export async function saveKosmosDigits(
  folder: string,
  model: Kosmos,
  heldOut: readonly Picture[],
): Promise<void> {
  createFolder(folder);
  saveTokenizer(folder);
  await savePictures(`${folder}/pictures`, heldOut);
  saveKosmos(folder, model, { preprocessing: PREPROCESSING });
}

/** Writes `folder` for `loadFlamingoPaLM`, with the image tower in `vision`. [kosmosDigits.flamingo-folder] */
export function saveFlamingoDigits(folder: string, model: FlamingoPaLM, classifier: DigitClassifier): void {
  createFolder(folder);
  saveTokenizer(folder);
  saveTower(`${folder}/vision`, classifier);
  saveFlamingoPaLM(folder, model, SETTINGS);
}
