// What was measured, as data: what the page shows and what "Copy as JSON" gives.
import type { Rate } from "../../bench/rates.ts";

/** Keys as `flamboyance bench --json` has them, and the time of one run. */
export interface Speed extends Rate {
  readonly milliseconds: number;
}

/** What could not be measured, and why. */
export interface Missing {
  readonly backend: string;
  readonly mode: string | null;
  readonly why: string;
}

/** Milliseconds until a tiny FlamingoPaLM has answered, step by step. */
export interface First {
  /** Fetching the kernels' script and running it. */
  readonly load: number;
  /** From bytes to machine code. */
  readonly compile: number;
  /** Drawing the weights. */
  readonly build: number;
  readonly run: number;
  /** The same call once more. */
  readonly again: number;
}

export interface Speeds {
  /** Of one thread; null as long as it is not known. */
  registerGflops: number | null;
  first: First | null;
  readonly matmul: Speed[];
  readonly attention: Speed[];
  readonly missing: Missing[];
}

export const nothingYet = (): Speeds => ({
  registerGflops: null,
  first: null,
  matmul: [],
  attention: [],
  missing: [],
});

export const PARTS = ["matmul", "attention"] as const;
export type Part = (typeof PARTS)[number];

/** Why something is missing: the first line of what was thrown. */
export const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
