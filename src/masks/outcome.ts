// What becomes of a text position's row. The boolean mask alone does not say: conventions that share it part where a
// row of it is empty.
import type { Convention } from "./conventions/schema.ts";

/**
 * attends: a softmax over the images it may attend; zeroed: attention adds nothing; identity: nor does the feed-forward,
 * the layer leaves the row as it is; uniform-leak: the plain average of all latents of all images, whatever the query;
 * unmasked-leak: a softmax over all images, as if there were no mask; nan: no number at all.
 */
export type RowOutcome = "attends" | "zeroed" | "identity" | "uniform-leak" | "unmasked-leak" | "nan";

export interface RowFacts {
  readonly position: number;
  /** Does the position hold a media token? */
  readonly isImage: boolean;
  /** That image's own number, from 1; 0 where the position holds none. */
  readonly image: number;
  /** Its text_time. */
  readonly number: number;
  readonly mayAttend: readonly boolean[];
  readonly outcome: RowOutcome;
  /** Numbers (from 1) of the images that reach the row: those it attends, or all of them in a leak. */
  readonly images: readonly number[];
}

/** The words that drawings and documents use. */
export const OUTCOME_LABELS = {
  attends: "attends",
  zeroed: "zeroed",
  identity: "identity",
  "uniform-leak": "UNIFORM LEAK",
  "unmasked-leak": "UNMASKED LEAK",
  nan: "NaN",
} as const satisfies Record<RowOutcome, string>;

const outcomeOf = { zero: "zeroed", uniform: "uniform-leak", unmasked: "unmasked-leak", nan: "nan" } as const;

/** Rows that image content should reach but does, although the mask allows none. */
export const leaks = (kind: RowOutcome): boolean => kind === "uniform-leak" || kind === "unmasked-leak";

/** Decided from the mask and not from text_time: an empty row is empty, whatever emptied it. [mask.row-class] */
export function rowOutcome(
  mayAttend: readonly boolean[],
  zeroed: boolean,
  convention: Convention,
): RowOutcome {
  const nothing = convention.emptyRowFeedForward === "skip" ? "identity" : "zeroed"; // [mask.identity]
  if (mayAttend.length === 0) return nothing; // [mask.no-image]
  if (zeroed) return nothing; // [mask.silent]
  if (mayAttend.includes(true)) return "attends";
  const fate = outcomeOf[convention.emptyRow]; // [mask.empty-row] [mask.uniform-leak] [mask.unmasked-leak]
  return fate === "zeroed" ? nothing : fate;
}

/** The images whose pixels, if changed, would change the row. */
export function reaching(mayAttend: readonly boolean[], kind: RowOutcome): number[] {
  if (leaks(kind)) return mayAttend.map((_, m) => m + 1); // [mask.uniform-leak] [mask.unmasked-leak]
  return kind === "attends" ? mayAttend.flatMap((seen, m) => (seen ? [m + 1] : [])) : [];
}

/** Does the feed-forward change the row? It skips what the mask leaves empty, where the convention says so. */
export const feedForwardRuns = (mayAttend: readonly boolean[], convention: Convention): boolean =>
  convention.emptyRowFeedForward === "run" || mayAttend.includes(true); // [mask.identity]
