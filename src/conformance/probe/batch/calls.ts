// The calls that show whether the rows of a batch depend on each other.
import { TOKEN } from "../../../masks/counting/counted-text.ts";
import {
  AGAIN,
  BASE,
  changedImage,
  kindsOf,
  type PlannedRow,
  type ProbeCall,
  STRICT,
  TEXT,
} from "../plan.ts";

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** The rows in another order: every row is behind another one, and the first row is an unchanged copy of another prompt. */
function reorder(rows: readonly PlannedRow[], prompts: number): PlannedRow[] {
  const n = rows.length;
  let step = 5;
  while (divisor(step, n) !== 1) step++;
  const first = AGAIN * prompts + prompts - 1;
  return rows.flatMap((_, i) => rows[(first + i * step) % n] ?? []);
}

/** The rows in another order, and with unrelated texts and images in place of the second unchanged copies. [probe.batch] */
export const mixed = (call: ProbeCall): ProbeCall => ({
  ...call,
  name: `${call.name}-mixed`,
  rows: reorder(call.rows, call.prompts.length).map((row) =>
    row.variant === AGAIN ? { ...row, variant: TEXT, otherImages: true } : row,
  ),
});

/** The rows in another order. */
export const reordered = (call: ProbeCall): ProbeCall => ({
  ...call,
  name: `${call.name}-reordered`,
  rows: reorder(call.rows, call.prompts.length),
});

/** The same call a second time, in another folder. */
export const repeated = (call: ProbeCall): ProbeCall => ({ ...call, folder: `${call.name}-repeated` });

/** The call with other images in the first row. */
export const firstImagesChanged = (call: ProbeCall): ProbeCall => ({
  ...call,
  name: `${call.name}-first-images`,
  rows: call.rows.map((row, i) => (i === 0 ? { ...row, otherImages: true } : row)),
});

/** The call with other images in about half of its rows but the first, without a regular pattern, or in the other half. */
export const halfOfImagesChanged = (call: ProbeCall, half: 1 | 2): ProbeCall => ({
  ...call,
  name: `${call.name}-other-images-${half}`,
  rows: call.rows.map((row, i) =>
    i > 0 && ((Math.imul(i, 0x9e3779b1) >>> 16) & 1) === half - 1 ? { ...row, otherImages: true } : row,
  ),
});

/** Whether the row's prompt has an image token. */
export const hasImages = ({ prompts }: ProbeCall, { prompt }: PlannedRow): boolean =>
  prompts[prompt]?.includes(TOKEN.image) === true;

/** The call without the prompts that have no image; null where there are none. */
export function withoutTextOnly(call: ProbeCall): ProbeCall | null {
  const rows = call.rows.filter((row) => hasImages(call, row));
  return rows.length < call.rows.length ? { ...call, name: `${call.name}-images-only`, rows } : null;
}

const single = (name: string, text: string, variant: number): ProbeCall => ({
  name,
  prompts: [kindsOf(text)],
  rows: [{ prompt: 0, variant, otherImages: false }],
  passes: null,
  locations: true,
});

/** A prompt without end tokens by itself, and not the row that is the first of other batches. */
export const alone = single("alone", STRICT[0] ?? "", changedImage(1));
/** A prompt without images by itself. */
export const textOnly = single("text-only", "tttttttt", BASE);
