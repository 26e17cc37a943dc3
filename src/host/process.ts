// Child processes in Node: bounded output, a timeout, and nothing left running afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { LoadError } from "../tensor/errors.ts";
import type { FinishedProcess, ProcessOptions } from "./host.ts";

const WINDOWS = process.platform === "win32";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Children that are running now. They are terminated when this process ends, for whatever reason. */
const running = new Set<ChildProcess>();

/** Terminates a child and all processes that it started. Except on Windows, a child leads a process group of its own. */
function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(WINDOWS ? pid : -pid, "SIGKILL"); // [io.process]
  } catch {
    // the group has ended by itself
  }
}

const endAll = (): void => {
  for (const child of running) endGroup(child); // [io.process]
};

/** A handler replaces the signal's default action, so it is taken off and the signal sent again. */
const onSignal = (signal: NodeJS.Signals): void => {
  endAll();
  listen(false);
  process.kill(process.pid, signal);
};

function listen(on: boolean): void {
  const change = on ? "on" : "removeListener";
  process[change]("exit", endAll);
  for (const signal of SIGNALS) process[change](signal, onSignal);
}

function enter(child: ChildProcess): void {
  if (running.size === 0) listen(true);
  running.add(child);
}

function leave(child: ChildProcess): void {
  running.delete(child);
  if (running.size === 0) listen(false);
}

/** Runs a command until it ends or `seconds` have passed. Rejects with a LoadError where the command cannot be started. [io.process] */
export function runProcess(
  [program = "", ...args]: readonly string[],
  { seconds, keep = 1e7 }: ProcessOptions = {},
): Promise<FinishedProcess> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], detached: !WINDOWS });
    enter(child);
    let [stdout, stderr, output, timedOut] = ["", "", "", false];
    let secondsToOutput: number | null = null;
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      secondsToOutput ??= (performance.now() - started) / 1000;
      stdout = (stdout + text).slice(-keep); // [io.process]
      output = (output + text).slice(-keep); // [io.process]
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr = (stderr + text).slice(-keep); // [io.process]
      output = (output + text).slice(-keep); // [io.process]
    });
    const end = () => {
      clearTimeout(timer);
      endGroup(child);
      leave(child);
      resolve({
        status: child.exitCode,
        signal: child.signalCode,
        timedOut,
        stdout,
        stderr,
        output,
        secondsToOutput,
      });
    };
    const timer =
      seconds === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            end();
            child.stdout.destroy();
            child.stderr.destroy();
          }, seconds * 1000);
    child.on("error", (error) => {
      clearTimeout(timer);
      leave(child);
      reject(new LoadError(`cannot run ${program}: ${error.message}`));
    });
    child.on("exit", () => endGroup(child)); // processes that it started may hold its output open
    child.on("close", end);
  });
}
