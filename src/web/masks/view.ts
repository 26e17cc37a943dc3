// What the page shows of a state: every token with its row under one convention or two, as decoding has it or as the whole
// text has it. Pure, so that the page can be tested without a page.

import { type PromptToken, tokensOf } from "../../io/prompt.ts";
import { batchOf, type MaskBatch } from "../../mask-report/batch.ts";
import { type Convention, conventionOf, conventions } from "../../masks/conventions/conventions.ts";
import { type DecodeStep, replayDecoding, sameRow } from "../../masks/decoding/decode.ts";
import type { MaskRow } from "../../masks/rows.ts";
import { maskRows } from "../../masks/rows.ts";
import type { State } from "./state.ts";

/** One convention's view of a token. */
export interface Band {
  readonly row: MaskRow;
  /** For each image, whether the two conventions treat it differently. */
  readonly parts: readonly boolean[];
  /** A cached step has another row here than the whole text. */
  readonly strays: boolean;
}

export interface TokenView {
  readonly token: PromptToken;
  readonly position: number;
  /** One for each convention. */
  readonly bands: readonly Band[];
  readonly differs: boolean;
  /** In decoding: passed, in this step, or still to come. */
  readonly when: "known" | "now" | "later";
}

export interface View {
  readonly batch: MaskBatch;
  /** One or two. */
  readonly conventions: readonly Convention[];
  readonly prompts: readonly (readonly TokenView[])[];
  /** For each convention, the steps of decoding; empty where the text is taken at once. */
  readonly steps: readonly (readonly DecodeStep[])[];
  readonly step: number;
  /** Names that no convention has. */
  readonly unknown: readonly string[];
}

function chosen(names: readonly string[]): { found: Convention[]; unknown: string[] } {
  const unknown: string[] = [];
  const found = names.flatMap((name) => {
    try {
      return [conventionOf(name)];
    } catch {
      unknown.push(name);
      return [];
    }
  });
  return { found: found.length > 0 ? found : [conventions.immediate], unknown };
}

/** The longest text that is replayed from its beginning; of a longer one, the last so many tokens are. */
const MOST_STEPS = 64;

export const leastKnown = (length: number): number => Math.max(1, length - MOST_STEPS);

/** Which images reach the row, of all: what a reader would see change. */
const reach = (row: MaskRow | undefined, image: number): boolean =>
  row !== undefined && (row.images.includes(image) || row.outcome === "nan");

/** */
const parts = (one: MaskRow, other: MaskRow | undefined): boolean[] =>
  one.mayAttend.map(
    (may, m) =>
      other !== undefined && (may !== other.mayAttend[m] || reach(one, m + 1) !== reach(other, m + 1)),
  );

/** A prompt a line; empty lines are none. */
export function batchIn({ text, images, padding }: Pick<State, "text" | "images" | "padding">): MaskBatch {
  const prompts = text.split(/\r?\n/).map(tokensOf);
  const told = prompts.filter((prompt) => prompt.length > 0);
  return batchOf(told, { pad: padding, images: images.length > 0 ? images : undefined });
}

export function viewOf(state: State, batch: MaskBatch = batchIn(state)): View {
  const { found, unknown } = chosen([state.convention, state.against].filter((name) => name !== ""));
  const { locations, images } = batch;
  const length = locations.shape[1] ?? 0;
  const prompt = Math.min(Math.max(state.known, leastKnown(length)), length);
  const decodes = state.known > 0 && length > 0;
  const steps = decodes ? found.map((one) => replayDecoding(locations, images, one, { prompt })) : [];
  const step = Math.min(state.step, (steps[0]?.length ?? 1) - 1);
  const now = steps[0]?.[step];

  const masks = found.map((convention) => maskRows(locations, images, convention));
  const prompts = batch.prompts.map((tokens, b) =>
    tokens.map((token, position): TokenView => {
      const whole = masks.map((mask) => mask[b]?.[position]).filter((row) => row !== undefined);
      const rows = whole.map((row, c) => decoded(steps[c] ?? [], step, b, position) ?? row);
      const [one, other] = rows;
      const when = now === undefined || position < now.from ? "known" : position < now.to ? "now" : "later";
      return {
        token,
        position,
        bands: rows.map((row, c) => ({
          row,
          parts: parts(row, rows[1 - c]),
          strays: decodes && when !== "later" && !sameRow(row, whole[c]),
        })),
        differs: one !== undefined && other !== undefined && unlike(one, other),
        when,
      };
    }),
  );
  return { batch, conventions: found, prompts, steps, step, unknown };
}

/** As differenceOf counts rows. */
const unlike = (one: MaskRow, other: MaskRow): boolean =>
  !sameRow(one, other) || `${one.mayAttend}` !== `${other.mayAttend}`;

/** The row that the step which took this position computed; none while it is still to come. */
function decoded(
  steps: readonly DecodeStep[],
  step: number,
  b: number,
  position: number,
): MaskRow | undefined {
  const own = steps.slice(0, step + 1).find(({ from, to }) => from <= position && position < to);
  return own?.rows[b]?.[position - own.from];
}
