/** The special tokens of OpenFlamingo: the end of an image's text, an image, and padding where the tokenizer has none. */
export const FLAMINGO_TOKENS = { endOfChunk: "<|endofchunk|>", image: "<image>", padding: "<PAD>" } as const;
