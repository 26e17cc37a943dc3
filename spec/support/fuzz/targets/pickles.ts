// Targets that read pickles, archives of torch.save, and the indices of Hugging Face folders.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { openPretrained } from "../../../../src/io/huggingface/pretrained.ts";
import { openPickle } from "../../../../src/io/pickle/read.ts";
import type { TensorFile } from "../../../../src/io/tensor-file.ts";
import { openTorch } from "../../../../src/io/torch/read.ts";
import { LoadError } from "../../../../src/tensor/errors.ts";
import { Tensor } from "../../../../src/tensor/tensor.ts";
import { latin1, tensorPickle, torchFile } from "../../fixtures/files/archives.ts";
import { damagedBytes } from "../bytes.ts";
import { damagedJson, damagedText } from "../json.ts";
import { damagedReal, pickleFiles, torchFiles, torchPickles } from "../pickle-files.ts";
import { expectThat, target } from "../target.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Reads every tensor. One that is refused by itself does not end the reading. */
function readAll(file: TensorFile, size: number): void {
  expectThat(file.keys.length <= size, "a file has fewer tensors than bytes");
  for (const key of file.keys)
    try {
      const value = file.get(key);
      const { byteLength } = value instanceof Tensor ? value.data.data : value.data;
      expectThat(byteLength <= 4 * size, "a tensor has no more values than its file has bytes");
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
    }
}

export const pickles = target<Uint8Array>({
  inputs: fc.oneof(
    { weight: 6, arbitrary: pickleFiles },
    { weight: 3, arbitrary: damagedReal(".pickle") },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }) },
  ),
  size: (bytes) => bytes.length,
  show: hex,
  read: (bytes) => readAll(openPickle(bytes, "f"), bytes.length),
});

export const torch = target<Uint8Array>({
  inputs: fc.oneof(
    { weight: 5, arbitrary: torchFiles },
    { weight: 1, arbitrary: torchFiles.chain(damagedBytes) },
    { weight: 4, arbitrary: damagedReal(".pt") },
    {
      weight: 3,
      arbitrary: torchPickles.map((bytes) => torchFile(bytes)),
    },
  ),
  size: (bytes) => bytes.length,
  show: hex,
  read: (bytes) => readAll(openTorch(bytes, "f"), bytes.length),
});

const INDEX = { metadata: { total_size: 24 }, weight_map: { x: "a.bin", y: "b.bin" } };

/** The index and the configuration of a folder with two files. */
export const pretrained = target<readonly [index: Uint8Array, config: Uint8Array]>({
  inputs: fc.tuple(
    damagedText(damagedJson([INDEX])),
    damagedText(damagedJson([{ model_type: "llama", layers: [1, 2] }])),
  ),
  size: ([index, config]) => index.length + config.length + 2000,
  show: ([index, config]) => `${hex(index)} ${hex(config)}`,
  read([index, config], folder) {
    const home = join(folder, "pretrained");
    rmSync(home, { recursive: true, force: true });
    mkdirSync(home);
    writeFileSync(join(home, "a.bin"), torchFile());
    writeFileSync(
      join(home, "b.bin"),
      torchFile(latin1(String.fromCharCode(...tensorPickle()).replace("\x01\0\0\0x", "\x01\0\0\0y"))),
    );
    writeFileSync(join(home, "pytorch_model.bin.index.json"), index);
    writeFileSync(join(home, "config.json"), config);
    const file = openPretrained(home);
    readAll(file, index.length + config.length + 2000);
    file.close();
  },
});
