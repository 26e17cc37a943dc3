// The first result of a fresh process: Node begins, modules load, kernels compile, a tiny model runs.
import { spawn } from "node:child_process";
import { run } from "../kernels/replay.ts";
import { Bug, LoadError } from "../tensor/errors.ts";
import { flat } from "../tensor/tensor.ts";
import { tinyFlamingo } from "./examples.ts";
import { modeOf, type Target } from "./target.ts";
import { commandOf } from "./targets.ts";
import { median, type TimingOptions } from "./timing.ts";

export interface Start {
  readonly backend: string;
  readonly mode: string | null;
  readonly threads: number;
  /** From the start of the process to its result. */
  readonly seconds: number;
  /** The sum of the logits: shows that there was a result. */
  readonly checksum: number;
}

/** The first result of this process. */
export async function firstHere({ backend: on, threads, open }: Target): Promise<Start> {
  const backend = await open();
  try {
    const { model, forward } = tinyFlamingo();
    const logits = await run(backend, forward, { model });
    const checksum = [...flat(logits.data)].reduce((sum, x) => sum + x, 0);
    const seconds = performance.now() / 1000; // Node's clock begins with the process
    return { backend: on, mode: modeOf(backend), threads, seconds, checksum };
  } finally {
    await backend.close();
  }
}

/** A new process of this command line, timed from here: Node's own clock begins only when Node does. */
function firstApart(contestant: Target): Promise<Start> {
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const child = spawn(process.execPath, commandOf(contestant, "--first"), {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [told, complaint, seconds] = ["", "", NaN];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (told === "") seconds = (performance.now() - since) / 1000;
      told += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve({ ...(JSON.parse(told) as Start), seconds });
      else reject(new LoadError(`there was no first result: ${complaint.trim()}`));
    });
  });
}

/** The median of several processes, after one that brings the files into the machine's memory. */
export async function start(
  contestant: Target,
  { runs }: TimingOptions,
  first: (contestant: Target) => Promise<Start> = firstApart,
): Promise<Start> {
  const warm = await first(contestant);
  const seconds: number[] = [];
  for (let again = 0; again < runs; again++) {
    const found = await first(contestant);
    if (!Object.is(found.checksum, warm.checksum) || !Number.isFinite(found.checksum))
      throw new Bug(`the same process computed ${warm.checksum}, then ${found.checksum}`);
    seconds.push(found.seconds);
  }
  return { ...warm, seconds: median(seconds) };
}
