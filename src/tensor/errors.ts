// Errors by phase: who has to act is told by the class, and what to do by the message.

/** The caller's shapes, axes or sizes do not fit together. */
export class ShapeError extends Error {
  override name = "ShapeError";
  /** A message that begins with its place reads on: "ShapeError in MaskedCrossAttention: …". */
  override toString(): string {
    return this.message.startsWith("in ") ? `${this.name} ${this.message}` : super.toString();
  }
}

/** Data or options break a rule of spec/. `upstream` is what the source package says instead, where it is known. */
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

/** Cannot happen; if it does, the fault is ours. */
export class Bug extends Error {
  override name = "Bug";
}
