// The results of another implementation for a case: a file of tensors with the names of the expected ones.
import { type GoldenCase, readActual } from "../../io/golden/cases.ts";
import { expectedNames } from "../../io/golden/manifest.ts";
import type { Given } from "../cases/compare.ts";

export interface Submission {
  /** By the names of the expected tensors. One of another shape has no values: they are not read. */
  readonly tensors: ReadonlyMap<string, Given>;
  /** Names in the file that the case does not expect. */
  readonly unexpected: readonly string[];
}

/** Reads FOLDER/<case id>/actual.safetensors; values only of tensors with the expected shape, whatever the file holds. */
export function readSubmission(folder: string, golden: GoldenCase): Submission {
  const { manifest, expected } = golden;
  const file = readActual(folder, manifest.id);
  const names = manifest.full ? manifest.outputs.map((name) => `outputs.${name}`) : expectedNames(manifest);
  const shapeOf = (name: string) =>
    manifest.full ? manifest.probed.get(name.replace("outputs.", "")) : expected.get(name)?.shape;
  const tensors = new Map<string, Given>();
  for (const name of names.filter((one) => file.has(one))) {
    const { shape } = file.info(name);
    tensors.set(name, shape.join(" ") === shapeOf(name)?.join(" ") ? file.get(name) : { shape }); // [conform.submission]
  }
  file.close();
  const known = new Set(names);
  return { tensors, unexpected: file.keys.filter((name) => !known.has(name)) };
}
