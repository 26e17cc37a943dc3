/** A mistake that was made in a real implementation. */
export interface Mistake {
  readonly id: string;
  /** Row of the table in spec/conformance/mutants/95-mutants.md. */
  readonly number: number;
  readonly title: string;
  /** The implementations in which it was found. */
  readonly seenIn: string;
  /** A mistake only where the release is to be reproduced: the result is what the paper says. */
  readonly asInPaper?: boolean;
}
