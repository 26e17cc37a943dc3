// Where the golden cases, the digits and the model that was trained on them are: in the repository's golden/ folder, or in
// the copy inside the npm package, which holds a selection of the cases.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

function golden(path: string): string {
  const [repository, packed] = ["../../golden/", "../golden/"].map((root) =>
    fileURLToPath(new URL(root + path, import.meta.url)),
  ) as [string, string];
  return existsSync(repository) ? repository : packed;
}

export const defaultCases = (): string => golden("cases");
export const digitsFile = (): string => golden("data/digits.safetensors");
export const modelFile = (): string => golden("models/digits.safetensors");
