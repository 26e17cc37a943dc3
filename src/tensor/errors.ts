// Errors, one class for each kind of cause. The message names the remedy.

/** The caller's shapes, axes or sizes do not fit together. */
export class ShapeError extends Error {
  override name = "ShapeError";
  /** A message that begins with "in" follows the name directly: "ShapeError in MaskedCrossAttention: …". */
  override toString(): string {
    return this.message.startsWith("in ") ? `${this.name} ${this.message}` : super.toString();
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
