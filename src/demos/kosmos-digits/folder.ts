// The trained Kosmos as a folder, with pictures to try it on.
import { createFolder, writeFile } from "#host";
import type { Kosmos } from "../../models/kosmos/kosmos.ts";
import { saveKosmos } from "../../pretrained/kosmos/folder.ts";
import type { Picture } from "../digits/data.ts";
import { PREPROCESSING, savePictures } from "../smollm2-digits/vision.ts";
import { TOKENIZER_FILES } from "./vocabulary.ts";

/** Writes `folder` for `loadKosmos`, and the first held-out pictures in `pictures`. [kosmosDigits.folder] */
export async function saveKosmosDigits(
  folder: string,
  model: Kosmos,
  heldOut: readonly Picture[],
): Promise<void> {
  createFolder(folder);
  for (const [name, json] of Object.entries(TOKENIZER_FILES))
    writeFile(`${folder}/${name}`, new TextEncoder().encode(`${JSON.stringify(json, null, 1)}\n`));
  await savePictures(`${folder}/pictures`, heldOut);
  saveKosmos(folder, model, { preprocessing: PREPROCESSING });
}
