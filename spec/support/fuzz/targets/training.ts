// Targets that restore a model: checkpoints, and the digits model with its metadata.
import { readFileSync, writeFileSync } from "node:fs";
import { workerData } from "node:worker_threads";
import fc from "fast-check";
import { loadDigitsModel } from "../../../../src/demos/digits/model.ts";
import { FeedForward } from "../../../../src/nn/feed-forward.ts";
import { initialize, stateDict } from "../../../../src/nn/state-dict.ts";
import { flat } from "../../../../src/tensor/tensor.ts";
import { loadCheckpoint, saveCheckpoint } from "../../../../src/training/checkpoint.ts";
import { adamw } from "../../../../src/training/optimizers/adamw.ts";
import { fileOf } from "../../properties/files.ts";
import { damagedBytes } from "../bytes.ts";
import { damagedJson, type Json } from "../json.ts";
import { expectThat, target } from "../target.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

function fresh(seed: number) {
  const model = initialize(new FeedForward({ dim: 2, mult: 2 }), seed);
  return { model, optimizer: adamw({ groups: [{ names: [...stateDict(model).keys()] }] }) };
}

const numbersOf = (model: object): string =>
  [...stateDict(model).values()].map((t) => [...flat(t.data)].join()).join(";");

/** Header and data of a safetensors file, so that each can be damaged alone. */
function parts(bytes: Uint8Array): { readonly header: Json; readonly data: Uint8Array } {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.slice(8, 8 + length))) as Json;
  return { header, data: bytes.slice(8 + length) };
}

const damagedFile = (bytes: Uint8Array): fc.Arbitrary<Uint8Array> => {
  const { header, data } = parts(bytes);
  return fc.oneof(
    fc.constant(bytes),
    damagedBytes(bytes),
    fc
      .tuple(damagedJson([header]), fc.oneof(fc.constant(data), damagedBytes(data)))
      .map(([h, d]) => fileOf(h, d)),
  );
};

let saved: Uint8Array | null = null;

/** A checkpoint after one step. */
function checkpointBytes(): Uint8Array {
  if (saved) return saved;
  const training = fresh(1);
  const weights = stateDict(training.model);
  training.optimizer.step(weights, new Map(weights));
  const path = `${(workerData as { readonly folder: string }).folder}/first.safetensors`;
  saveCheckpoint(path, training, 1);
  saved = new Uint8Array(readFileSync(path));
  return saved;
}

export const checkpoints = target<Uint8Array>({
  inputs: fc.constant(null).chain(() => damagedFile(checkpointBytes())),
  size: (bytes) => bytes.length,
  show: hex,
  read(bytes, folder) {
    const path = `${folder}/checkpoint.safetensors`;
    writeFileSync(path, bytes);
    const training = fresh(2);
    const before = numbersOf(training.model);
    let loaded = false;
    try {
      const step = loadCheckpoint(path, training);
      loaded = true;
      expectThat(Number.isSafeInteger(step) && step >= 0, `a step from 0 up, not ${step}`);
      expectThat(!/NaN|Infinity/.test(numbersOf(training.model)), "finite weights");
    } finally {
      if (!loaded) expectThat(numbersOf(training.model) === before, "a refused checkpoint changes no weight");
    }
  },
});

const digits = new Uint8Array(readFileSync("golden/models/digits.safetensors"));

export const models = target<Uint8Array>({
  inputs: damagedFile(digits),
  size: (bytes) => bytes.length,
  show: (bytes) => `${bytes.length} bytes, beginning ${hex(bytes.slice(0, 700))}`,
  read(bytes, folder) {
    const path = `${folder}/digits.safetensors`;
    writeFileSync(path, bytes);
    loadDigitsModel(path);
  },
});
