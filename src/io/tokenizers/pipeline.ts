// Text to ids and back, as one file describes it.

export interface Pipeline {
  /** The number of ids: one more than the largest. */
  readonly size: number;
  /** `special`: whether the tokens that the file puts around a text are added. */
  encode(text: string, special: boolean): readonly number[];
  decode(ids: readonly number[], skipSpecial: boolean): string;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** Whether the token is a byte, so that its text depends on the next token. */
  isPartial(id: number): boolean;
  /** Whether the text of ids begins with the text of the first of them. */
  readonly isIncremental: boolean;
}
