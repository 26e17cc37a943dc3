// What a mask should be like, by name: each invariant is checked on a prompt, or on every short prompt there is.

import type { Convention } from "./conventions/schema.ts";
import { replayDecoding, sameRow } from "./decoding/decode.ts";
import { strings } from "./exhaustive/prompts.ts";
import { numbersOf, TOKEN } from "./numbering.ts";
import { leaks } from "./outcome.ts";
import { type MaskRow, maskRows } from "./rows.ts";

export interface Violation {
  readonly invariant: InvariantName;
  readonly kinds: readonly number[];
  readonly images: number;
  readonly position: number;
  /** One sentence. */
  readonly sentence: string;
}

/** Null, or the first position that breaks it and how. */
type Check = (
  kinds: readonly number[],
  images: number,
  convention: Convention,
) => { position: number; sentence: string } | null;

const rowsOf = (kinds: readonly number[], images: number, convention: Convention): MaskRow[] =>
  maskRows({ shape: [1, kinds.length], data: kinds }, images, convention)[0] ?? [];

const says = (row: MaskRow | undefined, more = "") =>
  row ? { position: row.position, sentence: `${row.reason}${more}.` } : null;

const checks = {
  "no-leak": (kinds, images, convention) =>
    says(rowsOf(kinds, images, convention).find((row) => leaks(row.outcome) || row.outcome === "nan")), // [mask.no-leak]
  "silent-without-image": (kinds, images, convention) => {
    const numbers = numbersOf(kinds, convention);
    const rows = rowsOf(kinds, images, convention);
    return says(
      rows.find((row, l) => numbers[l] === 0 && row.outcome !== "zeroed" && row.outcome !== "identity"),
    ); // [mask.silent-without-image]
  },
  "prefix-stable": (kinds, images, convention) => {
    const whole = rowsOf(kinds, images, convention);
    for (let length = 1; length < kinds.length; length++) {
      const prefix = rowsOf(kinds.slice(0, length), images, convention);
      const changed = prefix.find((row, l) => !sameRow(row, whole[l])); // [mask.prefix-stable]
      if (changed) return says(changed, `, but not so once more text follows`);
    }
    return null;
  },
  "step-equals-rows": (kinds, images, convention) => {
    const locations = { shape: [1, kinds.length], data: kinds };
    for (let prompt = 1; prompt < kinds.length; prompt++) {
      for (const passes of [undefined, [prompt, kinds.length - prompt]]) {
        const steps = replayDecoding(locations, images, convention, passes ? { prompt, passes } : { prompt });
        const step = steps.find(({ differs, refused }) => differs ?? refused); // [mask.step]
        if (step?.refused) return { position: step.from, sentence: `${step.refused}.` };
        const at = step?.differs?.position ?? 0;
        if (step) return says(step.rows[0]?.[at - step.from]);
      }
    }
    return null;
  },
  "reach-within-mask": (kinds, images, convention) =>
    says(
      rowsOf(kinds, images, convention).find((row) => row.images.some((image) => !row.mayAttend[image - 1])), // [mask.reach]
    ),
  "padding-side": (kinds, images, convention) => {
    const rows = rowsOf(kinds, images, convention);
    for (const left of [0, 1, 2]) {
      const pad = (n: number) => new Array<number>(n).fill(TOKEN.text);
      const padded = rowsOf([...pad(left), ...kinds, ...pad(2 - left)], images, convention);
      const changed = rows.find((row, l) => !sameRow(row, padded[l + left])); // [mask.padding-side]
      if (changed) return says(changed, `, but not so with ${left} padding tokens before it`);
    }
    return null;
  },
} as const satisfies Record<string, Check>;

export type InvariantName = keyof typeof checks;

/** What each says, in a sentence. */
export const invariants: Readonly<Record<InvariantName, string>> = {
  "no-leak": "No row that may attend nothing receives image content, or turns into NaN.",
  "silent-without-image": "Attention adds nothing to a row that counts no image.",
  "prefix-stable": "The mask of a prefix is the prefix of the mask.",
  "step-equals-rows": "A cached step has the rows of the whole text's mask.",
  "reach-within-mask": "Changing an image changes only the rows that may attend it.",
  "padding-side": "Padding, on whichever side, changes no row of a real token.",
};

/** What one prompt breaks. */
export function violationsOf(kinds: readonly number[], images: number, convention: Convention): Violation[] {
  return (Object.keys(checks) as InvariantName[]).flatMap((invariant) => {
    const broken = checks[invariant](kinds, images, convention);
    return broken ? [{ invariant, kinds, images, ...broken }] : [];
  });
}

/** Each invariant on every prompt up to `longest` with 1 to `images` images: null where it holds, else the shortest breach. */
export function verdictsOf(
  convention: Convention,
  { longest = 5, images = 3 }: { readonly longest?: number; readonly images?: number } = {},
): Record<InvariantName, Violation | null> {
  const letters = convention.endTokens === "cut" ? 3 : 2;
  const found = new Map<InvariantName, Violation>();
  const open = new Set(Object.keys(checks) as InvariantName[]);
  for (let length = 1; length <= longest; length++) {
    for (const kinds of strings(length, letters)) {
      for (let n = 1; n <= images; n++) {
        for (const invariant of open) {
          const broken = checks[invariant](kinds, n, convention);
          if (!broken) continue;
          found.set(invariant, { invariant, kinds, images: n, ...broken });
          open.delete(invariant);
        }
      }
    }
  }
  const names = Object.keys(checks) as InvariantName[];
  return Object.fromEntries(names.map((name) => [name, found.get(name) ?? null])) as Record<
    InvariantName,
    Violation | null
  >;
}
