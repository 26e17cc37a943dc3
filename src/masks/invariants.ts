// Properties that a mask should have. Each is checked on one prompt, or on every short prompt.

import { checkConvention, shown } from "./conventions/check.ts";
import type { Convention } from "./conventions/schema.ts";
import { TOKEN } from "./counting/counted-text.ts";
import { containsRange } from "./counting/image-ranges.ts";
import { promptRefusal } from "./counting/refused.ts";
import { type Refusal, replayDecoding } from "./decoding/decode.ts";
import { kindStrings } from "./exhaustive/prompts.ts";
import { explainRow, type RowReason } from "./explain.ts";
import { addsNothing, isLeak } from "./outcome.ts";
import { type MaskRow, promptRows, sameRow } from "./rows.ts";

/** The violation of an invariant at one position. */
export interface Breach {
  readonly position: number;
  /** The row that breaks it; null where the source refuses the step. */
  readonly reason: RowReason | null;
  readonly refused?: Refusal;
  /** The change of the prompt that changes the row: text after it, or this number of padding tokens before it. */
  readonly change?: { readonly kind: "more-text" } | { readonly kind: "padding"; readonly left: number };
}

/** A prompt and a position at which a convention violates an invariant. */
export interface InvariantViolation extends Breach {
  readonly invariant: InvariantName;
  readonly kinds: readonly number[];
  readonly images: number;
}

/** The first breach on a prompt, or null. */
type Check = (kinds: readonly number[], images: number, convention: Convention) => Breach | null;

/** A check that looks for one row of the mask. */
const noRow =
  (breaks: (row: MaskRow) => boolean): Check =>
  (kinds, images, convention) => {
    const row = promptRows(kinds, images, convention).find(breaks);
    return row ? { position: row.position, reason: explainRow(row, kinds, convention) } : null;
  };

const checks = {
  "no-leak": noRow(({ outcome }) => isLeak(outcome) || outcome === "nan"), // [mask.no-leak]
  "zero-without-image": noRow(({ number, outcome }) => number === 0 && !addsNothing(outcome)), // [mask.zero-without-image]
  "prefix-stable": (kinds, images, convention) => {
    const rows = promptRows(kinds, images, convention);
    for (let length = 1; length < kinds.length; length++) {
      const prefix = kinds.slice(0, length);
      const changed = promptRows(prefix, images, convention).find((row, l) => !sameRow(row, rows[l])); // [mask.prefix-stable]
      if (!changed) continue;
      const reason = explainRow(changed, prefix, convention);
      return { position: changed.position, reason, change: { kind: "more-text" } };
    }
    return null;
  },
  "step-equals-rows": (kinds, images, convention) => {
    const locations = { shape: [1, kinds.length], data: kinds };
    for (let prompt = 1; prompt < kinds.length; prompt++) {
      for (const passes of [undefined, [prompt, kinds.length - prompt]]) {
        const steps = replayDecoding(locations, images, convention, passes ? { prompt, passes } : { prompt });
        const step = steps.find(({ differs, refused }) => differs ?? refused); // [mask.step]
        if (step?.refused) return { position: step.from, reason: null, refused: step.refused };
        const position = step?.differs?.position ?? 0;
        const row = step?.rows[0]?.[position - step.from];
        if (row) return { position, reason: explainRow(row, kinds, convention) };
      }
    }
    return null;
  },
  "reach-within-mask": noRow((row) => row.reaching.some((range) => !containsRange(row.allowed, range))), // [mask.reach]
  "padding-side": (kinds, images, convention) => {
    const rows = promptRows(kinds, images, convention);
    for (const left of [0, 1, 2]) {
      const pad = (n: number) => new Array<number>(n).fill(TOKEN.text);
      const padded = promptRows([...pad(left), ...kinds, ...pad(2 - left)], images, convention);
      const changed = rows.find((row, l) => !sameRow(row, padded[l + left])); // [mask.padding-side]
      if (!changed) continue;
      const reason = explainRow(changed, kinds, convention);
      return { position: changed.position, reason, change: { kind: "padding", left } };
    }
    return null;
  },
} as const satisfies Record<string, Check>;

/** The name of an invariant. */
export type InvariantName = keyof typeof checks;

const NAMES = Object.keys(checks) as InvariantName[];

/** Each invariant in one sentence. */
export const invariants: Readonly<Record<InvariantName, string>> = {
  "no-leak": "No row whose mask allows no image receives image content, or becomes NaN.",
  "zero-without-image": "Attention adds nothing to a row that counts no image.",
  "prefix-stable": "The mask of a prefix is the prefix of the mask.",
  "step-equals-rows": "A cached step has the rows of the whole text's mask.",
  "reach-within-mask": "Changing an image changes only the rows that may attend to it.",
  "padding-side": "Padding on either side changes no row of a real token.",
};

/** The invariants that one prompt breaks. Throws a RangeError for kinds that are no list, and for a value that is no convention. */
export function violationsOf(
  kinds: readonly number[],
  images: number,
  convention: Convention,
): InvariantViolation[] {
  checkConvention(convention);
  if (!Array.isArray(kinds))
    throw new RangeError(`The kinds of tokens are a list of numbers, not ${shown(kinds)}.`); // [mask.input]
  return NAMES.flatMap((invariant) => {
    const breach = checks[invariant](kinds, images, convention);
    return breach ? [{ invariant, kinds, images, ...breach }] : [];
  });
}

/**
 * Checks each invariant on every prompt up to `longest` with 1 to `images` images that the source accepts: null where it holds,
 * otherwise the violation on the shortest prompt.
 */
export function verdictsOf(
  convention: Convention,
  { longest = 5, images = 3 }: { readonly longest?: number; readonly images?: number } = {},
): Record<InvariantName, InvariantViolation | null> {
  checkConvention(convention);
  const letters = convention.endTokens === "cut" ? 3 : 2;
  const lengths = Array.from({ length: longest }, (_, i) => i + 1);
  const verdictOf = (invariant: InvariantName): InvariantViolation | null => {
    for (const kinds of lengths.flatMap((length) => kindStrings(length, letters))) {
      for (let n = 1; n <= images; n++) {
        const breach = promptRefusal(kinds, n, convention) ? null : checks[invariant](kinds, n, convention);
        if (breach) return { invariant, kinds, images: n, ...breach };
      }
    }
    return null;
  };
  const verdicts = NAMES.map((name) => [name, verdictOf(name)] as const);
  return Object.fromEntries(verdicts) as Record<InvariantName, InvariantViolation | null>;
}
