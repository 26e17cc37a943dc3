// The time to the first result of a new process: Node starts, modules load, kernels compile, a tiny model runs.
import { spawn } from "node:child_process";
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
  /** The sum of the logits, as evidence that there was a result. */
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
function firstApart(target: Target): Promise<Start> {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const child = spawn(process.execPath, commandOf(target, "--first"), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [output, errors, seconds] = ["", "", NaN];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (output === "") seconds = (performance.now() - since) / 1000;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve({ ...(JSON.parse(output) as Start), seconds });
      else reject(new LoadError(`the new process ended with status ${status}: ${errors.trim()}`));
    });
  });
}

/** The median of several processes, after one that is not counted because it reads the files from disk. */
export async function start(
  target: Target,
  { runs }: TimingOptions,
  first: (target: Target) => Promise<Start> = firstApart,
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
