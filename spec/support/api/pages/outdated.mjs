// Compares the pages of the reference with those that the docstrings make.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../../architecture/tree.mjs";
import { FOLDER } from "./pages.mjs";

/** The pages that are missing, that differ, or that no entry has; with the line of the first difference. */
export function outdated(made, root = repository) {
  const folder = join(root, FOLDER);
  const present = readdirSync(folder);
  const differing = [...made].flatMap(([name, text]) => {
    if (!present.includes(name)) return [`${FOLDER}/${name} is missing`];
    const lines = readFileSync(join(folder, name), "utf8").split("\n");
    const at = text.split("\n").findIndex((line, i) => line !== lines[i]);
    if (at < 0 && lines.length === text.split("\n").length) return [];
    return [`${FOLDER}/${name}:${(at < 0 ? text.split("\n").length : at) + 1} differs from the docstrings`];
  });
  const extra = present
    .filter((name) => !made.has(name))
    .map((name) => `${FOLDER}/${name} belongs to no entry`);
  return [...differing, ...extra];
}
