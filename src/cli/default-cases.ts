// Where the golden cases are: all of them in the repository, a selection inside the npm package.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const beside = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export function defaultCases(): string {
  const everything = beside("../../golden/cases");
  return existsSync(everything) ? everything : beside("../golden/cases");
}
