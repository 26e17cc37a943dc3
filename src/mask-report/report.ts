// What there is to say of a mask: a document with stable keys, and warnings as sentences.
import type { Convention } from "../masks/conventions/conventions.ts";
import { checkCounts } from "../masks/counts.ts";
import { type DecodeStep, replayDecoding } from "../masks/decoding/decode.ts";
import { type Difference, differenceOf } from "../masks/difference.ts";
import { verdictsOf } from "../masks/invariants.ts";
import { TOKEN } from "../masks/numbering.ts";
import { leaks, OUTCOME_LABELS } from "../masks/outcome.ts";
import { type MaskRow, maskRows } from "../masks/rows.ts";
import { mismatches } from "./attention-shares.ts";
import type { MaskBatch } from "./batch.ts";

export interface MaskQuestion {
  readonly batch: MaskBatch;
  readonly convention: Convention;
  readonly against: Convention | null;
  /** How many positions are known when decoding begins; null: no decoding. */
  readonly known: number | null;
}

export interface MaskReport extends MaskQuestion {
  readonly rows: readonly (readonly MaskRow[])[];
  readonly difference: Difference | null;
  readonly steps: readonly DecodeStep[] | null;
  readonly warnings: readonly string[];
}

export function maskReport(question: MaskQuestion): MaskReport {
  const { batch, convention, against, known } = question;
  const { locations, images } = batch;
  const rows = maskRows(locations, images, convention);
  const difference = against && differenceOf(locations, images, convention, against);
  const steps = known === null ? null : replayDecoding(locations, images, convention, { prompt: known });
  const warnings = [
    ...checkCounts(locations, images, batch.real).flatMap(({ findings }) => findings.map((f) => f.sentence)),
    ...rows.flatMap((prompt, b) => leakWarnings(prompt, b, convention)),
    ...(batch.attention ? mismatches(batch.attention, locations, images, convention) : []),
    ...stepWarnings(steps ?? [], convention),
    ...futureWarnings(convention),
  ];
  return { ...question, rows, difference, steps, warnings };
}

/** Decoding begins after the last image, or before the last token if nothing comes after it. */
export function usualKnown({ prompts }: MaskBatch): number {
  const length = prompts[0]?.length ?? 0;
  const ends = prompts.map((prompt) => prompt.findLastIndex(({ kind }) => kind === TOKEN.image) + 1);
  const after = Math.max(1, ...ends);
  return after < length ? after : Math.max(1, length - 1);
}

const effects = {
  "uniform-leak": "average all images, although the mask allows none",
  "unmasked-leak": "attend all images, as if there were no mask",
  nan: "become NaN",
} as const;

/** Neighbouring rows of one class in one sentence. */
function leakWarnings(rows: readonly MaskRow[], b: number, convention: Convention): string[] {
  const runs: { kind: MaskRow["outcome"]; from: number; to: number }[] = [];
  for (const { position, outcome: kind } of rows) {
    const last = runs.at(-1);
    if (last?.kind === kind) last.to = position;
    else runs.push({ kind, from: position, to: position });
  }
  return runs.flatMap(({ kind, from, to }) => {
    if (!leaks(kind) && kind !== "nan") return [];
    const effect = effects[kind as keyof typeof effects];
    const where = from === to ? `position ${from}` : `positions ${from} to ${to}`;
    return [`Prompt ${b}, ${where} would ${effect} (${OUTCOME_LABELS[kind]}) under ${convention.name}.`];
  });
}

function stepWarnings(steps: readonly DecodeStep[], { name }: Convention): string[] {
  const refused = steps.find((step) => step.refused !== null);
  if (refused) return [`${name} cannot take the step from position ${refused.from}: ${refused.refused}.`];
  const strayed = steps.filter((step) => step.differs);
  const [first] = strayed;
  if (!first?.differs) return [];
  const { prompt, position } = first.differs;
  const reason = first.rows[prompt]?.[position - first.from]?.reason ?? "";
  const many = strayed.length === 1 ? "One cached step strays" : `${strayed.length} cached steps stray`;
  return [`${many} from the whole text's mask under ${name}, first in prompt ${prompt}: ${reason}.`];
}

/** Found on every short prompt, not written down anywhere. */
function futureWarnings(convention: Convention): string[] {
  const breach = verdictsOf(convention, { longest: 3, images: 1 })["prefix-stable"];
  if (!breach) return [];
  return [
    `${convention.name} is not prefix-stable: what a token sees may change with the text after it, so that no left-to-right decoding can follow it.`,
  ];
}

const brief = ({ outcome: kind, images }: MaskRow) => ({ class: kind, images: [...images] });

const promptDocument = ({ batch, rows }: MaskReport, b: number) => {
  const list = rows[b] ?? [];
  return {
    tokens: list.map(({ image, number, position }) => ({
      text: batch.prompts[b]?.[position]?.text ?? "",
      image: image || null,
      number,
    })),
    mayAttend: list.map((row) => [...row.mayAttend]),
    rows: list.map((row) => ({ ...brief(row), reason: row.reason })),
  };
};

/** The document of `mask --json`: its first keys are about the first prompt; more prompts stand under "prompts". */
export function maskDocument(report: MaskReport): object {
  const { batch, convention, against, difference, steps, known, warnings } = report;
  const prompts = batch.prompts.map((_, b) => promptDocument(report, b));
  return {
    convention: convention.name,
    ...prompts[0],
    warnings,
    images: batch.images,
    ...(batch.title === null ? {} : { source: batch.title }),
    ...(prompts.length > 1 ? { prompts } : {}),
    ...(batch.attention
      ? { attention: { tensor: batch.attention.key, shares: batch.attention.shares } }
      : {}),
    ...(against && difference
      ? { against: { convention: against.name, cells: difference.cells, rows: difference.rows.map(parted) } }
      : {}),
    ...(steps ? { cached: { known, steps: steps.map(stepDocument) } } : {}),
  };
}

const parted = ({ prompt, position, image, one, other, sentence }: Difference["rows"][number]) => ({
  prompt,
  position,
  image,
  one: brief(one),
  other: brief(other),
  sentence,
});

const stepDocument = ({ from, to, rows, full, differs, refused }: DecodeStep) => ({
  from,
  to,
  rows: rows.map((list) => list.map(brief)),
  full: full.map((list) => list.map(brief)),
  differs,
  refused,
});
