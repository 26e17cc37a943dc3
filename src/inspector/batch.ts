// From the text of the page to a batch: prompts of equal length, and how many images each of them is given.
import type { Matrix } from "../masks/grid.ts";
import { TOKEN } from "../masks/numbering.ts";
import { MOST_IMAGES, type State } from "./state.ts";
import { PADDING, type Token, tokensOf } from "./tokens.ts";

export interface Batch {
  /** Of equal length, padding included. */
  readonly prompts: readonly (readonly Token[])[];
  readonly locations: Matrix;
  /** Images in the batch, filling ones included. */
  readonly images: number;
  /** Images that each prompt is really given. */
  readonly real: readonly number[];
}

const tokensFor = (prompt: readonly Token[]): number =>
  prompt.filter(({ kind }) => kind === TOKEN.image).length;

/** How many images each prompt is given: as the page says, or as many as it asks for. */
function givenTo(prompts: readonly (readonly Token[])[], images: readonly number[]): number[] {
  if (images.length === 0) return prompts.map((prompt) => Math.min(tokensFor(prompt), MOST_IMAGES)); // [inspector.images]
  return prompts.map((_, b) => images[Math.min(b, images.length - 1)] ?? 0); // [inspector.images]
}

/** A prompt a line; empty lines are none. [inspector.batch] */
export function batchOf({ text, images, padding }: Pick<State, "text" | "images" | "padding">): Batch {
  const found = text.split(/\r?\n/).map(tokensOf);
  const lines = found.filter((line) => line.length > 0); // [inspector.batch]
  const length = Math.max(0, ...lines.map((line) => line.length));
  const prompts = lines.map((line) => {
    const filling = new Array<Token>(length - line.length).fill(PADDING);
    return padding === "left" ? [...filling, ...line] : [...line, ...filling]; // [inspector.padding]
  });
  const kinds = prompts.flatMap((prompt) => prompt.map(({ kind }) => kind));
  const real = givenTo(lines, images);
  return {
    prompts,
    locations: { shape: [prompts.length, length], data: Uint8Array.from(kinds) },
    images: Math.max(0, ...real), // [inspector.images]
    real,
  };
}
