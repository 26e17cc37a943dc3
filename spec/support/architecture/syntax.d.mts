// Types of syntax.mjs.
export interface Node {
  readonly type: string;
  /** Offsets of its first character and of the character after its last one. */
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}
export interface Comment {
  readonly type: "Line" | "Block";
  readonly value: string;
  readonly start: number;
  readonly end: number;
}
export interface Source {
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  readonly comments: readonly Comment[];
}
export interface Found {
  readonly node: Node;
  readonly parent: Node | null;
}
export function parse(path: string, text: string): Source;
export function isValid(text: string): boolean;
export function lineOf(text: string, at: number): number;
export function visit(
  node: unknown,
  look: (node: Node, parent: Node | null) => boolean | void,
  parent?: Node | null,
): void;
export function nodesOf(source: Source, select?: (node: Node, parent: Node | null) => boolean): Found[];
export function strings(source: Source): { value: string; start: number; parent: Node; opens: boolean }[];
export function withoutComments(source: Source): string;
export function imports(source: Source): { specifier: string | null; line: number }[];
