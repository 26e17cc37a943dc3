// flamboyance cases copy: complete cases in a new folder, with what is needed to read them. The folder gets its name when it is complete.
import { randomUUID } from "node:crypto";
import { cpSync, lstatSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { beforeEnd, createFolder, packagePath, systemReason } from "#host";
import { LoadError, messageOf } from "../../tensor/errors.ts";
import type { NamedCase } from "./selected.ts";

const FILES = ["case.json", "inputs.safetensors", "expected.safetensors"];
const BESIDE = ["FORMAT.md", "COVERAGE.md", "adapters"];

/** Whether the path is that of an empty folder. Throws a LoadError where it is that of anything else. */
function isEmptyFolder(path: string): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined)
    throw new LoadError(`cannot write ${path}: it is a link to nothing; name a new folder`);
  if (!stats.isDirectory()) throw new LoadError(`cannot write ${path}: it is a file; name a new folder`);
  const [first] = readdirSync(path);
  if (first !== undefined)
    throw new LoadError(`cannot write ${path}: it holds ${first}; name a new or empty folder`);
  return true;
}

function copyAll(cases: readonly NamedCase[], to: string): void {
  for (const { folder, manifest } of cases) {
    const target = join(to, "cases", manifest.id);
    mkdirSync(target, { recursive: true });
    for (const file of readdirSync(folder).filter((name) => FILES.includes(name)))
      cpSync(join(folder, file), join(target, file), { dereference: true });
  }
  for (const name of BESIDE) {
    const from = packagePath(`golden/${name}`);
    if (from !== null)
      cpSync(from, join(to, name), { recursive: true, filter: (path) => !path.endsWith("__pycache__") });
  }
}

/** Moves what a complete folder holds one folder up. */
function moveUp(complete: string): void {
  for (const name of readdirSync(complete)) renameSync(join(complete, name), join(dirname(complete), name));
  rmdirSync(complete);
}

/**
 * Writes the cases to a hidden folder and moves them from there: beside a new target, and within an empty folder, which may be the
 * current one or a file system of its own. Throws a LoadError if the target holds anything.
 */
export function copyCases(cases: readonly NamedCase[], path: string): void {
  const target = resolve(path);
  let remove = (): void => {};
  const withdraw = beforeEnd(() => remove());
  try {
    const isThere = isEmptyFolder(path);
    const parent = isThere ? target : dirname(target);
    createFolder(parent);
    const temporary = join(parent, `.${basename(target)}-${randomUUID()}`);
    remove = () => rmSync(temporary, { recursive: true, force: true });
    mkdirSync(temporary);
    copyAll(cases, temporary);
    if (isThere) moveUp(temporary);
    else renameSync(temporary, target);
  } catch (error) {
    remove();
    if (error instanceof LoadError) throw error;
    throw new LoadError(`cannot write ${path}: ${systemReason(error) ?? messageOf(error)}`);
  } finally {
    withdraw();
  }
}
