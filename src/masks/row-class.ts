// What becomes of a text position's row. The boolean mask alone does not say: conventions that share it part where a
// row of it is empty.
import type { Convention } from "./convention.ts";

/**
 * attends: a softmax over the images it may attend; zeroed: attention adds nothing; uniform-leak: the plain average of
 * all latents of all images, whatever the query; nan: no number at all.
 */
export type RowClass = "attends" | "zeroed" | "uniform-leak" | "nan";

export interface RowFacts {
  readonly position: number;
  /** Does the position hold a media token? */
  readonly isImage: boolean;
  /** Its text_time. */
  readonly number: number;
  readonly mayAttend: readonly boolean[];
  readonly class: RowClass;
  /** Numbers (from 1) of the images that reach the row: those it attends, or all of them in a leak. */
  readonly images: readonly number[];
}

const fateOf = { zero: "zeroed", uniform: "uniform-leak", nan: "nan" } as const;

/** Decided from the mask and not from text_time: an empty row is empty, whatever emptied it. [mask.row-class] */
export function rowClass(mayAttend: readonly boolean[], silent: boolean, convention: Convention): RowClass {
  if (mayAttend.length === 0) return "zeroed"; // [mask.no-image]
  if (silent) return "zeroed"; // [mask.silent]
  if (mayAttend.includes(true)) return "attends";
  return fateOf[convention.emptyRow]; // [mask.empty-row] [mask.uniform-leak]
}

/** The images whose pixels, if changed, would change the row. */
export function reaching(mayAttend: readonly boolean[], kind: RowClass): number[] {
  if (kind === "uniform-leak") return mayAttend.map((_, m) => m + 1); // [mask.uniform-leak]
  return kind === "attends" ? mayAttend.flatMap((seen, m) => (seen ? [m + 1] : [])) : [];
}
