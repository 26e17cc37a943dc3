// A file that torch.save wrote of the real LanguagePerceiver: golden/export/perceiver_checkpoint.py.
import { expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { loadTorch } from "../../../src/io/torch/read.ts";
import { loadPerceiver } from "../../../src/models/perceiver-io/checkpoints.ts";
import { LanguagePerceiver } from "../../../src/models/perceiver-io/tasks/language.ts";
import { StateDictError } from "../../../src/nn/loading/compare.ts";
import { Bool, flat, Int, Tensor } from "../../../src/tensor/tensor.ts";

const FOLDER = "golden/data/perceiver-io";
const small = { vocabSize: 40, maxSeqLen: 6, embedDim: 8, numSelfAttendsPerBlock: 1, numLatents: 3 } as const;

test("[perceiverio.names-source] a small language model has the logits of the source, with and without the key of the file", () => {
  const expected = loadSafetensors(`${FOLDER}/checkpoint.safetensors`);
  const [ids, mask, logits] = ["ids", "mask", "logits"].map((key) => expected.get(key));
  if (!(ids instanceof Int && mask instanceof Int && logits instanceof Tensor)) throw new Error("expected");
  const visible = new Bool<"b n">(mask.shape, Uint8Array.from(mask.flat()));
  const file = loadTorch(`${FOLDER}/checkpoint.pth`);
  for (const weights of [file, file.under("model_state_dict")]) {
    const model = new LanguagePerceiver({ ...small, numLatentChannels: 8 });
    loadPerceiver(model, weights, "perceiver-io");
    const actual = flat(model.forward(new Int<"b n">(ids.shape, ids.flat()), visible).data);
    const wanted = flat(logits.data);
    expect(actual.length).toBe(wanted.length);
    for (const [i, x] of wanted.entries())
      expect(Math.abs((actual[i] ?? Number.NaN) - x)).toBeLessThan(1e-12);
  }
});

test("[perceiverio.names-source] a file of a model of other sizes is refused with both shapes", () => {
  const model = new LanguagePerceiver({ ...small, numLatentChannels: 16 });
  const load = () => loadPerceiver(model, loadTorch(`${FOLDER}/checkpoint.pth`), "perceiver-io");
  expect(load).toThrow(StateDictError);
  expect(load).toThrow("perceiver._encoder.latent_pos_enc.pos_embs: the model has [3 16], the weights [3 8]");
});
