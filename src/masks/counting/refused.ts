// Which prompts the source of a convention refuses, and which it takes only as part of a batch.

import type { Convention } from "../conventions/schema.ts";
import { TOKEN } from "./counted-text.ts";

/** The reason for a refusal: the batch has no image, or the prompt has more image tokens than images. */
export interface PromptRefusal {
  readonly kind: "no-image" | "more-tokens";
  /** Image tokens of the prompt. */
  readonly tokens: number;
}

const imageTokens = (kinds: readonly number[]): number => kinds.filter((kind) => kind === TOKEN.image).length;

/** The reason why a convention's source refuses a prompt of a batch with that many images; null if it accepts it. */
export function promptRefusal(
  kinds: readonly number[],
  images: number,
  { refuses }: Convention,
): PromptRefusal | null {
  if (refuses === undefined) return null;
  const tokens = imageTokens(kinds);
  if (images === 0) return { kind: "no-image", tokens }; // [mask.refuses]
  return refuses === "count" && tokens > images ? { kind: "more-tokens", tokens } : null; // [mask.refuses]
}

/**
 * Whether a convention's source accepts a prompt only where another prompt of the batch has more images, so that some of its
 * images are padding: alone, the prompt would have more images than image tokens.
 */
export const onlyInBatch = (kinds: readonly number[], images: number, { refuses }: Convention): boolean =>
  refuses === "count" && imageTokens(kinds) < images; // [mask.refuses]
