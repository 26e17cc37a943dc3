// Problems of a batch under a convention, as values. sentences.ts turns them into text.

import type { Convention } from "./conventions/schema.ts";
import type { ImageRanges } from "./counting/image-ranges.ts";
import { promptRefusal } from "./counting/refused.ts";
import { type CountFinding, checkCounts } from "./counts.ts";
import type { DecodeStep, Refusal } from "./decoding/decode.ts";
import { explainRow, type RowReason } from "./explain.ts";
import { kindsOf, type Matrix } from "./grid.ts";
import { verdictsOf } from "./invariants.ts";
import { isLeak, type RowOutcome } from "./outcome.ts";
import { addRun, type MaskRow, maskRows } from "./rows.ts";

/** A prompt that the convention's source refuses: its rows are those of the mask alone. */
export interface RefusedFinding {
  readonly kind: "refused-prompt";
  readonly convention: string;
  readonly prompt: number;
  readonly tokens: number;
  readonly images: number;
}

/** Neighbouring rows into which all images leak, or that become NaN. */
export interface LeakFinding {
  readonly kind: "leak";
  readonly convention: string;
  readonly outcome: "uniform-leak" | "unmasked-leak" | "nan";
  readonly prompt: number;
  readonly from: number;
  /** The last position, `from` where there is one. */
  readonly to: number;
}

/** A row whose recorded attention weights contradict the convention. */
export interface AttentionFinding {
  readonly kind: "attention-mismatch";
  readonly convention: string;
  readonly tensor: string;
  readonly prompt: number;
  readonly position: number;
  /** The images that have weight. */
  readonly attended: readonly number[];
  /** Whether the weights are NaN. */
  readonly nan?: boolean;
  /** Where the images agree: the heads that give no weight to any image, though the row attends. */
  readonly silentHeads?: { readonly silent: number; readonly heads: number };
  readonly expected: { readonly outcome: RowOutcome; readonly images: readonly number[] };
}

/** A row whose recorded attention weights lie on padding tiles, or leave out a tile that the convention allows. */
export interface TileFinding {
  readonly kind: "tile-mismatch";
  readonly convention: string;
  readonly tensor: string;
  readonly prompt: number;
  readonly position: number;
  /** The first image of which it is true. */
  readonly image: number;
  /** The number of the image's tiles, and of the tiles that are stored. */
  readonly tiles: number;
  readonly most: number;
  /** The share of the row's weight that lies on padding tiles of all images; 0 where a tile is left out. */
  readonly padding: number;
}

/** Neighbouring rows whose recorded mask contradicts the convention. */
export interface RecordedMaskFinding {
  readonly kind: "recorded-mask-mismatch";
  readonly convention: string;
  readonly tensor: string;
  readonly prompt: number;
  readonly from: number;
  readonly to: number;
  /** The images that the recorded mask allows, and those that the convention allows. */
  readonly recorded: ImageRanges;
  readonly expected: ImageRanges;
  /** Where the images agree: the first image whose tiles differ. */
  readonly tiles: {
    readonly image: number;
    /** The tiles (from 1) that the recorded mask allows. */
    readonly recorded: readonly number[];
    readonly expected: number;
    readonly most: number;
  } | null;
}

/** Neighbouring rows that images of another sample reach, where one row of the batch packs several samples. */
export interface SampleFinding {
  readonly kind: "other-sample";
  readonly convention: string;
  readonly prompt: number;
  readonly from: number;
  readonly to: number;
  /** The sample (from 0) that the rows belong to. */
  readonly sample: number;
  readonly images: ImageRanges;
}

export type StepFinding =
  | {
      readonly kind: "step-refused";
      readonly convention: string;
      readonly from: number;
      readonly refused: Refusal;
    }
  /** Cached steps that differ from the whole text's mask, and the first of their rows. */
  | {
      readonly kind: "steps-differ";
      readonly convention: string;
      readonly steps: number;
      readonly prompt: number;
      readonly position: number;
      readonly reason: RowReason;
    };

export interface PrefixFinding {
  readonly kind: "not-prefix-stable";
  readonly convention: string;
}

/** A problem of a mask or a prompt, as data. `findingSentence` makes a sentence of it. */
export type MaskFinding =
  | CountFinding
  | RefusedFinding
  | LeakFinding
  | AttentionFinding
  | TileFinding
  | RecordedMaskFinding
  | SampleFinding
  | StepFinding
  | PrefixFinding;

/** A cell of the grid; image 0 stands for the token itself. */
export interface FindingPlace {
  readonly prompt: number;
  readonly position: number;
  readonly image: number;
}

/** The place that a finding is about, or null. */
export function placeOf(finding: MaskFinding): FindingPlace | null {
  const { prompt, position, image } = { position: null, image: 0, prompt: 0, ...finding };
  if (finding.kind === "leak" || finding.kind === "recorded-mask-mismatch" || finding.kind === "other-sample")
    return { prompt, position: finding.from, image: 0 };
  return position === null ? null : { prompt, position, image: image ?? 0 };
}

/** alarm: a row sees images that it should not see, or misses images that it should see; note: nothing leaks. */
export function toneOf({ kind }: MaskFinding): "alarm" | "note" {
  const notes: readonly MaskFinding["kind"][] = [
    "unreachable-image",
    "no-image-token",
    "not-prefix-stable",
    "refused-prompt",
  ];
  return notes.includes(kind) ? "note" : "alarm";
}

/** All findings about a batch under a convention, except those about recorded attention. `real`: images given to each prompt.
 * [mask.findings] */
export function findingsOf(
  locations: Matrix,
  images: number,
  convention: Convention,
  {
    real,
    steps = null,
    rows = maskRows(locations, images, convention),
  }: {
    readonly real?: readonly number[];
    readonly steps?: readonly DecodeStep[] | null;
    /** The rows of the convention's mask, if they are known. */
    readonly rows?: readonly (readonly MaskRow[])[];
  } = {},
): MaskFinding[] {
  return [
    ...checkCounts(locations, images, real).flatMap(({ findings }) => findings),
    ...refusedFindings(kindsOf(locations), images, convention),
    ...rows.flatMap((list, prompt) => leakFindings(list, prompt, convention)),
    ...stepFindings(steps ?? [], kindsOf(locations), convention),
    ...prefixFindings(convention),
  ];
}

/** The prompts with images or image tokens that the source refuses; a text without either is no mistake. */
const refusedFindings = (
  prompts: readonly (readonly number[])[],
  images: number,
  convention: Convention,
): RefusedFinding[] =>
  prompts.flatMap((kinds, prompt) => {
    const refusal = promptRefusal(kinds, images, convention); // [mask.findings]
    if (refusal === null || refusal.tokens + images === 0) return [];
    return [
      {
        kind: "refused-prompt",
        convention: convention.name,
        prompt,
        tokens: refusal.tokens,
        images,
      } as const,
    ];
  });

/** Neighbouring rows with the same outcome are one finding. */
function leakFindings(rows: readonly MaskRow[], prompt: number, { name }: Convention): LeakFinding[] {
  const findings: LeakFinding[] = [];
  for (const { position, outcome } of rows)
    if (isLeak(outcome) || outcome === "nan") {
      const finding = {
        kind: "leak",
        convention: name,
        outcome,
        prompt,
        from: position,
        to: position,
      } as const;
      addRun<LeakFinding>(findings, finding, (last, one) => last.outcome === one.outcome);
    }
  return findings;
}

function stepFindings(
  steps: readonly DecodeStep[],
  prompts: readonly (readonly number[])[],
  convention: Convention,
): StepFinding[] {
  const { name } = convention;
  for (const { from, refused } of steps) {
    if (refused) return [{ kind: "step-refused", convention: name, from, refused }];
  }
  const differing = steps.filter((step) => step.differs);
  const [first] = differing;
  if (!first?.differs) return [];
  const { prompt, position } = first.differs;
  const row = first.rows[prompt]?.[position - first.from] as MaskRow;
  const reason = explainRow(row, prompts[prompt] ?? [], convention);
  return [{ kind: "steps-differ", convention: name, steps: differing.length, prompt, position, reason }];
}

/** Whether a convention is prefix-stable is found by trying every short prompt. */
function prefixFindings(convention: Convention): PrefixFinding[] {
  const stable = verdictsOf(convention, { longest: 3, images: 1 })["prefix-stable"] === null;
  return stable ? [] : [{ kind: "not-prefix-stable", convention: convention.name }];
}
