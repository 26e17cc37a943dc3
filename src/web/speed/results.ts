// The results of a measurement, as the page shows them and "Copy as JSON" copies them.
import type { Rate } from "../../bench/rates.ts";

/** The keys of `flamboyance bench --json`, and the time of one run. */
export interface Speed extends Rate {
  readonly milliseconds: number;
}

/** A target that could not be measured. */
export interface Missing {
  readonly backend: string;
  readonly mode: string | null;
  readonly why: string;
}

/** Milliseconds until the first result of a tiny FlamingoPaLM. */
export interface FirstResult {
  /** Fetching and running the script with the kernels. */
  readonly load: number;
  /** WebAssembly to machine code. */
  readonly compile: number;
  /** Drawing the weights and inputs. */
  readonly build: number;
  readonly run: number;
  /** The same call a second time. */
  readonly again: number;
}

export interface Results {
  /** The peak of one thread; null before it is measured. */
  peakGflops: number | null;
  first: FirstResult | null;
  readonly matmul: Speed[];
  readonly attention: Speed[];
  readonly missing: Missing[];
}

export const noResults = (): Results => ({
  peakGflops: null,
  first: null,
  matmul: [],
  attention: [],
  missing: [],
});
