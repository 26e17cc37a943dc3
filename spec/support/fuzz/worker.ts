// Runs inputs of one target at a time in a worker thread, so that the thread that supervises it sees hangs and memory.
import { getHeapStatistics } from "node:v8";
import { parentPort, workerData } from "node:worker_threads";
import fc from "fast-check";
import { isRefusal, type Target } from "./target.ts";
import { targets } from "./targets/index.ts";

/** A part of a target's inputs: `count` of them, from this seed. */
export interface Slice {
  readonly name: string;
  readonly seed: number;
  readonly count: number;
  /** Only shows the input with this number. */
  readonly show?: number;
}

/** Places in the memory that the supervisor reads: the input's number, the time of its beginning (ms), its size, whether it is being read. */
export const STATE = { index: 0, since: 1, bytes: 2, reading: 3, length: 4 } as const;

/** Memory that a reader may take beside ten times its input: code that is compiled, caches, objects of small inputs. */
const SLACK = 4 << 20;

const { state, folder } = workerData as { readonly state: Float64Array; readonly folder: string };

const external = (): number => getHeapStatistics().external_memory;

interface Outcome {
  accepted: number;
  refused: number;
}

function begin(size: number): void {
  state[STATE.index] = (state[STATE.index] ?? 0) + 1;
  state[STATE.bytes] = size;
  state[STATE.since] = Date.now();
  state[STATE.reading] = 1;
}

/** Counts a result, or throws the error of a reader that failed. */
function end(outcome: Outcome, error: unknown, before: number, size: number): void {
  state[STATE.reading] = 0;
  if (error !== undefined && !isRefusal(error)) throw error;
  outcome[error === undefined ? "accepted" : "refused"] += 1;
  const taken = external() - before;
  if (taken > 10 * size + SLACK)
    throw new Error(`${taken} bytes of buffers were allocated for an input of ${size} bytes`);
}

function property({ inputs, size, read, asynchronous = false }: Target, outcome: Outcome) {
  if (!asynchronous)
    return fc.property(inputs, (input) => {
      const [bytes, before] = [size(input), external()];
      begin(bytes);
      let error: unknown;
      try {
        read(input, folder);
      } catch (thrown) {
        error = thrown ?? new Error("nothing was thrown");
      }
      end(outcome, error, before, bytes);
    });
  return fc.asyncProperty(inputs, async (input) => {
    const [bytes, before] = [size(input), external()];
    begin(bytes);
    let error: unknown;
    try {
      await read(input, folder);
    } catch (thrown) {
      error = thrown ?? new Error("nothing was thrown");
    }
    end(outcome, error, before, bytes);
  });
}

export interface SliceResult extends Outcome {
  /** The counterexample and its error; null if every input was read or refused. */
  readonly failure: string | null;
}

async function run({ name, seed, count, show: shown }: Slice): Promise<SliceResult> {
  const found = targets[name];
  if (!found) throw new Error(`there is no target "${name}"`);
  const show = (input: unknown): string => (found.show ?? fc.stringify)(input).slice(0, 2000);
  if (shown !== undefined) {
    const input = fc.sample(found.inputs, { seed, numRuns: shown }).at(-1);
    return { accepted: 0, refused: 0, failure: show(input) };
  }
  const outcome = { accepted: 0, refused: 0 };
  state.fill(0);
  const checked = await fc.check(property(found, outcome) as fc.IAsyncProperty<unknown>, {
    seed,
    numRuns: count,
    interruptAfterTimeLimit: 60_000, // shrinking a counterexample ends as well
  });
  if (!checked.failed) return { ...outcome, failure: null };
  const [input] = (checked.counterexample ?? []) as unknown[];
  const error = checked.errorInstance;
  const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ...outcome, failure: `${show(input)}\n${reason.slice(0, 2000)}` };
}

parentPort?.on("message", async (slice: Slice) => parentPort?.postMessage(await run(slice)));
parentPort?.postMessage(Object.keys(targets));
