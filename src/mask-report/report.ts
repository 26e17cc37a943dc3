// The report behind `flamboyance mask`: rows, difference, decoding and findings of a batch as data, and the document of --json.
import type { Convention } from "../masks/conventions/conventions.ts";
import { TOKEN } from "../masks/counting/counted-text.ts";
import { type DecodeStep, replayDecoding } from "../masks/decoding/decode.ts";
import { type Difference, differenceOf, type RowDifference } from "../masks/difference.ts";
import { type Finding, findingsOf } from "../masks/findings.ts";
import { promptsOf } from "../masks/grid.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { differenceSentence, findingSentence, refusalClause, rowReason } from "../masks/sentences.ts";
import { attentionFindings } from "./attention-shares.ts";
import type { MaskBatch } from "./batch.ts";

export interface MaskQuery {
  readonly batch: MaskBatch;
  readonly convention: Convention;
  /** A second convention to compare with. */
  readonly against: Convention | null;
  /** The number of positions that are known when decoding begins; null: no decoding. */
  readonly known: number | null;
}

export interface MaskReport extends MaskQuery {
  readonly rows: readonly (readonly MaskRow[])[];
  readonly difference: Difference | null;
  readonly steps: readonly DecodeStep[] | null;
  readonly findings: readonly Finding[];
}

export function maskReport(query: MaskQuery): MaskReport {
  const { batch, convention, against, known } = query;
  const { locations, images, real, attention } = batch;
  const rows = maskRows(locations, images, convention);
  const difference = against && differenceOf(locations, images, convention, against);
  const steps = known === null ? null : replayDecoding(locations, images, convention, { prompt: known });
  const findings = [
    ...findingsOf(locations, images, convention, { real, steps }),
    ...(attention ? attentionFindings(attention, locations, images, convention) : []),
  ];
  return { ...query, rows, difference, steps, findings };
}

/** By default decoding begins after the last image, or before the last token if nothing comes after the image. */
export function defaultKnown({ prompts }: MaskBatch): number {
  const length = prompts[0]?.length ?? 0;
  const ends = prompts.map((prompt) => prompt.findLastIndex(({ kind }) => kind === TOKEN.image) + 1);
  const after = Math.max(1, ...ends);
  return after < length ? after : Math.max(1, length - 1);
}

const rowDocument = ({ outcome, images }: MaskRow) => ({ class: outcome, images: [...images] });

const promptDocument = ({ batch, convention, rows }: MaskReport, b: number) => {
  const list = rows[b] ?? [];
  const kinds = promptsOf(batch.locations)[b] ?? [];
  return {
    tokens: list.map(({ image, number, position }) => ({
      text: batch.prompts[b]?.[position]?.text ?? "",
      image: image || null,
      number,
    })),
    mayAttend: list.map((row) => [...row.mayAttend]),
    rows: list.map((row) => ({ ...rowDocument(row), reason: rowReason(row, kinds, convention) })),
  };
};

/** The document of `mask --json`. Its first keys describe the first prompt; the prompts of a batch are under "prompts". */
export function maskDocument(report: MaskReport): object {
  const { batch, convention, against, difference, steps, known, findings } = report;
  const prompts = batch.prompts.map((_, b) => promptDocument(report, b));
  return {
    convention: convention.name,
    ...prompts[0],
    warnings: findings.map(findingSentence),
    images: batch.images,
    ...(batch.title === null ? {} : { source: batch.title }),
    ...(prompts.length > 1 ? { prompts } : {}),
    ...(batch.attention
      ? { attention: { tensor: batch.attention.key, shares: batch.attention.shares } }
      : {}),
    ...(against && difference ? { against: againstDocument(difference, report, against) } : {}),
    ...(steps ? { cached: { known, steps: steps.map(stepDocument) } } : {}),
  };
}

const againstDocument = (difference: Difference, { batch, convention }: MaskReport, against: Convention) => {
  const prompts = promptsOf(batch.locations);
  const document = (row: RowDifference) => {
    const { prompt, position, image, one, other } = row;
    const sentence = differenceSentence(row, prompts[prompt] ?? [], [convention, against]);
    return { prompt, position, image, one: rowDocument(one), other: rowDocument(other), sentence };
  };
  return { convention: against.name, cells: difference.cells, rows: difference.rows.map(document) };
};

const stepDocument = ({ from, to, rows, full, differs, refused }: DecodeStep) => ({
  from,
  to,
  rows: rows.map((list) => list.map(rowDocument)),
  full: full.map((list) => list.map(rowDocument)),
  differs,
  refused: refused && refusalClause(refused),
});
