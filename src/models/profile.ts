// Profiles: the behaviour of releases as data, by the name of the release.
import { shown } from "../nn/options.ts";
import { RuleError } from "../tensor/errors.ts";

/** The profile of a name. Throws a RuleError if there is none. */
export function profileOf<N extends string, P>(profiles: Readonly<Record<N, P>>, name: N, rule: string): P {
  if (Object.hasOwn(profiles, name)) return profiles[name];
  const known = Object.keys(profiles).join(", ");
  throw new RuleError(`no profile is called ${shown(name)}; there are ${known}`, rule);
}
