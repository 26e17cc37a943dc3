// Files of the repository as a map from path to text.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../..", import.meta.url));

/** Folders without files of the repository. */
const FOREIGN = new Set(["node_modules", ".git", ".venv", "__pycache__", "dist", "coverage"]);

function below(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (FOREIGN.has(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? below(path) : [path];
  });
}

/** The files at or below these paths whose names match, sorted; paths are relative to the root, with "/". */
export function readTree(paths, matching, root = repository) {
  const found = paths
    .map((path) => join(root, path))
    .flatMap((path) => {
      const kind = statSync(path, { throwIfNoEntry: false });
      if (kind === undefined) return [];
      return kind.isDirectory() ? below(path) : [path];
    });
  const named = found.map((file) => [relative(root, file).split(sep).join("/"), file]);
  return new Map(
    named
      .filter(([path]) => matching.test(path))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([path, file]) => [path, readFileSync(file, "utf8")]),
  );
}
