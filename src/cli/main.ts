#!/usr/bin/env node
// The command line: parse, call, print.
import { readFileSync } from "node:fs";
import { LoadError } from "../tensor/errors.ts";
import { OVERVIEW, UsageError } from "./help/usage.ts";

type Command = (args: readonly string[]) => Promise<number>;

/** Loaded when asked for: a mask does not wait for kernels. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  bench: async () => (await import("./commands/bench.ts")).bench,
  check: async () => (await import("./commands/check.ts")).check,
  conform: async () => (await import("./commands/conform.ts")).conform,
  generate: async () => (await import("./commands/generate.ts")).generate,
  inspect: async () => (await import("./commands/inspect.ts")).inspect,
  mask: async () => (await import("./commands/mask.ts")).mask,
  probe: async () => (await import("./commands/probe.ts")).probe,
  train: async () => (await import("./commands/train.ts")).train,
};

function version(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { version: string }).version;
}

async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === "--help" || name === "help") {
    process.stdout.write(OVERVIEW);
    return name === undefined ? 3 : 0;
  }
  if (name === "--version") {
    process.stdout.write(`${version()}\n`);
    return 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load)
    throw new UsageError(`there is no command "${name}"; there are ${Object.keys(commands).join(", ")}`);
  return (await load())(args);
}

/** 3 for the command line itself, 2 for what it names: a file, a case, a backend. */
function report(error: unknown): number {
  const usage = error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`flamboyance: ${text}\n${usage ? "flamboyance --help shows what there is\n" : ""}`);
  if (!usage && !(error instanceof LoadError) && process.env.DEBUG)
    process.stderr.write(`${(error as Error).stack}\n`);
  return usage ? 3 : 2;
}

process.exitCode = await main(process.argv.slice(2)).catch(report);
