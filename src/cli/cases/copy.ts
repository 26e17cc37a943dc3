// flamboyance cases copy: complete cases in a new folder, with what is needed to read them. The folder gets its name when it is complete.
import { randomUUID } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { beforeEnd, createFolder, packagePath, systemReason } from "#host";
import { LoadError, messageOf } from "../../tensor/errors.ts";
import type { NamedCase } from "./selected.ts";

const FILES = ["case.json", "inputs.safetensors", "expected.safetensors"];
const BESIDE = ["FORMAT.md", "COVERAGE.md", "adapters"];

function refuseExisting(path: string): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw new LoadError(`cannot write ${path}: it is a file; name a new folder`);
  const [first] = readdirSync(path);
  if (first !== undefined)
    throw new LoadError(`cannot write ${path}: it holds ${first}; name a new or empty folder`);
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

/** Gives the complete folder its name. Where an empty folder has it, that one stays, because it may be the current one. */
function moveInto(target: string, complete: string): void {
  if (existsSync(target)) {
    for (const name of readdirSync(complete)) renameSync(join(complete, name), join(target, name));
    rmdirSync(complete);
  } else renameSync(complete, target);
}

/** Writes the cases to a hidden folder beside the target and moves it there. Throws a LoadError if the target holds anything. */
export function copyCases(cases: readonly NamedCase[], path: string): void {
  refuseExisting(path);
  const target = resolve(path);
  const temporary = join(dirname(target), `.${basename(target)}-${randomUUID()}`);
  const remove = (): void => rmSync(temporary, { recursive: true, force: true });
  const withdraw = beforeEnd(remove);
  try {
    createFolder(dirname(target));
    mkdirSync(temporary);
    copyAll(cases, temporary);
    moveInto(target, temporary);
  } catch (error) {
    remove();
    if (error instanceof LoadError) throw error;
    throw new LoadError(`cannot write ${path}: ${systemReason(error) ?? messageOf(error)}`);
  } finally {
    withdraw();
  }
}
