// The executable half of 75-flamingo-palm.md. Logits of a loaded model are compared with those of the saved one.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { flamingoReader, SETTINGS } from "../../../src/demos/kosmos-digits/flamingo.ts";
import { saveFlamingoDigits } from "../../../src/demos/kosmos-digits/folder.ts";
import { digitClassifier, PREPROCESSING } from "../../../src/demos/smollm2-digits/vision.ts";
import { preprocessImage } from "../../../src/io/images/preprocessing.ts";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { reference } from "../../../src/kernels/reference/index.ts";
import { run } from "../../../src/kernels/replay.ts";
import { initialize, stateDict } from "../../../src/nn/state-dict.ts";
import { loadFlamingoPaLM, saveFlamingoPaLM } from "../../../src/pretrained/flamingo-palm/folder.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { rearrange } from "../../../src/tensor/ops/arrange.ts";
import { named } from "../../../src/tensor/pattern.ts";
import { flat, int, tensor } from "../../../src/tensor/tensor.ts";
import { picture } from "../../support/fixtures/folders/flamingo-folder.ts";
import { folders } from "../../support/fixtures/temporary.ts";

const fresh = folders();

function saved() {
  const folder = fresh();
  const { model } = flamingoReader(3);
  const classifier = initialize(digitClassifier(4), 5);
  for (const layer of model.layers) layer[1]?.attn_gate.assign(tensor("1", [1], [0.5]).data); // open, so that images count
  saveFlamingoDigits(folder, model, classifier);
  return { folder, model, classifier };
}

async function problemOf(folder: string): Promise<string> {
  try {
    (await loadFlamingoPaLM(folder)).close();
  } catch (error) {
    if (error instanceof LoadError) return error.message;
    throw error;
  }
  throw new Error("nothing was refused");
}

test("[palmfolder.settings] [palmfolder.weights] [palmfolder.vision] a loaded model is the saved one, and reads images", async () => {
  const { folder, model, classifier } = saved();
  const loaded = await loadFlamingoPaLM(folder);
  const pixels = named("c h w", loaded.imageProcessor(picture(7)));
  expect([...flat(pixels.data)]).toEqual([...flat(preprocessImage(picture(7), PREPROCESSING).pixels.data)]);
  const image = named("b c h w", rearrange("c h w -> 1 c h w", pixels));
  const ids = int("b l", [[SETTINGS.media_token_id, 5, 6, 7]]);
  // The saved model has no encoder: the classifier's tower makes its embeddings.
  const logits = (images: boolean) =>
    run(reference(), () => {
      if (images)
        return loaded.model.forward(ids, {
          images: named("b m c h w", rearrange("b c h w -> b 1 c h w", image)),
        });
      const embeds = named("b m s d", rearrange("b n d -> b 1 n d", classifier.tower.forward(image)));
      return model.forward(ids, { embeds });
    });
  const [wanted, found] = [await logits(false), await logits(true)].map((t) => flat(t.data));
  expect(found?.length).toBe(wanted?.length);
  for (const [i, value] of (wanted ?? []).entries())
    expect(Math.abs((found?.[i] ?? 9) - value)).toBeLessThan(1e-5); // float32
  loaded.close();
  const { keys } = loadSafetensors(join(folder, "model.safetensors"));
  const once = [...stateDict(model).keys()].filter((name) => name !== "to_logits.1.weight");
  expect([...keys].sort()).toEqual(once.sort()); // the table is tied
});

test("[palmfolder.settings] settings that are missing, unknown, refused, or have too many layers, are named", async () => {
  const { folder } = saved();
  const file = join(folder, "flamingo-palm.json");
  const settings = JSON.parse(readFileSync(file, "utf8"));
  const withSettings = (more: object): Promise<string> => {
    writeFileSync(file, JSON.stringify({ ...settings, ...more }));
    return problemOf(folder);
  };
  expect(await withSettings({ depth: undefined })).toContain('flamingo-palm.json: "depth" is missing');
  expect(await withSettings({ deep: 1 })).toContain('"deep" is no setting; remove it');
  expect(await withSettings({ heads: 0 })).toContain("flamingo-palm.json: ");
  expect(await withSettings({ depth: 1_000_000_000 })).toContain("which have at least 3000000008 tensors");
  expect(await withSettings({ vision_encoder_path: "none" })).toContain("none");
});

test("[palmfolder.files] [palmfolder.tokenizer] folders without files, and with another tokenizer, are refused", async () => {
  expect(await problemOf("golden")).toContain("there is no flamingo-palm.json");
  const { folder } = saved();
  const settings = JSON.parse(readFileSync(join(folder, "flamingo-palm.json"), "utf8"));
  const change = (more: object) =>
    writeFileSync(join(folder, "flamingo-palm.json"), JSON.stringify({ ...settings, ...more }));
  change({ media_token_id: 5 });
  expect(await problemOf(folder)).toMatch(/"<image>" has the id \d+ in the tokenizer, and 5 in/);
  change({ num_tokens: 20 });
  expect(await problemOf(folder)).toMatch(/the tokenizer has \d+ ids, and the table of the model 20 rows/);
  change({});
  rmSync(join(folder, "model.safetensors"));
  expect(await problemOf(folder)).toContain("there is no model.safetensors");
  expect(() => saveFlamingoPaLM(fresh(), {} as never, settings)).toThrow("takes a FlamingoPaLM");
});
