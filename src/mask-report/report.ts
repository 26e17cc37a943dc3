// The report behind `flamboyance mask`: rows, difference, decoding and findings of a batch as data.
import type { Convention, NamedConvention } from "../masks/conventions/conventions.ts";
import { countText, type TextPart, TOKEN, wholeText } from "../masks/counting/counted-text.ts";
import { type DecodeStep, replayDecoding } from "../masks/decoding/decode.ts";
import { differenceOfRows, type MaskDifference } from "../masks/difference.ts";
import { findingsOf, type MaskFinding } from "../masks/findings.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { attentionFindings } from "./attention-shares.ts";
import type { MaskBatch, Note } from "./batch.ts";
import { recordedMaskFindings, tilesInMask } from "./recorded-mask.ts";
import { sampleFindings } from "./samples.ts";

export interface MaskQuery {
  readonly batch: MaskBatch;
  readonly convention: NamedConvention;
  /** A second convention to compare with. */
  readonly against: NamedConvention | null;
  /** The number of positions that are known when decoding begins; null: no decoding. */
  readonly known: number | null;
}

export interface MaskReport extends MaskQuery {
  readonly rows: readonly (readonly MaskRow[])[];
  /** The rows under the second convention. */
  readonly others: readonly (readonly MaskRow[])[] | null;
  readonly difference: MaskDifference | null;
  readonly steps: readonly DecodeStep[] | null;
  readonly findings: readonly MaskFinding[];
  /** Those of the batch, and of its comparison with the convention. */
  readonly notes: readonly Note[];
}

export function maskReport(query: MaskQuery): MaskReport {
  const { batch, convention, against, known } = query;
  const { locations, images, real } = batch;
  const rows = maskRows(locations, images, convention);
  const others = against && maskRows(locations, images, against);
  const difference = others && differenceOfRows(rows, others);
  const steps = known === null ? null : replayDecoding(locations, images, convention, { prompt: known });
  const findings = [
    ...findingsOf(locations, images, convention, { real, steps, rows }),
    ...recordedFindings(batch, rows, convention),
    ...(batch.samples ?? []).flatMap((samples, b) => sampleFindings(rows[b] ?? [], samples, b, convention)),
  ];
  return {
    ...query,
    rows,
    others,
    difference,
    steps,
    findings,
    notes: [...batch.notes, ...tileNotes(batch, convention)],
  };
}

/** A prompt as a counted text, from which the reasons for its rows are found. */
export const textOf = ({ batch }: MaskReport, prompt: number): TextPart =>
  wholeText(countText((batch.prompts[prompt] ?? []).map(({ kind }) => kind)));

/** Without the tiles of the images, weights on padding tiles look like weights on the image. [prompt.attention] */
const tileNotes = ({ attention, tiles }: MaskBatch, { tiled, name }: Convention): Note[] =>
  attention && tiled && tiles === null
    ? [{ kind: "unknown-tiles", tensor: attention.key, convention: name }] // [prompt.attention]
    : [];

/** The rows of recorded weights and of a recorded mask that contradict the convention. */
function recordedFindings(
  { attention, otherLayers, recorded, locations, images, tiles }: MaskBatch,
  rows: readonly (readonly MaskRow[])[],
  convention: Convention,
): MaskFinding[] {
  return [
    ...(attention ? [attention, ...otherLayers] : []).flatMap((layer) =>
      attentionFindings(layer, locations, images, convention, tiles),
    ),
    ...(recorded
      ? recordedMaskFindings(recorded, rows, convention, tiles ?? tilesInMask(recorded, rows.length))
      : []),
  ];
}

/** By default decoding begins after the last image, or before the last token if nothing comes after the image. */
export function defaultKnown({ prompts }: MaskBatch): number {
  const length = prompts[0]?.length ?? 0;
  const after = prompts.reduce((most, prompt) => {
    const last = prompt.findLastIndex(({ kind }) => kind === TOKEN.image || kind === TOKEN.more);
    return Math.max(most, last + 1);
  }, 1);
  return after < length ? after : Math.max(1, length - 1);
}
