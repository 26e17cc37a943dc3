// The document of `mask --json`. Small batches are listed row by row; runs of equal rows describe a batch of any size.
import type { Convention } from "../masks/conventions/conventions.ts";
import { tileMask } from "../masks/counting/tiles.ts";
import type { DecodeStep } from "../masks/decoding/decode.ts";
import type { RowDifference } from "../masks/difference.ts";
import { type MaskRow, type RowRun, runsOf } from "../masks/rows.ts";
import { differenceSentence, findingSentence, refusalClause, rowReason } from "../masks/sentences.ts";
import { LoadError } from "../tensor/errors.ts";
import { MOST_ENTRIES, MOST_LISTED } from "./limits.ts";
import { noteSentence } from "./notes.ts";
import { type MaskReport, textOf } from "./report.ts";
import { type PairRun, pairsOfDecoding, pairsOfDifference } from "./runs.ts";

/**
 * Its first keys describe the first prompt; the prompts of a batch are under "prompts". Throws a LoadError for more runs or warnings
 * than a document has.
 */
export function maskDocument(report: MaskReport): object {
  const { batch, convention, against, difference, steps, findings } = report;
  checkSize(report);
  const listed = isListed(report);
  const prompts = batch.prompts.map((_, b) => promptDocument(report, b, listed));
  const { length, runs, ...lists } = prompts[0] ?? {};
  return {
    convention: convention.name,
    ...lists,
    warnings: findings.map(findingSentence),
    length,
    runs,
    images: batch.images,
    ...(batch.title === null ? {} : { source: batch.title }),
    ...(batch.marker === null ? {} : { imageToken: batch.marker }),
    ...(report.notes.length > 0 ? { notes: report.notes.map(noteSentence) } : {}),
    ...(prompts.length > 1 ? { prompts } : {}),
    ...recordedDocument(report, listed),
    ...(against && difference ? { against: againstDocument(report, against, listed) } : {}),
    ...(steps ? { cached: cachedDocument(report, steps, listed) } : {}),
  };
}

/** Whether the batch is small enough for its tokens and rows to be listed. */
function isListed({ batch }: MaskReport): boolean {
  const [b = 0, l = 0] = batch.locations.shape;
  return b * l * Math.max(1, batch.images * (batch.tiles?.most ?? 1)) <= MOST_LISTED;
}

function checkSize({ rows, findings }: MaskReport): void {
  const entries = rows.reduce((n, list) => n + runsOf(list).length, findings.length);
  if (entries > MOST_ENTRIES)
    throw new LoadError(
      `the document would have ${entries} runs and warnings; the most are ${MOST_ENTRIES.toLocaleString("en")}: give fewer or shorter prompts`,
    );
}

const rowDocument = ({ outcome, images }: MaskRow) => ({ class: outcome, images });

interface PromptDocument {
  readonly tokens?: readonly object[];
  readonly mayAttend?: readonly (readonly boolean[])[];
  readonly rows?: readonly object[];
  readonly length?: number;
  readonly runs?: readonly object[];
}

function promptDocument(report: MaskReport, b: number, listed: boolean): PromptDocument {
  const { batch, convention, rows } = report;
  const list = rows[b] ?? [];
  const text = textOf(report, b);
  const runs = runsOf(list).map(({ from, to, row }: RowRun) => {
    const { number, outcome, reaching } = row;
    return { from, to, number, class: outcome, ranges: reaching, reason: rowReason(row, text, convention) };
  });
  if (!listed) return { length: list.length, runs };
  return {
    tokens: list.map(({ image, number, position }) => ({
      text: batch.prompts[b]?.[position]?.text ?? "",
      image: image || null,
      number,
    })),
    mayAttend: list.map((row) => row.mayAttend),
    rows: list.map((row) => ({ ...rowDocument(row), reason: rowReason(row, text, convention) })),
    length: list.length,
    runs,
  };
}

/** Recorded weights and masks, and tiles. */
function recordedDocument({ batch, convention }: MaskReport, listed: boolean): object {
  const { attention, otherLayers, recorded, tiles, locations, images, samples } = batch;
  const shares = attention && { tensor: attention.key, ...(listed ? { shares: attention.shares } : {}) };
  return {
    ...(shares ? { attention: shares } : {}),
    ...(otherLayers.length > 0 ? { otherLayers: otherLayers.map(({ key }) => key) } : {}),
    ...(recorded
      ? { recorded: { tensor: recorded.key, images: recorded.images, tiles: recorded.tiles } }
      : {}),
    ...(tiles ? { tiles } : {}),
    ...(tiles && listed ? { tileMask: nested(tileMask(locations, images, convention, tiles)) } : {}),
    ...(samples && listed ? { samples } : {}),
  };
}

/** Row-major data as nested lists. */
function nested({ shape, data }: { readonly shape: readonly number[]; readonly data: Uint8Array }): unknown {
  const [first = 0, ...rest] = shape;
  if (rest.length === 0) return [...data];
  const size = data.length / Math.max(1, first);
  return Array.from({ length: first }, (_, i) =>
    nested({ shape: rest, data: data.subarray(i * size, (i + 1) * size) }),
  );
}

const pairDocument = (
  { prompt, from, to, one, other, differs }: PairRun,
  names: readonly [string, string],
) => ({
  prompt,
  from,
  to,
  [names[0]]: { class: one.outcome, ranges: one.reaching },
  [names[1]]: { class: other.outcome, ranges: other.reaching },
  differs,
});

function againstDocument(report: MaskReport, against: Convention, listed: boolean): object {
  const { convention, difference } = report;
  const { rows = [], cells = 0 } = difference ?? {};
  const document = (row: RowDifference) => {
    const { prompt, position, image, one, other } = row;
    const sentence = differenceSentence(row, textOf(report, prompt), [convention, against]);
    return { prompt, position, image, one: rowDocument(one), other: rowDocument(other), sentence };
  };
  const runs = pairsOfDifference(report).filter(({ differs }) => differs);
  return {
    convention: against.name,
    cells,
    ...(listed ? { rows: rows.map(document) } : {}),
    runs: runs.map((run) => pairDocument(run, ["one", "other"])),
  };
}

function cachedDocument({ known }: MaskReport, steps: readonly DecodeStep[], listed: boolean): object {
  const runs = pairsOfDecoding(steps).map((run) => pairDocument(run, ["cached", "full"]));
  const refused = steps.find((step) => step.refused)?.refused ?? null;
  return {
    known,
    ...(listed ? { steps: steps.map(stepDocument) } : {}),
    runs,
    refused: refused && refusalClause(refused),
  };
}

const stepDocument = ({ from, to, rows, full, differs, refused }: DecodeStep) => ({
  from,
  to,
  rows: rows.map((list) => list.map(rowDocument)),
  full: full.map((list) => list.map(rowDocument)),
  differs,
  refused: refused && refusalClause(refused),
});
