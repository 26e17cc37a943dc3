// `clean_up_tokenization_spaces` of transformers (tokenization_utils_base.py): removes spaces before punctuation and contractions.

const REPLACEMENTS = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

/** [tokenizer.clean-up] */
export const cleanedUp = (text: string): string =>
  REPLACEMENTS.reduce((result, [from, to]) => result.replaceAll(from, to), text);

/** The length of the text up to its last character that no replacement has: what follows cannot change what precedes it. */
export const stableLength = (text: string): number => /^.*[^ .?!,'ntmsver]/su.exec(text)?.[0].length ?? 0;
