// Errors, one class for each kind of cause. The message names the remedy.

/**
 * The caller's shapes, axes or sizes do not fit together. `place` is the module or call in which they meet, if there is one;
 * `upstream` is the message of the source package for the same mistake, if known.
 */
export class ShapeError extends Error {
  override name = "ShapeError";
  readonly place: string | null;
  readonly upstream: string | null;
  constructor(message: string, place: string | null = null, upstream: string | null = null) {
    super(place === null ? message : `in ${place}: ${message}`);
    this.place = place;
    this.upstream = upstream;
  }
  /** "ShapeError in MaskedCrossAttention: …": the place follows the name directly. */
  override toString(): string {
    return this.place === null ? super.toString() : `${this.name} ${this.message}`;
  }
}

/** Data or options violate a rule of spec/. `upstream` is the message of the source package for the same mistake, if known. */
export class RuleError extends Error {
  override name = "RuleError";
  readonly rule: string;
  readonly upstream: string | null;
  constructor(message: string, rule: string, upstream: string | null = null) {
    super(`${message}  [${rule}]`);
    this.rule = rule;
    this.upstream = upstream;
  }
}

/** Weights or files are missing, misspelt, truncated or hostile. */
export class LoadError extends Error {
  override name = "LoadError";
}

/** An internal error: a defect of this package. */
export class Bug extends Error {
  override name = "Bug";
}

/** The message of what was thrown, which may be no Error. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The first line of the message. */
export const firstLineOf = (error: unknown): string => messageOf(error).split("\n")[0] ?? "";

/** The kind of error and its message: "LoadError: …". */
export const nameAndMessageOf = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}` : String(error);
