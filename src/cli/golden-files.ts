// Paths of the golden cases, the digits, the trained model and lists of labels: in golden/ of the repository, or in the copy inside the npm package,
// which has a selection of the cases.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

function golden(path: string): string {
  const [repository, packaged] = ["../../golden/", "../golden/"].map((root) =>
    fileURLToPath(new URL(root + path, import.meta.url)),
  ) as [string, string];
  return existsSync(repository) ? repository : packaged;
}

export const defaultCases = (): string => golden("cases");
export const digitsFile = (): string => golden("data/digits.safetensors");
export const modelFile = (): string => golden("models/digits.safetensors");
export const labelsFile = (name: "imagenet-1000" | "kinetics-700"): string =>
  golden(`data/perceiver-io/${name}.txt`);
