// Names of weights without the fields of wrappers and without a prefix, on request: the rule `strip`.
import { withoutWrappers, wrappersIn } from "./name-differences.ts";
import type { RuleUse } from "./rules.ts";

/** The names of weights as the other rules see them, with the names in the file. */
export class StrippedNames {
  readonly #names: Map<string, string>;
  readonly #uses = new Map<string, string[]>();

  constructor(keys: readonly string[], strip: boolean) {
    this.#names = new Map(keys.map((key) => [key, strip ? withoutWrappers(key) : key])); // [state.strip]
    if (strip) for (const key of keys) for (const part of new Set(wrappersIn(key))) this.#record(part, key);
  }

  /** Names in the file, each with its present name. */
  get names(): ReadonlyMap<string, string> {
    return this.#names;
  }

  /** The removed parts, each with the names in the file that had it. */
  get uses(): RuleUse[] {
    return [...this.#uses].map(([rule, names]) => ({ rule, names }));
  }

  /** Removes a prefix from all names that begin with it, except for those of the file that fit with it. */
  removePrefix(prefix: string, fitting: ReadonlySet<string>): void {
    for (const [key, name] of this.#names) {
      if (!name.startsWith(prefix) || fitting.has(key)) continue;
      this.#names.set(key, name.slice(prefix.length)); // [state.strip]
      this.#record(prefix, key);
    }
  }

  #record(part: string, key: string): void {
    const known = this.#uses.get(part);
    if (known) known.push(key);
    else this.#uses.set(part, [key]);
  }
}
