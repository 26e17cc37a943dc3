// Where the row of a decoding step is taken from, for each kind of cached step.

import type { CachedStep } from "../conventions/schema.ts";
import { TOKEN } from "../numbering.ts";

/** Where a row is taken from: a position of some text's mask, and in words. */
interface Origin {
  readonly kinds: readonly number[];
  readonly at: number;
  readonly how: string | null;
}

export interface Pass {
  readonly from: number;
  readonly to: number;
  readonly prompt: number;
  /** Everything up to `to`, of this row of the batch. */
  readonly text: readonly number[];
  /** Its prompt, passed or still to be passed. */
  readonly known: readonly number[];
  /** What was last counted (see CachedStep's count). */
  readonly counted: readonly number[];
  readonly anyImage: boolean;
}

const PROMPT_ROW = (at: number) => `is given the row of the prompt's position ${at}`;

/** Where the row of position l comes from. */
export const origins: Record<CachedStep, (l: number, pass: Pass) => Origin> = {
  none: (l, { text }) => ({ kinds: text, at: l, how: null }),
  rows: (l, { text }) => ({ kinds: text, at: l, how: null }), // [mask.step-rows]
  restart: (l, { text, from }) => ({
    kinds: text.slice(from), // [mask.step-restart]
    at: l - from,
    how: from > 0 ? `counts from position ${from}, where its pass begins` : null,
  }),
  count: (l, pass) => {
    const { counted, anyImage, from } = pass;
    if (from === 0 || anyImage) return origins.restart(l, pass); // [mask.step-count]
    return { kinds: counted, at: counted.length - 1, how: "counts the images in the text last counted" }; // [mask.step-count]
  },
  "prompt-end": (l, { text, known, from, to, prompt }) => {
    if (from === 0) return { kinds: text, at: l, how: null };
    const at = prompt - to + l; // [mask.step-prompt-end]
    return { kinds: known, at, how: at === l ? null : PROMPT_ROW(at) };
  },
  "mask-end": (l, { known, to, prompt }) => {
    const at = Math.min(l < prompt ? prompt - Math.min(to, prompt) + l : l, prompt - 1); // [mask.step-mask-end]
    return { kinds: known, at, how: at === l ? null : PROMPT_ROW(at) };
  },
  "last-row": (l, { known, prompt }) => {
    const at = Math.min(l, prompt - 1); // [mask.step-last-row]
    return { kinds: known, at, how: at === l ? null : PROMPT_ROW(at) };
  },
  ahead: (l, pass) => {
    const several = pass.known.filter((kind) => kind === TOKEN.image).length > 1;
    if (l < pass.prompt || !several) return origins["last-row"](l, pass);
    return { kinds: [TOKEN.text], at: 0, how: "lies beyond the prompt, where its images end" }; // [mask.step-ahead]
  },
};
