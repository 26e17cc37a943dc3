// A prompt as tokens: words, punctuation, <image> and end tokens. A real tokenizer splits finer; what counts here is which
// tokens stand for images, and where.
import { TOKEN } from "../masks/numbering.ts";

export interface Token {
  readonly text: string;
  /** TOKEN.text, TOKEN.image or TOKEN.end. */
  readonly kind: number;
  /** It only fills the batch. */
  readonly padding: boolean;
}

export const PADDING: Token = { text: "<pad>", kind: TOKEN.text, padding: true };

const IMAGE = "<image>";
const ENDS = new Set(["</s>", "<eos>", "<|endofchunk|>", "<|endoftext|>", "<|eot_id|>"]);
const PIECES = /<image>|<\/s>|<\|\w+\|>|<(?:eos|bos|s|pad)>|[\p{L}\p{N}_]+(?:['’]\p{L}+)*|[^\s]/gu;

/** One line of text. [inspector.tokens] */
export function tokensOf(line: string): Token[] {
  return Array.from(line.matchAll(PIECES), ([text]) => {
    const kind = text === IMAGE ? TOKEN.image : ENDS.has(text) ? TOKEN.end : TOKEN.text; // [inspector.tokens]
    return { text, kind, padding: text === PADDING.text };
  });
}
