// npm run api             writes the API reference, docs/api, from the type declarations in dist/
// npm run api -- --check  only lists the pages that differ, and what the docstrings lack
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { repository } from "../architecture/tree.mjs";
import { FOLDER, findings, outdated, pages } from "./reference.mjs";

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });
const folder = join(repository, FOLDER);
const made = pages();
if (!values.check) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (!made.has(name)) rmSync(join(folder, name));
  for (const [name, text] of made) writeFileSync(join(folder, name), text);
}
const lines = [...outdated(made), ...findings()];
for (const line of lines) console.log(line);
console.log(lines.length === 0 ? "no problems" : `problems: ${lines.length}`);
process.exitCode = lines.length === 0 ? 0 : 1;
