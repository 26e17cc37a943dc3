// The results of another implementation for a case: a file of tensors with the names of the expected ones.
import { type GoldenCase, readActual } from "../../io/golden/cases.ts";
import { expectedNames } from "../../io/golden/manifest.ts";
import type { Shape } from "../../tensor/tensor.ts";
import type { Given } from "../cases/compare.ts";

export interface Submission {
  /** By the names of the expected tensors. One of another shape has no values: they are not read. */
  readonly tensors: ReadonlyMap<string, Given>;
  /** Names in the file that the case does not expect. */
  readonly unexpected: readonly string[];
}

/** The names of the tensors that a case expects, with the shape of each. A full-size case has outputs only. */
export function expectedShapes({ manifest, expected }: GoldenCase): Map<string, Shape | undefined> {
  const { full, outputs, probed } = manifest;
  if (full) return new Map(outputs.map((name) => [`outputs.${name}`, probed.get(name)]));
  return new Map(expectedNames(manifest).map((name) => [name, expected.get(name)?.shape]));
}

/** Reads FOLDER/<case id>/actual.safetensors; values only of tensors with the expected shape, whatever the file holds. */
export function readSubmission(folder: string, golden: GoldenCase): Submission {
  const file = readActual(folder, golden.manifest.id);
  const known = expectedShapes(golden);
  const tensors = new Map<string, Given>();
  for (const [name, expected] of known) {
    if (!file.has(name)) continue;
    const { shape } = file.info(name);
    tensors.set(name, shape.join(" ") === expected?.join(" ") ? file.get(name) : { shape }); // [conform.submission]
  }
  file.close();
  return { tensors, unexpected: file.keys.filter((name) => !known.has(name)) };
}
