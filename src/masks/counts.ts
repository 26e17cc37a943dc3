// Do image tokens and images match? The commonest mistake, and the one that leaks without an error.
import { type Matrix, promptsOf } from "./grid.ts";
import { TOKEN } from "./numbering.ts";

export type CountKind = "missing-image" | "padding-image" | "unreachable-image" | "no-image-token";

export interface CountFinding {
  readonly kind: CountKind;
  readonly prompt: number;
  /** The image that is meant, from 1; null where the whole prompt is. */
  readonly image: number | null;
  /** Its token's position, where it has one. */
  readonly position: number | null;
  /** One sentence. */
  readonly sentence: string;
}

export interface CountCheck {
  readonly prompt: number;
  /** Image tokens. */
  readonly tokens: number;
  /** Images that were really given to this prompt. */
  readonly real: number;
  /** Images that only fill the batch. */
  readonly padded: number;
  /** Image tokens for which there is no image at all, not even a filling one. */
  readonly missing: number;
  readonly findings: readonly CountFinding[];
}

const plural = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? "" : "s"}`;

/**
 * Image tokens against images, prompt by prompt. `images` is the number in the batch, filling ones included; `real` says
 * how many of them each prompt was really given (by default all). [mask.counts]
 */
export function checkCounts(locations: Matrix, images: number, real?: readonly number[]): CountCheck[] {
  return promptsOf(locations).map((kinds, prompt) => {
    const at = kinds.flatMap((kind, l) => (kind === TOKEN.image ? [l] : []));
    const given = real?.[prompt] ?? images;
    if (!Number.isInteger(given) || given < 0 || given > images) {
      throw new RangeError(`Prompt ${prompt} cannot have ${given} of ${plural(images, "image")}.`); // [mask.counts]
    }
    const found = (kind: CountKind, image: number, text: string): CountFinding => {
      const position = at[image - 1] ?? null;
      return { kind, prompt, image, position, sentence: `Prompt ${prompt}: ${text}.` };
    };
    const findings: CountFinding[] = [];
    at.forEach((l, i) => {
      const token = `the image token at position ${l} asks for image ${i + 1}`;
      if (i >= images) {
        findings.push(found("missing-image", i + 1, `${token}, but there is no image ${i + 1}`)); // [mask.counts]
      } else if (i >= given) {
        findings.push(found("padding-image", i + 1, `${token}, which only fills the batch`)); // [mask.counts]
      }
    });
    for (let image = at.length + 1; image <= given && at.length > 0; image++) {
      findings.push(found("unreachable-image", image, `no token stands for image ${image}`)); // [mask.counts]
    }
    if (at.length === 0 && images > 0) {
      const sentence = `Prompt ${prompt}: it has no image token, but ${plural(images, "image")} beside it.`;
      findings.push({ kind: "no-image-token", prompt, image: null, position: null, sentence }); // [mask.counts]
    }
    const missing = Math.max(0, at.length - images);
    return { prompt, tokens: at.length, real: given, padded: images - given, missing, findings };
  });
}
