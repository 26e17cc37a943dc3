// Uses the installed package from Node, from the command line, from TypeScript and in a page.
import { spawn } from "node:child_process";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { repository } from "../architecture/tree.mjs";
import { type CommandResult, outputOf, run } from "./packed.ts";

/** Runs a module in a project and parses its output as JSON. */
export function inNode(project: string, source: string): unknown {
  writeFileSync(join(project, "use.mjs"), source);
  return JSON.parse(outputOf(run(project, process.execPath, "use.mjs")));
}

/** A project with the package but without its dependencies. */
export function withoutDependencies(project: string, installed: string): string {
  cpSync(installed, join(project, "node_modules/flamboyance"), { recursive: true });
  return project;
}

/** Runs the command line through npx. */
export const npx = (project: string, ...args: readonly string[]): CommandResult =>
  run(project, "npx", "--no", "flamboyance", ...args);

/** Runs one of the linters of packages that the repository depends on, on a tarball. */
export const lint = (
  tarball: string,
  linter: "publint" | "attw",
  ...args: readonly string[]
): CommandResult => run(repository, "npx", "--no", linter, tarball, ...args);

/** Runs a line of a shell that has no quotes but double ones, with npx restricted to what is installed. */
export function runLine(project: string, line: string): CommandResult {
  const [command = "", ...args] = (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));
  return run(
    project,
    command === "node" ? process.execPath : command,
    ...(command === "npx" ? ["--no"] : []),
    ...args,
  );
}

/** The page that a command serves, at the first address that it prints. */
export async function firstPage(project: string, ...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [...args, "--port", "0"], { cwd: project });
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let output = "";
      child.stdout.on("data", (text) => {
        output += text;
        const [url] = /http:\/\/\S+/.exec(output) ?? [];
        if (url) resolve(url);
      });
      child.on("close", () => reject(new Error(`it ended with ${output}`)));
    });
    return await (await fetch(address)).text();
  } finally {
    child.kill();
  }
}

/** Compiles a module in a strict project without other types. */
export function compile(project: string, lines: readonly string[]): CommandResult {
  const compilerOptions = { module: "nodenext", target: "es2022", strict: true, noEmit: true, types: [] };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  writeFileSync(join(project, "use.ts"), lines.join("\n"));
  const tsc = join(repository, "node_modules/typescript/bin/tsc");
  return run(project, process.execPath, tsc, "-p", ".");
}

/** Bundles a script for a page, which has its exports in the variable `page`. */
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
