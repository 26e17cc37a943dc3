// Child processes in Node: bounded output, a timeout, and nothing left running afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { LoadError } from "../tensor/errors.ts";
import type { FinishedProcess, ProcessOptions } from "./host.ts";
import { beforeEnd } from "./termination.ts";

const WINDOWS = process.platform === "win32";
/** Terminates a child and all processes that it started. Except on Windows, a child leads a process group of its own. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(WINDOWS ? pid : -pid, "SIGKILL"); // [io.process]
  } catch {
    // the group has ended by itself
  }
}

/** After a child has ended, the time for the rest of its output, in milliseconds. A process that it left running may hold the pipes open. */
const GRACE = 500;

/** The end of a text that grows: between `keep` and twice as many characters. */
const appended = (text: string, more: string, keep: number): string => {
  const all = text + more;
  return all.length > 2 * keep ? all.slice(-keep) : all; // [io.process]
};

/** Both streams of a child, apart and in the order in which they were received. */
class Output {
  readonly #keep: number;
  readonly #started = performance.now();
  #texts = { stdout: "", stderr: "", output: "" };
  #secondsToOutput: number | null = null;

  constructor(keep: number) {
    this.#keep = keep;
  }

  add(stream: "stdout" | "stderr", text: string): void {
    if (stream === "stdout") this.#secondsToOutput ??= (performance.now() - this.#started) / 1000;
    const texts = this.#texts;
    texts[stream] = appended(texts[stream], text, this.#keep);
    texts.output = appended(texts.output, text, this.#keep);
  }

  get captured() {
    const [stdout, stderr, output] = [this.#texts.stdout, this.#texts.stderr, this.#texts.output].map(
      (text) => text.slice(-this.#keep),
    ) as [string, string, string];
    return { stdout, stderr, output, secondsToOutput: this.#secondsToOutput };
  }
}

/** Runs a command until it ends or `seconds` have passed. Rejects with a LoadError where the command cannot be started. [io.process] */
export function runProcess(
  [program = "", ...args]: readonly string[],
  { seconds, keep = 1e7 }: ProcessOptions = {},
): Promise<FinishedProcess> {
  return new Promise((resolve, reject) => {
    const output = new Output(keep);
    const withdraw = beforeEnd(() => endGroup(child)); // before the start, because a signal may arrive meanwhile [io.process]
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: !WINDOWS });
    for (const stream of ["stdout", "stderr"] as const)
      child[stream].setEncoding("utf8").on("data", (text: string) => output.add(stream, text));
    let timedOut = false;
    const timers: NodeJS.Timeout[] = [];
    const after = (milliseconds: number, action: () => void) => timers.push(setTimeout(action, milliseconds));
    const end = () => {
      for (const timer of timers) clearTimeout(timer);
      withdraw();
      child.stdout.destroy(); // [io.process]
      child.stderr.destroy();
      resolve({ status: child.exitCode, signal: child.signalCode, timedOut, ...output.captured });
    };
    if (seconds !== undefined)
      after(seconds * 1000, () => {
        timedOut = true;
        endGroup(child); // [io.process]
        end();
      });
    child.on("error", (error) => {
      for (const timer of timers) clearTimeout(timer);
      withdraw();
      reject(new LoadError(`cannot run ${program}: ${error.message}`));
    });
    child.on("exit", () => {
      endGroup(child); // processes that it started [io.process]
      if (!timedOut) after(GRACE, end); // [io.process]
    });
    child.on("close", end);
  });
}
