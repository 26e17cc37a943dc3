// What every vocabulary model does: tokens and ids, and the ids of one pre-tokenized word.

export interface TokenModel {
  /** The number of tokens, added ones excluded. */
  readonly size: number;
  idOf(token: string): number | undefined;
  tokenOf(id: number): string | undefined;
  /** The ids of a word. */
  encode(word: string): readonly number[];
}
