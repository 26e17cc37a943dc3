// Types of breaks.mjs.
export interface Variant {
  /** The whole file with one edit. */
  readonly text: string;
  readonly line: number;
  readonly before: string;
  readonly after: string;
}
export interface Citation {
  readonly id: string;
  readonly path: string;
  readonly line: number;
  readonly every: boolean;
  readonly variants: readonly Variant[];
}
export function breaks(path: string, source: string): Citation[];
