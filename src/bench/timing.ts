// How long something takes: the median of several runs, after one that does not count.

/** How long to go on: at least so many runs, and until so many seconds are over. */
export interface TimingOptions {
  readonly runs: number;
  readonly seconds: number;
  /** Seconds that one timing takes at least, of several runs if need be: a page's clock ticks coarsely. */
  readonly least?: number;
  /** Called before each timing and not counted. It may throw, to end them. */
  readonly rest?: () => Promise<void>;
}

const MOST = 200;

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

/** Seconds of one run. The first run compiles, packs and fills caches: it is not counted. */
export async function secondsOf(
  work: () => Promise<unknown>,
  { runs, seconds, least = 0, rest }: TimingOptions,
  clock: () => number = () => performance.now(),
): Promise<number> {
  await work();
  const times: number[] = [];
  let count = 1;
  const begun = clock();
  while (times.length < MOST && (times.length < runs || clock() - begun < 1000 * seconds)) {
    await rest?.();
    const since = clock();
    for (let i = 0; i < count; i++) await work();
    const took = (clock() - since) / 1000;
    if (took < least) count = Math.ceil(count * Math.min(8, (1.2 * least) / took));
    else times.push(took / count);
  }
  return median(times);
}

/** The exponent e of time ≈ c · sizeᵉ, by least squares on logarithms. */
export function exponentOf(sizes: readonly number[], times: readonly number[]): number {
  const [xs, ys] = [sizes.map(Math.log), times.map(Math.log)];
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [mx, my] = [mean(xs), mean(ys)];
  const along = xs.reduce((sum, x, i) => sum + (x - mx) * ((ys[i] ?? NaN) - my), 0);
  return along / xs.reduce((sum, x) => sum + (x - mx) ** 2, 0);
}
