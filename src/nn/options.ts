// Options are the source's arguments in camelCase. The compiler knows their names; whoever calls without it would get a
// default in silence for every misspelt one.
import { RuleError } from "../tensor/errors.ts";

/** Refuses what is left of a caller's options when all known ones are taken out. */
export function rejectUnknown(who: string, rest: object): void {
  const [name] = Object.keys(rest);
  if (name === undefined) return;
  const camel = name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const hint = camel === name ? "" : `; names are in camelCase here: "${camel}"`;
  throw new RuleError(`${who} has no option "${name}"${hint}`, "options.known");
}
