// Timing: medians of several runs after one that is not counted, several tasks in interleaved rounds, and fitted exponents.

export interface TimingOptions {
  /** The least number of timings. */
  readonly runs: number;
  /** Timings are repeated until this many seconds have passed. */
  readonly seconds: number;
  /** The least number of seconds of one timing, of several runs if necessary: a page's clock is coarse. */
  readonly least?: number;
  /** Awaited before each timing and not counted. If it rejects, so does the measurement. */
  readonly rest?: () => Promise<void>;
}

const MOST_TIMINGS = 200;

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Seconds of one run. The first run compiles, packs and fills caches, so it is not counted. */
export async function secondsOf(
  task: () => Promise<unknown>,
  { runs, seconds, least = 0, rest }: TimingOptions,
  clock: () => number = () => performance.now(),
): Promise<number> {
  await task();
  const times: number[] = [];
  let count = 1;
  const begun = clock();
  while (times.length < MOST_TIMINGS && (times.length < runs || clock() - begun < 1000 * seconds)) {
    await rest?.();
    const since = clock();
    for (let i = 0; i < count; i++) await task();
    const took = (clock() - since) / 1000;
    if (took < least) count = Math.ceil(count * Math.min(8, (1.2 * least) / took));
    else times.push(took / count);
  }
  return median(times);
}

/**
 * Measures every task once in each round, so that a disturbance of the machine affects all of them, and returns each task's median.
 * A measurement may be null; a task without any has the median NaN.
 */
export async function inRounds(
  rounds: number,
  tasks: readonly (() => Promise<number | null>)[],
): Promise<number[]> {
  const times = tasks.map((): number[] => []);
  for (let round = 0; round < rounds; round++)
    for (const [i, task] of tasks.entries()) {
      const seconds = await task();
      if (seconds !== null) times[i]?.push(seconds);
    }
  return times.map(median);
}

/** The exponent e of time ≈ c · sizeᵉ, by least squares on logarithms. */
export function exponentOf(sizes: readonly number[], times: readonly number[]): number {
  const [xs, ys] = [sizes.map(Math.log), times.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const covariance = xs.reduce((sum, x, i) => sum + (x - mx) * ((ys[i] ?? NaN) - my), 0);
  return covariance / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}
