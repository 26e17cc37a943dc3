// Types of rules.mjs.
export interface Use {
  readonly id: string;
  readonly path: string;
  readonly line: number;
  /** Offset of the comment or of the string, for citations and messages. */
  readonly at?: number;
}
export interface Collection {
  readonly chapters: ReadonlyMap<string, string>;
  readonly specs: ReadonlyMap<string, string>;
  readonly defined: readonly Use[];
  readonly cited: readonly Use[];
  readonly kept: readonly Use[];
  readonly tested: readonly Use[];
  readonly mentioned: readonly Use[];
}
export function citations(path: string, text: string): Use[];
export function titles(path: string, text: string): Use[];
export function messages(path: string, text: string): Use[];
export function collect(root?: string): Collection;
export function problems(found: Omit<Collection, "chapters" | "specs">): string[];
export function pairing(found: Pick<Collection, "chapters" | "specs">): string[];
