// Processes that measure a model of full size.
import { spawnSync } from "node:child_process";
import { ROOT } from "../sources.mjs";

/** Runs a command, whose last line on stdout is a document, and returns it. */
export function run(name, command, words) {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  const { status, stdout, signal } = spawnSync(command, words, {
    cwd: ROOT,
    env,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status !== 0) throw new Error(`${name} ends with ${signal ?? `exit status ${status}`}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
