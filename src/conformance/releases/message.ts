// The message with which a released package refuses the input that this package refuses with an error. A port reproduces a release, so
// its users meet these messages.
import { type Facts, RuleError, type ShapeError } from "../../tensor/errors.ts";
import { checkMember } from "../../tensor/given.ts";
import { missingArguments, refusedValue, unexpectedArgument } from "./options.ts";
import { rules } from "./rules.ts";
import { places } from "./shapes.ts";

/** A message, or a function of the facts of an error; null where the release accepts the input. */
type Words = string | ((facts: never) => string | null);

const all: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["options.known", unexpectedArgument],
  ["options.missing", missingArguments],
  ["options.values", refusedValue],
  ...Object.entries(rules),
  ...Object.entries(places),
]);

/**
 * The message with which the released package (torch, Python, or the package whose class it is) refuses the same input, such as
 * "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x7 and 12x1024)". It is null where the release accepts the input, where no
 * release has the call, and where its message is not known.
 */
export function releaseMessage(error: RuleError | ShapeError): string | null {
  checkMember("releaseMessage", { error }, "facts", "a RuleError or a ShapeError");
  const words = all.get((error instanceof RuleError ? error.rule : error.place) ?? "");
  if (words === undefined || typeof words === "string") return words ?? null;
  return Object.keys(error.facts).length > 0 ? (words as (facts: Facts) => string | null)(error.facts) : null;
}
