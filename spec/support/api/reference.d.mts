// Types of reference.mjs.
export const FOLDER: string;
/** Every page, by its path below docs/api. */
export function pages(root?: string): Map<string, string>;
export function outdated(made: ReadonlyMap<string, string>, root?: string): string[];
export function findings(root?: string): string[];
export interface Documented {
  readonly shapes: readonly string[];
  readonly errors: ReadonlySet<string>;
}
export function documented(root?: string): ReadonlyMap<string, Documented>;
