// The least that a golden case can be, to be broken in one place at a time.
import fs from "node:fs";
import { expect } from "vitest";
import { readCase } from "../../src/io/cases.ts";
import type { Stored } from "../../src/io/safetensors.ts";
import { saveSafetensors } from "../../src/io/write-safetensors.ts";
import { LoadError } from "../../src/tensor/errors.ts";
import { tensor } from "../../src/tensor/tensor.ts";

export const floats = { mean: 0, exponent: -6, bits: 8 };
/** One input, and one weight that is made from its recipe. */
export const MANIFEST = {
  schema: "flamboyance-case/1",
  id: "somewhere/scale--tiny",
  title: "x · w",
  level: "op",
  source: { package: "somewhere", version: "1", class: "Scale" },
  profile: "somewhere@1",
  config: { dim: 2 },
  call: { x: "x" },
  inputs: { x: { dtype: "F64", shape: [2], axes: "d" } },
  weights: { w: [2] },
  recipes: { "weights.w": floats },
  generator: "splitmix64-dyadic8/1",
  seed: 1,
  outputs: ["out"],
  grads: ["weights.w"],
  tolerance: { policy: "noise", K: 8, noise: { "outputs.out": 1e-6, "grads.weights.w": 1e-6 } },
};
export type Given = Map<string, Stored>;
export const INPUTS: Given = new Map([["inputs.x", tensor("d", [1, 2])]]);
export const EXPECTED: Given = new Map([
  ["outputs.out", tensor("d", [3, 4])],
  ["grads.weights.w", tensor("d", [1, 2])],
]);

/** Writes a case to a folder. */
export function write(
  folder: string,
  manifest: unknown,
  inputs: Given = INPUTS,
  expected: Given | null = EXPECTED,
): string {
  saveSafetensors(`${folder}/inputs.safetensors`, inputs);
  if (expected) saveSafetensors(`${folder}/expected.safetensors`, expected);
  fs.writeFileSync(`${folder}/case.json`, typeof manifest === "string" ? manifest : JSON.stringify(manifest));
  return folder;
}

/** The case in this folder is refused with these words. */
export function refused(folder: string, message: RegExp | string): void {
  expect(() => readCase(folder)).toThrow(LoadError);
  expect(() => readCase(folder)).toThrow(message);
}
