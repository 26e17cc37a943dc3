// The origin of each row of a decoding step, for each kind of cached step.

import type { CachedStep } from "../conventions/schema.ts";
import { TOKEN } from "../numbering.ts";
import type { RowOrigin } from "../rows.ts";

export interface Pass {
  readonly from: number;
  readonly to: number;
  readonly prompt: number;
  /** The text of this row of the batch up to `to`. */
  readonly text: readonly number[];
  /** Its prompt. */
  readonly known: readonly number[];
  /** The text last counted (see CachedStep's count). */
  readonly counted: readonly number[];
  /** Whether any prompt of the batch has an image in this pass. */
  readonly anyImage: boolean;
}

const rowOfPrompt = (known: readonly number[], position: number, l: number): RowOrigin => ({
  kinds: known,
  position,
  how: position === l ? null : { kind: "prompt-row", position },
});

/** The row that position l of a pass uses, for each kind of cached step. */
export const originOf: Record<CachedStep, (l: number, pass: Pass) => RowOrigin> = {
  none: (l, { text }) => ({ kinds: text, position: l, how: null }),
  rows: (l, { text }) => ({ kinds: text, position: l, how: null }), // [mask.step-rows]
  restart: (l, { text, from }) => ({
    kinds: text.slice(from), // [mask.step-restart]
    position: l - from,
    how: from > 0 ? { kind: "own-pass", from } : null,
  }),
  count: (l, pass) => {
    const { counted, anyImage, from } = pass;
    if (from === 0 || anyImage) return originOf.restart(l, pass); // [mask.step-count]
    return { kinds: counted, position: counted.length - 1, how: { kind: "last-count" } }; // [mask.step-count]
  },
  "prompt-end": (l, { text, known, from, to, prompt }) =>
    from === 0 ? { kinds: text, position: l, how: null } : rowOfPrompt(known, prompt - to + l, l), // [mask.step-prompt-end]
  "mask-end": (l, { known, to, prompt }) => {
    const position = Math.min(l < prompt ? prompt - Math.min(to, prompt) + l : l, prompt - 1); // [mask.step-mask-end]
    return rowOfPrompt(known, position, l);
  },
  "last-row": (l, { known, prompt }) => rowOfPrompt(known, Math.min(l, prompt - 1), l), // [mask.step-last-row]
  ahead: (l, pass) => {
    const several = pass.known.filter((kind) => kind === TOKEN.image).length > 1;
    if (l < pass.prompt || !several) return originOf["last-row"](l, pass);
    return { kinds: [TOKEN.text], position: 0, how: { kind: "beyond-prompt" } }; // [mask.step-ahead]
  },
};
