// The time to the first result of a new process: Node starts, modules load, kernels compile, a tiny model runs.
import { runProcess } from "#host";
import { run } from "../kernels/replay.ts";
import { Bug, LoadError } from "../tensor/errors.ts";
import { flat } from "../tensor/tensor.ts";
import { tinyFlamingo } from "./examples.ts";
import { measureTarget, type Target, type TargetName } from "./target.ts";
import { commandOf } from "./targets.ts";
import { median, type TimingOptions } from "./timing.ts";

export interface Start extends TargetName {
  /** From the start of the process to its result. */
  readonly seconds: number;
  /** The sum of the logits, or the token of a language model, as evidence that there was a result. */
  readonly checksum: number;
}

/** The first result of this process. */
export const firstHere = (target: Target): Promise<Start> =>
  measureTarget(target, async (backend, name) => {
    const { model, forward } = tinyFlamingo();
    const logits = await run(backend, forward, { model });
    const checksum = [...flat(logits.data)].reduce((sum, x) => sum + x, 0);
    const seconds = performance.now() / 1000; // Node's clock starts with the process
    return { ...name, seconds, checksum };
  });

/** The first result of a new process, timed from this one, since Node's own clock starts only after its program was loaded. */
export async function firstApart(target: Target, ...options: readonly string[]): Promise<Start> {
  const command = [process.execPath, ...commandOf(target, "--first", ...options)];
  const { status, stdout, stderr, secondsToOutput } = await runProcess(command);
  if (status !== 0) throw new LoadError(`the new process ended with status ${status}: ${stderr.trim()}`);
  return { ...(JSON.parse(stdout) as Start), seconds: secondsToOutput ?? NaN };
}

/** The median of several processes, after one that is not counted because it reads the files from disk. */
export async function start(
  target: Target,
  { runs }: TimingOptions,
  first: (target: Target) => Promise<Start> = (one) => firstApart(one),
): Promise<Start> {
  const warm = await first(target);
  const seconds: number[] = [];
  for (let repeat = 0; repeat < runs; repeat++) {
    const result = await first(target);
    if (!Object.is(result.checksum, warm.checksum) || !Number.isFinite(result.checksum))
      throw new Bug(`the same process computed ${warm.checksum}, then ${result.checksum}`);
    seconds.push(result.seconds);
  }
  return { ...warm, seconds: median(seconds) };
}
