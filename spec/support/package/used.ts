// Uses the installed package as people do: from Node, from the command line, from TypeScript, in a page.
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { repository } from "../architecture/tree.mjs";
import { demand, run, type Told } from "./packed.ts";

/** Runs a module in a project; what it prints, as JSON. */
export function inNode(project: string, source: string): unknown {
  writeFileSync(join(project, "use.mjs"), source);
  return JSON.parse(demand(run(project, process.execPath, "use.mjs")));
}

/** A project that has the package and nothing of what it depends on. */
export function withoutDependencies(project: string, installed: string): string {
  cpSync(installed, join(project, "node_modules/flamboyance"), { recursive: true });
  return project;
}

/** The command line, as npx finds it. */
export const npx = (project: string, ...args: readonly string[]): Told =>
  run(project, "npx", "--no", "flamboyance", ...args);

/** What the compiler says about a module of a strict project that has no other types. */
export function compile(project: string, lines: readonly string[]): Told {
  const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true, types: [] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  writeFileSync(join(project, "use.ts"), lines.join("\n"));
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  return run(project, process.execPath, tsc, "-p", ".");
}

/** One script for a page, made by a bundler as it makes any other; it leaves its exports in the variable `page`. */
export async function bundlePage(project: string, source: string): Promise<string> {
  writeFileSync(join(project, "page.js"), source);
  await build({
    root: project,
    configFile: false,
    logLevel: "silent",
    build: {
      outDir: join(project, "built"),
      lib: { entry: join(project, "page.js"), name: "page", formats: ["iife"], fileName: () => "page.js" },
    },
  });
  return readFileSync(join(project, "built/page.js"), "utf8");
}
