// Compares image tokens with images. A mismatch is the most common mistake, and many implementations leak images without raising an error.

import { shown } from "./conventions/check.ts";
import { TOKEN } from "./counting/counted-text.ts";
import { kindsOf, type Matrix } from "./grid.ts";

/** A mismatch between the image tokens of a prompt and its images. Prompts and positions count from 0. */
export interface CountFinding {
  readonly kind: "missing-image" | "padding-image" | "unreachable-image" | "no-image-token";
  readonly prompt: number;
  /** The number of the image, from 1; null if the finding is about the whole prompt. */
  readonly image: number | null;
  /** The last image, where a finding is about several. */
  readonly lastImage?: number;
  /** The position of the image's token, if it has one. */
  readonly position: number | null;
  /** Images in the batch. */
  readonly images: number;
}

/** The image tokens and the images of one prompt. */
export interface CountCheck {
  readonly prompt: number;
  /** Image tokens. */
  readonly tokens: number;
  /** Images that were given to this prompt. */
  readonly real: number;
  /** Images that only pad the batch. */
  readonly padded: number;
  /** Image tokens without any image, not even a padding one. */
  readonly missing: number;
  readonly findings: readonly CountFinding[];
}

/**
 * Compares image tokens with images, prompt by prompt. `images` is the number in the batch, padding included; `real` is
 * how many of them each prompt was given (by default all). Throws a RangeError where `real` exceeds `images`. [mask.counts]
 */
export function checkCounts(locations: Matrix, images: number, real?: readonly number[]): CountCheck[] {
  return kindsOf(locations).map((kinds, prompt) => {
    const at = kinds.flatMap((kind, l) => (kind === TOKEN.image ? [l] : []));
    const given = real?.[prompt] ?? images;
    if (!Number.isInteger(given) || given < 0 || given > images) {
      throw new RangeError(`Prompt ${prompt} cannot have ${shown(given)} of ${images} images.`); // [mask.counts]
    }
    const finding = (kind: CountFinding["kind"], image: number | null): CountFinding => {
      const position = image === null ? null : (at[image - 1] ?? null);
      return { kind, prompt, image, position, images };
    };
    const findings = at.flatMap((_, i): CountFinding[] => {
      const image = i + 1;
      if (image > images) return [finding("missing-image", image)]; // [mask.counts]
      return image > given ? [finding("padding-image", image)] : []; // [mask.counts]
    });
    if (at.length > 0 && given > at.length) {
      const unreachable = finding("unreachable-image", at.length + 1);
      findings.push(given > at.length + 1 ? { ...unreachable, lastImage: given } : unreachable); // [mask.counts]
    }
    if (at.length === 0 && images > 0) findings.push(finding("no-image-token", null)); // [mask.counts]
    const missing = Math.max(0, at.length - images);
    return { prompt, tokens: at.length, real: given, padded: images - given, missing, findings };
  });
}
