// Names, order and shapes of the language models at their released sizes: golden/language-state-dicts.json and llm-foundry-state-dicts.json,
// from the released packages.
import { readFileSync } from "node:fs";
import type { JsonObject } from "../../../src/io/json.ts";

interface Entry {
  readonly class: string;
  readonly config: JsonObject;
  readonly layers: number;
  /** Shapes by key; a key of a layer has "#" for the layer's number. */
  readonly keys: Readonly<Record<string, readonly number[]>>;
}

export interface Released {
  readonly name: string;
  /** The package's own configuration, with the class. */
  readonly config: JsonObject;
  readonly state: readonly string[];
}

const read = (name: string): Readonly<Record<string, Entry>> =>
  JSON.parse(readFileSync(new URL(`../../../golden/${name}`, import.meta.url), "utf8"));
const entries = { ...read("language-state-dicts.json"), ...read("llm-foundry-state-dicts.json") };

/** Every key of the state dict with its shape, layers written out in order. */
function written({ layers, keys }: Entry): string[] {
  const all = Object.entries(keys).map(([key, shape]) => `${key} ${shape.join(" ")}`);
  const first = all.findIndex((line) => line.includes("#"));
  const inLayers = all.filter((line) => line.includes("#"));
  const numbered = Array.from({ length: layers }, (_, i) =>
    inLayers.map((line) => line.replace("#", `${i}`)),
  );
  return [...all.slice(0, first), ...numbered.flat(), ...all.slice(first + inLayers.length)];
}

/** The released models of a class. */
export const releasedModels = (name: string): Released[] =>
  Object.entries(entries)
    .filter(([, entry]) => entry.class === name)
    .map(([model, entry]) => ({
      name: model,
      config: { class: entry.class, ...entry.config },
      state: written(entry),
    }));
