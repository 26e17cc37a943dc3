// Names, order and shapes of 61-kosmos.md at the released size: golden/kosmosx-state-dicts.json, from the constructor of kosmosx 0.3.1 on
// torch's meta device.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Kosmos } from "../../../src/models/kosmos/kosmos.ts";
import { KOSMOS_SIZES } from "../../../src/models/kosmos/sizes.ts";
import { MagnetoDecoder } from "../../../src/models/language-models/magneto/decoder.ts";
import { CLIPVisionTransformer } from "../../../src/models/vision/clip/transformers.ts";
import { parameterNames, stateDict, ties } from "../../../src/nn/state-dict.ts";
import { sizeOf } from "../../../src/tensor/tensor.ts";

interface Entry {
  readonly parameters: number;
  /** The number of layers of each stack, by its path. */
  readonly layers: Readonly<Record<string, number>>;
  readonly ties: Readonly<Record<string, string>>;
  /** Shapes by key; a key of a layer has "#" for the layer's number. */
  readonly keys: Readonly<Record<string, readonly number[]>>;
}

const path = new URL("../../../golden/kosmosx-state-dicts.json", import.meta.url);
const released: Readonly<Record<string, Entry>> = JSON.parse(readFileSync(path, "utf8"));
const TOKENS = { bos: 0, pad: 1, eos: 2, image: 32_000, imageEnd: 32_001 };

/** Every key with its shape, the layers of each stack written out in order. */
function written({ layers, keys }: Entry): string[] {
  const lines = Object.entries(keys).map(([key, shape]) => [key, `${key} ${shape.join(" ")}`] as const);
  const stackOf = (key: string) => Object.keys(layers).find((stack) => key.startsWith(`${stack}.#.`));
  return lines.flatMap(([key, line], i) => {
    const stack = stackOf(key);
    if (stack === undefined) return [line];
    if (stackOf(lines[i - 1]?.[0] ?? "") === stack) return []; // written with the stack's first key
    const own = lines.filter(([other]) => stackOf(other) === stack).map(([, text]) => text);
    return Array.from({ length: layers[stack] ?? 0 }, (_, n) =>
      own.map((text) => text.replace("#", `${n}`)),
    ).flat();
  });
}

test.each([
  ["Kosmos", true, 2_073_908_224],
  ["Kosmos without multiway", false, 1_670_960_128],
])(
  "[kosmos.names] %s has the names, order and shapes of the package at the released size, without a value",
  (name, multiway, parameters) => {
    const entry = released[name] as Entry;
    const bytes = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    const before = bytes();
    const model = new Kosmos({
      clip: new CLIPVisionTransformer(KOSMOS_SIZES.clip),
      decoder: new MagnetoDecoder({ ...KOSMOS_SIZES.decoder, multiway }),
      tokens: TOKENS,
      resampler: { numMediaEmbeds: 257 }, // as the code has it; the README has 256
    });
    const state = stateDict(model);
    const second = ties(model);
    const first = [...state].filter(([key]) => !second.has(key));
    expect(first.map(([key, tensor]) => `${key} ${tensor.shape.join(" ")}`)).toEqual(written(entry));
    expect(Object.fromEntries(second)).toEqual(entry.ties); // [kosmos.shared]
    const trained = new Set(parameterNames(model));
    const counted = first.reduce((sum, [key, { shape }]) => sum + (trained.has(key) ? sizeOf(shape) : 0), 0);
    expect([counted, entry.parameters]).toEqual([parameters, parameters]);
    expect(bytes() - before).toBeLessThan(30e6); // 4 bytes for each parameter are 6.7 GB
  },
);
