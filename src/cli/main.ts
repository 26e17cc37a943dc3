#!/usr/bin/env node
// The command line: finds the command and turns errors into messages and an exit status.
import { readFileSync } from "node:fs";
import { LoadError, messageOf } from "../tensor/errors.ts";
import { didYouMean } from "../terminal/nearest.ts";
import { OVERVIEW } from "./help/overview.ts";
import { endWhereOutputFails, writeError, writeOut } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

type Command = (args: readonly string[]) => Promise<number>;

/** Commands are loaded on demand, so that `mask` starts without loading the kernels. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  bench: async () => (await import("./commands/bench.ts")).bench,
  caption: async () => (await import("./flamingo/command.ts")).caption,
  cases: async () => (await import("./cases/command.ts")).cases,
  check: async () => (await import("./commands/check.ts")).check,
  conform: async () => (await import("./commands/conform.ts")).conform,
  data: async () => (await import("./data/command.ts")).data,
  digits: async () => (await import("./commands/digits.ts")).digits,
  evaluate: async () => (await import("./evaluate/command.ts")).evaluate,
  inspect: async () => (await import("./commands/inspect.ts")).inspect,
  mask: async () => (await import("./commands/mask.ts")).mask,
  perceiver: async () => (await import("./commands/perceiver.ts")).perceiver,
  probe: async () => (await import("./commands/probe.ts")).probe,
  train: async () => (await import("./commands/train.ts")).train,
  vqa: async () => (await import("./flamingo/command.ts")).vqa,
  write: async () => (await import("./commands/write.ts")).write,
};

/** The new names of commands that were renamed. */
const renamed: Readonly<Record<string, string>> = { generate: "digits caption" };

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "help") {
    writeOut(OVERVIEW);
    return name === undefined ? 3 : 0;
  }
  if (name === "--version") {
    writeOut(`${version()}\n`);
    return 0;
  }
  if (Object.hasOwn(renamed, name)) throw new UsageError(`"${name}" is now "${renamed[name]}"`);
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) {
    const names = Object.keys(commands);
    const hint = didYouMean(name, [...names, "--help", "--version"]);
    throw new UsageError(`there is no command "${name}"${hint}; the commands are ${names.join(", ")}`);
  }
  return (await load())(args);
}

/** Exit status 3 for a mistake of the command line, 2 for anything that it names: a file, a case, a backend. */
function report(error: unknown): number {
  const usage = error instanceof UsageError;
  writeError(`flamboyance: ${messageOf(error)}\n${usage ? "see flamboyance --help\n" : ""}`);
  if (!usage && !(error instanceof LoadError) && process.env.DEBUG) writeError(`${(error as Error).stack}\n`);
  return usage ? 3 : 2;
}

endWhereOutputFails();
process.exitCode = await main(process.argv.slice(2)).catch(report);
