// Types of scan.mjs.
export interface Token {
  readonly kind: "word" | "number" | "string" | "template" | "regex" | "mark" | "comment";
  readonly text: string;
  /** Offset of its first character, and that character's line, counted from 1. */
  readonly at: number;
  readonly line: number;
}
export function tokens(source: string): Token[];
export function codeOf(list: readonly Token[]): Token[];
export function codeLines(list: readonly Token[]): Set<number>;
export function imports(list: readonly Token[]): { specifier: string | null; line: number }[];
