// Paths of the golden cases, the digits, the trained model and lists of labels. They are the same in the repository and in the npm
// package, which has a selection of the cases.
import { packagePath } from "#host";
import { LoadError } from "../tensor/errors.ts";

function golden(path: string): string {
  const found = packagePath(`golden/${path}`);
  if (found === null)
    throw new LoadError(`golden/${path} is not beside this program; run it from its package`);
  return found;
}

export const defaultCases = (): string => golden("cases");
export const digitsFile = (): string => golden("data/digits.safetensors");
export const modelFile = (): string => golden("models/digits.safetensors");
export const labelsFile = (name: "imagenet-1000" | "kinetics-700"): string =>
  golden(`data/perceiver-io/${name}.txt`);
