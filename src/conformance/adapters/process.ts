// Runs another implementation as a command: it reads one folder and writes another. Protocol L0: `<command> --case DIR --out DIR`.
import { type ByteSource, emptyFolder, kindOf, listFiles, openFile, runProcess, writeFile } from "#host";
import { parseJson } from "../../io/json.ts";
import { openSafetensors, type Stored } from "../../io/safetensors/read.ts";
import { saveSafetensors } from "../../io/safetensors/write.ts";
import { listed, quoted } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { printable } from "../../terminal/width.ts";
import { AdapterUnavailable, type ProbeAdapter } from "../probe/ask.ts";
import { caseOf, folderOf, LENGTH, type ProbeCall, type ProbeShape } from "../probe/plan.ts";
import { ATTENDED, noOutput, OUT, UnusableOutputs } from "../probe/rows.ts";

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

/** The last lines of the output, without control characters. */
function lastLines(output: string): string {
  if (output.trim() === "") return "";
  const lines = printable(output).trimEnd().split("\n").slice(-QUOTED);
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
      `the adapter was still running after ${seconds} s and was ended; --timeout SECONDS allows more${lastLines(output)}`,
    ); // [probe.adapter]
  }
  if (status === 0) return output;
  throw new LoadError(`the adapter ended with ${signal ?? `status ${status}`}${lastLines(output)}`); // [probe.adapter]
}

/** Bytes of adapter.json, of a header, and of an output file beyond what its tensors need. */
const LONGEST_JSON = 65_536;
const LONGEST_HEADER = 1_000_000;
const MORE_BYTES = 2 ** 26;
/** Values of an output for each value of x, and in addition. */
const MOST_VALUES = { perValue: 4, more: 2 ** 22 };

/** Opens a file that an adapter wrote; null where there is none. Refuses what is not a file, and more bytes than `most`. */
function openWritten(file: string, most: number): ByteSource | null {
  if (kindOf(file) === "nothing") return null;
  const source = openFile(file); // refuses folders, pipes and devices, and links to them
  if (source.size <= most) return source; // [probe.bounded]
  throw new UnusableOutputs(
    `${file} has ${source.size} bytes, more than the limit of ${most}: write only the outputs of the protocol  [probe.bounded]`,
  );
}

function jsonIn(bytes: Uint8Array, file: string): ReturnType<typeof parseJson> {
  try {
    return parseJson(bytes, file, 16);
  } catch {
    throw new UnusableOutputs(`${file} is not JSON; write {"skipped": "reason"} or leave the file out`); // [probe.skipped]
  }
}

/** The reason in adapter.json for skipping this call; null if the call is not skipped. */
function skippedIn(file: string): string | null {
  const source = openWritten(file, LONGEST_JSON);
  if (source === null) return null;
  const bytes = source.read(0, source.size);
  source.close();
  const { skipped } = jsonIn(bytes, file);
  if (skipped === undefined) return null;
  if (typeof skipped === "string") return printable(skipped.slice(0, 300)); // [probe.skipped]
  throw new UnusableOutputs(`"skipped" in ${file} is not text; write {"skipped": "reason"}`); // [probe.skipped]
}

/** The outputs in a file. Other tensors are not read. */
function outputsIn(source: ByteSource, name: string, most: number): Map<string, Stored> {
  const header = source.size < 8 ? 0 : new DataView(source.read(0, 8).buffer).getUint32(0, true);
  if (header > LONGEST_HEADER)
    throw new UnusableOutputs(
      `${name} has a header of ${header} bytes, more than the limit of ${LONGEST_HEADER}: write only the outputs of the protocol  [probe.bounded]`,
    );
  const file = openSafetensors(source, name);
  const found = file.keys.filter((key) => OUT.includes(key) || ATTENDED.includes(key));
  if (found.length === 0) throw noOutput(file.keys);
  const outputs = found.map((key) => {
    const { shape } = file.info(key);
    if (shape.reduce((size, n) => size * n, 1) <= most) return [key, file.get(key)] as const; // [probe.bounded]
    throw new UnusableOutputs(
      `${quoted(key)} has the shape ${listed(shape)}, which is larger than any output of these inputs  [probe.bounded]`,
    );
  });
  for (const [, stored] of outputs) stored.data; // read before the file can change
  file.close();
  return new Map(outputs);
}

/**
 * Reads what the command has written into a folder: outputs, or the reason for which it skips the call. `output` is what it
 * printed. Throws a LoadError for files that cannot be used.
 */
export function answerIn(folder: string, call: ProbeCall, { dim }: ProbeShape, output: string) {
  const skipped = skippedIn(`${folder}/adapter.json`);
  if (skipped !== null) return { skipped };
  const most = MOST_VALUES.perValue * call.rows.length * LENGTH * dim + MOST_VALUES.more;
  for (const name of WRITTEN) {
    const source = openWritten(`${folder}/${name}`, 16 * most + MORE_BYTES); // [probe.protocol]
    if (source !== null) return { outputs: outputsIn(source, `${folder}/${name}`, most) };
  }
  throw new UnusableOutputs(
    `the adapter wrote no outputs.safetensors into the folder after --out${lastLines(output)}`,
  ); // [probe.protocol]
}

/** Empties the folder of outputs, so that an answer of an earlier run does not count. Files of other origin are left alone. */
function clear(from: string, to: string): void {
  const isEmpty = kindOf(to) === "nothing" || (kindOf(to) === "folder" && listFiles(to).length === 0);
  const isOwn = isEmpty || kindOf(`${from}/case.json`) === "file"; // a probe that was killed may have left it empty
  if (!isOwn)
    throw new AdapterUnavailable(
      `${to} holds files that no probe has written; keep the files of the probe in another folder`,
    );
  emptyFolder(to); // [probe.protocol]
}

/** An adapter that runs the command once for each call. [probe.protocol] */
export function adapterOf(options: AdapterOptions): ProbeAdapter {
  return async (call, inputs) => {
    const folder = `${options.folder}/${folderOf(call)}`;
    const [from, to] = [`${folder}/case`, `${folder}/out`];
    clear(from, to);
    saveSafetensors(`${from}/inputs.safetensors`, inputs); // [probe.protocol]
    const json = `${JSON.stringify(caseOf(call, options.shape), null, 1)}\n`;
    writeFile(`${from}/case.json`, new TextEncoder().encode(json));
    const output = await outputOf(options, ["--case", from, "--out", to]); // [probe.protocol]
    try {
      return answerIn(to, call, options.shape, output);
    } catch (error) {
      if (error instanceof LoadError) throw new UnusableOutputs(error.message); // from a file that cannot be read, too
      throw error;
    }
  };
}
