// Compiles the blocks of TypeScript of all pages as a reader's strict project would.
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { repository } from "../architecture/tree.mjs";
import type { Block } from "./blocks.ts";
import { linkPackage } from "./fixtures.ts";
import { typed } from "./modules.ts";

/** What the compiler reports about the blocks of each page; its lines are those of the module of a page. */
export function typeErrors(folder: string, pages: ReadonlyMap<string, readonly Block[]>): string[] {
  if (pages.size === 0) return [];
  linkPackage(folder);
  symlinkSync(join(repository, "node_modules/@types"), join(folder, "node_modules/@types"), "junction");
  const compilerOptions = {
    module: "nodenext",
    target: "es2023",
    lib: ["es2023", "dom"],
    strict: true,
    noEmit: true,
    allowUnreachableCode: true,
    types: ["node"],
  };
  const files = [...pages].map(([path, blocks]) => {
    const file = `${path.replace(/\W/g, "-")}.ts`;
    writeFileSync(join(folder, file), typed(blocks, true));
    return file;
  });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "-p", folder], {
    encoding: "utf8",
    cwd: folder,
  });
  return `${stdout}${stderr}`.split("\n").filter((line) => line !== "");
}
