// Examples run in a process of their own, so that the memory measured is theirs alone.
import { runProcess } from "#host";
import { run } from "../kernels/replay.ts";
import { LoadError } from "../tensor/errors.ts";
import { type ExampleName, examples, quickExamples } from "./examples.ts";
import { measureTarget, type Target, type TargetName } from "./target.ts";
import { commandOf } from "./targets.ts";
import { secondsOf, type TimingOptions } from "./timing.ts";

export interface ExampleTime extends TargetName {
  readonly name: string;
  readonly seconds: number;
  /** The peak resident memory of the process, Node and weights included. */
  readonly peakBytes: number;
}

/** Runs an example in this process. */
export const exampleHere = (
  name: ExampleName,
  target: Target,
  timing: TimingOptions,
  quick = false,
): Promise<ExampleTime> =>
  measureTarget(target, async (backend, targetName) => {
    const { model, forward } = ((quick && quickExamples[name]) || examples[name])();
    const seconds = await secondsOf(() => run(backend, forward, { model }), timing);
    const peakBytes = process.resourceUsage().maxRSS * 1024;
    return { name, ...targetName, seconds, peakBytes };
  });

/** Runs an example in a new process of this command line. */
export async function exampleApart(name: ExampleName, target: Target, quick: boolean): Promise<ExampleTime> {
  const command = commandOf(target, "--example", name, ...(quick ? ["--quick"] : []));
  const { status, stdout, stderr } = await runProcess([process.execPath, ...command]);
  if (status !== 0)
    throw new LoadError(`the process that runs ${name} ended with status ${status}: ${stderr.trim()}`);
  const [result] = (JSON.parse(stdout) as { examples: ExampleTime[] }).examples;
  if (!result) throw new LoadError(`the process that runs ${name} printed no result: ${stdout}`);
  return result;
}
