// The target that reads the folder of a Kosmos.
import { writeSafetensors } from "../../../../src/io/safetensors/write.ts";
import { stateDict } from "../../../../src/nn/state-dict.ts";
import { loadKosmos } from "../../../../src/pretrained/kosmos/folder.ts";
import { settingsIn } from "../../../../src/pretrained/kosmos/settings.ts";
import { smallKosmos } from "../../fixtures/kosmos/small.ts";
import { damagedJson, damagedText, type Json } from "../json.ts";
import { target } from "../target.ts";
import { written } from "./tokenizers.ts";

const model = smallKosmos();
const WEIGHTS = writeSafetensors(stateDict(model), { floats: "F32" });
const SETTINGS = JSON.parse(JSON.stringify(settingsIn(model))) as Json;

/** Damaged settings beside whole weights. The folder has no tokenizer, so that whole settings are refused in the end, too. */
export const kosmosSettings = target<Uint8Array>({
  inputs: damagedText(damagedJson([SETTINGS])),
  size: (settings) => settings.length + WEIGHTS.length,
  show: (settings) => Buffer.from(settings).toString("latin1"),
  asynchronous: true,
  async read(settings, folder) {
    (await loadKosmos(written(folder, { "kosmos.json": settings, "model.safetensors": WEIGHTS }))).close();
  },
});
