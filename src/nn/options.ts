// Options are the arguments of the source package in camelCase. The compiler checks their names; in JavaScript, a misspelt
// option would silently get its default.
import { RuleError } from "../tensor/errors.ts";

/** Throws if `rest`, the options of a caller without all known ones, is not empty. */
export function rejectUnknown(caller: string, rest: object): void {
  const [name] = Object.keys(rest);
  if (name === undefined) return;
  const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const hint = camel === name ? "" : `; option names are in camelCase: "${camel}"`;
  throw new RuleError(`${caller} has no option "${name}"${hint}`, "options.known");
}
