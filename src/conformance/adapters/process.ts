// Runs another implementation as a command: it reads one folder and writes another. Protocol L0: `<command> --case DIR --out DIR`.
import { createFolder, kindOf, openFile, runProcess, writeFile } from "#host";
import { parseJson } from "../../io/json.ts";
import { loadSafetensors } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { LoadError } from "../../tensor/errors.ts";
import { caseOf, type ProbeShape } from "../probe/plan.ts";
import { type Adapter, AdapterUnavailable } from "../probe/probe.ts";

export interface AdapterOptions {
  /** The command and its first arguments. */
  readonly command: readonly string[];
  /** The folder that holds the folders of each call. */
  readonly folder: string;
  readonly shape: ProbeShape;
  /** The time limit of each call. */
  readonly seconds: number;
}

/** Characters of output that are kept, and lines of it that are quoted. */
const KEPT = 4000;
const QUOTED = 12;
const WRITTEN = ["outputs.safetensors", "actual.safetensors"];

/** Text of the adapter as a terminal can show it: without control characters, except for line breaks and tabs. */
const plain = (text: string): string => text.replace(/[^\P{Cc}\n\t]/gu, "");

/** The last lines of the output, without control characters. */
function quoted(output: string): string {
  if (output.trim() === "") return "";
  const lines = plain(output).trimEnd().split("\n").slice(-QUOTED);
  return `; its last output was:\n${lines.map((line) => `    ${line.slice(0, 300)}`).join("\n")}`;
}

/** Runs the command and returns its output. [probe.adapter] */
async function outputOf({ command, seconds }: AdapterOptions, args: readonly string[]): Promise<string> {
  const finished = await runProcess([...command, ...args], { seconds, keep: KEPT }).catch((error) => {
    throw new AdapterUnavailable(error.message); // [probe.adapter]
  });
  const { status, signal, timedOut, output } = finished;
  if (timedOut) {
    throw new AdapterUnavailable(
      `the adapter was still running after ${seconds} s and was ended; --timeout SECONDS allows more${quoted(output)}`,
    ); // [probe.adapter]
  }
  if (status === 0) return output;
  throw new LoadError(`the adapter ended with ${signal ?? `status ${status}`}${quoted(output)}`); // [probe.adapter]
}

const LONGEST_JSON = 1_000_000;

/** The reason in adapter.json for skipping this call; null if the call is not skipped. */
function skippedIn(file: string): string | null {
  if (kindOf(file) !== "file") return null;
  try {
    const source = openFile(file);
    const { skipped } = parseJson(source.read(0, Math.min(source.size, LONGEST_JSON)), file, 16);
    source.close();
    return typeof skipped === "string" ? plain(skipped).slice(0, 300) : null; // [probe.skipped]
  } catch {
    throw new LoadError(`${file} is not JSON; write {"skipped": "reason"} or leave the file out`); // [probe.skipped]
  }
}

/** An adapter that runs the command once for each call. [probe.protocol] */
export function adapterOf(options: AdapterOptions): Adapter {
  return async (call, inputs) => {
    const folder = `${options.folder}/${call.name}`;
    const [from, to] = [`${folder}/case`, `${folder}/out`];
    createFolder(to);
    saveSafetensors(`${from}/inputs.safetensors`, inputs); // [probe.protocol]
    const json = `${JSON.stringify(caseOf(call, options.shape), null, 1)}\n`;
    writeFile(`${from}/case.json`, new TextEncoder().encode(json));
    const output = await outputOf(options, ["--case", from, "--out", to]); // [probe.protocol]
    const skipped = skippedIn(`${to}/adapter.json`);
    if (skipped !== null) return { skipped };
    const file = WRITTEN.map((name) => `${to}/${name}`).find((path) => kindOf(path) === "file"); // [probe.protocol]
    if (file === undefined) {
      throw new LoadError(
        `the adapter wrote no outputs.safetensors into the folder after --out${quoted(output)}`,
      ); // [probe.protocol]
    }
    const opened = loadSafetensors(file);
    return { outputs: new Map(opened.keys.map((key) => [key, opened.get(key)])) };
  };
}
