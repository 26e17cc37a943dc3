// An example is run in a process of its own, so that its memory is its own.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { run } from "../kernels/replay.ts";
import { LoadError } from "../tensor/errors.ts";
import { type ExampleName, examples, quickExamples } from "./examples.ts";
import { modeOf, type Target } from "./target.ts";
import { commandOf } from "./targets.ts";
import { secondsOf, type TimingOptions } from "./timing.ts";

export interface ExampleTime {
  readonly name: string;
  readonly backend: string;
  readonly mode: string | null;
  readonly threads: number;
  readonly seconds: number;
  /** The most memory that the process held at once, Node and weights included. */
  readonly peakBytes: number;
}

/** Runs it here: the memory is that of this whole process. */
export async function exampleHere(
  name: ExampleName,
  { backend: on, threads, open }: Target,
  patience: TimingOptions,
  quick = false,
): Promise<ExampleTime> {
  const backend = await open();
  try {
    const { model, forward } = ((quick && quickExamples[name]) || examples[name])();
    const seconds = await secondsOf(() => run(backend, forward, { model }), patience);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return { name, backend: on, mode: modeOf(backend), threads, seconds, peakBytes };
  } finally {
    await backend.close();
  }
}

/** Runs it in a new process of this command line. */
export async function exampleApart(
  name: ExampleName,
  contestant: Target,
  quick: boolean,
): Promise<ExampleTime> {
  const command = commandOf(contestant, "--example", name, ...(quick ? ["--quick"] : []));
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 1e7 });
  const [found] = (JSON.parse(stdout) as { examples: ExampleTime[] }).examples;
  if (!found) throw new LoadError(`${name} was not run: ${stdout}`);
  return found;
}
