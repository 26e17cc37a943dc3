// Runs somebody else's implementation: a command that is given a folder to read and a folder to write.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadSafetensors } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { LoadError } from "../../tensor/errors.ts";
import { caseOf, type ProbeShape } from "../probe/plan.ts";
import { type Adapter, AdapterUnavailable } from "../probe/probe.ts";

export interface AdapterOptions {
  /** The command and its first arguments. */
  readonly command: readonly string[];
  /** Where the folders are made. */
  readonly folder: string;
  readonly shape: ProbeShape;
  readonly seconds: number;
}

const KEPT = 4000;
const WRITTEN = ["outputs.safetensors", "actual.safetensors"];

/** The end of what was said, without anything a terminal would obey. */
const tail = (text: string): string =>
  text
    .replace(/[^\P{Cc}\n\t]/gu, "")
    .trimEnd()
    .split("\n")
    .slice(-12)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join("\n");

/** Runs the command to its end or to the end of its time; everything that it started is ended with it. [probe.adapter] */
function finished({ command, seconds }: AdapterOptions, more: readonly string[]): Promise<string> {
  const [program = "", ...rest] = command;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [...rest, ...more], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: process.platform !== "win32",
    });
    let said = "";
    const listen = (data: Buffer) => {
      said = (said + data.toString("utf8")).slice(-KEPT);
    };
    child.stdout.on("data", listen);
    child.stderr.on("data", listen);
    const end = () => {
      try {
        if (child.pid !== undefined)
          process.kill(process.platform === "win32" ? child.pid : -child.pid, "SIGKILL"); // [probe.adapter]
      } catch {
        // it has ended by itself
      }
    };
    const timer = setTimeout(() => {
      end();
      reject(
        new AdapterUnavailable(
          `the adapter was still running after ${seconds} s and was ended: --timeout gives it more${quoted(said)}`,
        ),
      ); // [probe.adapter]
    }, seconds * 1000);
    process.once("exit", end);
    const done = (settle: () => void) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      settle();
    };
    child.on("error", (error) =>
      done(() => reject(new AdapterUnavailable(`cannot run ${program}: ${error.message}`))),
    ); // [probe.adapter]
    child.on("exit", (code, signal) => {
      end();
      done(
        () =>
          code === 0
            ? resolve(said)
            : reject(new LoadError(`the adapter ended with ${signal ?? `status ${code}`}${quoted(said)}`)), // [probe.adapter]
      );
    });
  });
}

const quoted = (said: string): string => (said.trim() === "" ? "" : `; it said:\n${tail(said)}`);

/** adapter.json may say that this call is beyond the adapter. */
function skippedIn(file: string): string | null {
  if (!existsSync(file)) return null;
  try {
    const { skipped } = JSON.parse(readFileSync(file, "utf8")) as { skipped?: unknown };
    return typeof skipped === "string" ? skipped.slice(0, 300) : null; // [probe.skipped]
  } catch {
    throw new LoadError(`${file} is not JSON; write {"skipped": "why"} or leave it out`); // [probe.skipped]
  }
}

/** Protocol L0: `<command> --case DIR --out DIR`. [probe.protocol] */
export function adapterOf(options: AdapterOptions): Adapter {
  return async (call, inputs) => {
    const [from, to] = ["case", "out"].map((name) => join(options.folder, call.name, name)) as [
      string,
      string,
    ];
    mkdirSync(from, { recursive: true });
    mkdirSync(to, { recursive: true });
    saveSafetensors(join(from, "inputs.safetensors"), inputs); // [probe.protocol]
    writeFileSync(join(from, "case.json"), `${JSON.stringify(caseOf(call, options.shape), null, 1)}\n`);
    const said = await finished(options, ["--case", from, "--out", to]); // [probe.protocol]
    const skipped = skippedIn(join(to, "adapter.json"));
    if (skipped !== null) return { skipped };
    const file = WRITTEN.map((name) => join(to, name)).find((path) => existsSync(path)); // [probe.protocol]
    if (file === undefined) {
      throw new LoadError(
        `the adapter wrote no outputs.safetensors into the folder after --out${quoted(said)}`,
      ); // [probe.protocol]
    }
    const opened = loadSafetensors(file);
    return { outputs: new Map(opened.keys.map((key) => [key, opened.get(key)])) };
  };
}
