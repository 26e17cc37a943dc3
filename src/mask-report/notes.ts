// The text of notes on the input.
import type { Prompts } from "../masks/prompts/prompt.ts";
import { label } from "../terminal/width.ts";
import type { Note } from "./batch.ts";

/** Notes on the image tokens of prompts in words. */
export function promptNotes({ imageToken: marker, otherImageTokens, lookalikes }: Prompts): Note[] {
  const others = otherImageTokens.map((token): Note => ({ kind: "other-image-token", token, marker }));
  return lookalikes.length === 0
    ? others
    : [{ kind: "no-image-token", tokens: lookalikes, marker }, ...others];
}

/** "<img> counts as text", and at most three of several. `quoted` shows a token. */
export function countAsText(tokens: readonly string[], quoted: (token: string) => string): string {
  const names = tokens.slice(0, 3).map(quoted).join(", ");
  const more = tokens.length > 3 ? " and others" : "";
  return `${names}${more} ${tokens.length === 1 ? "counts" : "count"} as text`;
}

export function noteSentence(note: Note): string {
  switch (note.kind) {
    case "unknown-tiles":
      return `${note.convention} masks tiles that only pad, but the tiles of the images are not known: weights in ${note.tensor} on such tiles are not found. The option --num-tiles of flamboyance mask gives the tiles.`;
    case "other-image-token":
      return `${note.token} counts as text here, because ${note.marker} is the image token; choose with --image-token.`;
    case "no-image-token":
      return `No image token occurs in the prompts, and ${countAsText(note.tokens, (token) => label(token, 40))}; name the image token with --image-token.`;
    case "partial-image":
      return `Prompt ${note.prompt}: the image at position ${note.position} has ${note.tokens} of ${note.expected} tokens; the prompt is cut there, or --image-length is another.`;
    case "no-weights": {
      const names = note.tensors.slice(0, 3).map((name) => label(name, 40));
      const more = note.tensors.length > names.length ? " and others" : "";
      const held =
        names.length === 0
          ? "it has no taps"
          : `${names.join(", ")}${more} ${note.tensors.length === 1 ? "is" : "are"} not compared`;
      return `${held}: cross-attention weights are called taps.attn, taps.attn.attn or taps.layers.N.1.attn.attn, and have the axes batch, heads, text, keys.`;
    }
    case "path": {
      const word = label(note.word, 60);
      return note.exists
        ? `${word} is read as a prompt, although there is a file or folder of this name: only the folder of a golden case and .safetensors files are read.`
        : `${word} is read as a prompt, since there is no file or folder of this name.`;
    }
  }
}
