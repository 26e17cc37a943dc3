// Python environments, one for each set of requirements; a source may name another source's. An environment is made from
// requirements.txt (torch first, because the others must not bring another version) and then, without what they depend on, from
// requirements-no-deps.txt. It stands in the source's folder as .venv. PYTHON names the interpreter that makes it.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const windows = process.platform === "win32";
const REQUIREMENTS = ["requirements.txt", "requirements-no-deps.txt"];

/** Environments that this process has made. */
const made = new Set();

const read = (path) => (existsSync(path) ? readFileSync(path, "utf8") : "");

function run(command, ...words) {
  const { status, error } = spawnSync(command, words, { stdio: ["ignore", "inherit", "inherit"] });
  if (error) throw new Error(`cannot run ${command}: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${words.join(" ")} exits with ${status}`);
}

/** The folder for what an environment consists of. */
export const scratch = (folder) => join(folder, ".venv");

/** The interpreter of the environment of `folder`, made afresh unless this process has made it already. With `reuse`, one that is
    there is kept if it was made from the same requirements. */
export function interpreter(folder, { reuse = false } = {}) {
  const environment = scratch(folder);
  const python = join(environment, windows ? "Scripts/python.exe" : "bin/python");
  const [first, alone] = REQUIREMENTS.map((name) => join(folder, name));
  const mark = createHash("sha256")
    .update(`${read(first)}\0${read(alone)}`)
    .digest("hex");
  const marked = join(environment, "made-from");
  if (made.has(folder) || (reuse && existsSync(python) && read(marked) === mark)) return python;
  const since = Date.now();
  rmSync(environment, { recursive: true, force: true });
  run(process.env.PYTHON ?? (windows ? "python" : "python3"), "-m", "venv", environment);
  const pip = (...words) =>
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...words);
  const torch = /^torch==\S+/m.exec(read(first))?.[0];
  if (torch) {
    console.log(`installing ${torch}, then the other requirements`);
    pip(torch, "-c", first);
  }
  if (existsSync(first)) pip("-r", first);
  if (existsSync(alone)) pip("--no-deps", "-r", alone);
  writeFileSync(marked, mark);
  made.add(folder);
  console.log(`environment ready in ${Math.round((Date.now() - since) / 1000)} s`);
  return python;
}

/** Where a source that shares an environment installs packages of its own; emptied unless `reuse`. */
export function packagesFolder(source, { reuse = false } = {}) {
  const folder = join(scratch(source.folder), "packages");
  if (!reuse) rmSync(folder, { recursive: true, force: true });
  return folder;
}
