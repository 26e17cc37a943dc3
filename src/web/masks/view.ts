// The content of the page for a state: every token with its row under one or two conventions, in the whole text's mask or in a
// decoding step. A pure function, so that it can be tested without a browser.

import type { MaskBatch } from "../../mask-report/batch.ts";
import {
  type Convention,
  conventionOf,
  conventions,
  type NamedConvention,
} from "../../masks/conventions/conventions.ts";
import { countText, wholeText } from "../../masks/counting/counted-text.ts";
import { type DecodeStep, replayDecoding } from "../../masks/decoding/decode.ts";
import { differingImages, rowsDiffer } from "../../masks/difference.ts";
import { explainRow, type RowReason } from "../../masks/explain.ts";
import type { PromptToken } from "../../masks/prompts/prompt.ts";
import { type MaskRow, maskRows, sameRow } from "../../masks/rows.ts";
import { batchIn, type ShownBatch } from "./batch.ts";
import type { State } from "./state.ts";

/** One convention's view of a token. */
export interface Band {
  readonly row: MaskRow;
  /** The reason for the row, or for one image in it. */
  readonly explain: (image?: number) => RowReason;
  /** For each image, whether the two conventions treat it differently. */
  readonly differing: () => readonly boolean[];
  /** Whether the cached step's row differs from the whole text's. */
  readonly stepDiffers: boolean;
}

export interface TokenView {
  readonly token: PromptToken;
  readonly position: number;
  /** One for each convention. */
  readonly bands: readonly Band[];
  readonly differs: boolean;
  /** In decoding: before this step, in it, or after it. */
  readonly when: "known" | "now" | "later";
}

export interface View extends ShownBatch {
  /** One, or two that are compared. */
  readonly conventions: readonly NamedConvention[];
  readonly prompts: readonly (readonly TokenView[])[];
  /** For each convention, the steps of decoding; empty where the whole text is shown. */
  readonly steps: readonly (readonly DecodeStep[])[];
  readonly step: number;
  /** The smallest number of tokens that can be known at the start of decoding. */
  readonly leastKnown: number;
  /** Names that no convention has. */
  readonly unknown: readonly string[];
}

/** The recordings in a file: attention, a mask, tiles. */
export type Recorded = Partial<Pick<MaskBatch, "title" | "attention" | "otherLayers" | "recorded" | "tiles">>;

function chosen(names: readonly string[]): {
  known: [NamedConvention, ...NamedConvention[]];
  unknown: string[];
} {
  const unknown: string[] = [];
  const known = names.flatMap((name) => {
    try {
      return [conventionOf(name)];
    } catch {
      unknown.push(name);
      return [];
    }
  });
  const [first = conventions.immediate, ...others] = known;
  return { known: [first, ...others], unknown };
}

/** The largest number of tokens that are decoded one by one; the tokens before them are known from the start. */
const MOST_STEPS = 1000;

type Replay = Pick<View, "steps" | "step" | "leastKnown">;

function replayOf(state: State, { locations, images }: MaskBatch, shown: readonly Convention[]): Replay {
  const length = locations.shape[1] ?? 0;
  const leastKnown = Math.max(1, length - MOST_STEPS);
  const prompt = Math.min(Math.max(state.known, leastKnown), length);
  const decodes = state.known > 0 && length > 0;
  const steps = decodes ? shown.map((one) => replayDecoding(locations, images, one, { prompt })) : [];
  return { steps, step: Math.min(state.step, (steps[0]?.length ?? 1) - 1), leastKnown };
}

/** The time of a position in the replay: before the step that is shown, in it, or after it. */
function whenOf({ steps, step }: Replay, position: number): TokenView["when"] {
  const current = steps[0]?.[step];
  if (current === undefined || position < current.from) return "known";
  return position < current.to ? "now" : "later";
}

export function viewOf(state: State, recorded: Recorded = {}): View {
  const { known, unknown } = chosen([state.convention, state.against].filter((name) => name !== ""));
  const shown = batchIn(state, known[0]);
  const batch = { ...shown.batch, ...recorded };
  const replay = replayOf(state, batch, known);
  const masks = known.map((convention) => maskRows(batch.locations, batch.images, convention));
  const prompts = batch.prompts.map((tokens, b) => {
    const text = wholeText(countText(tokens.map(({ kind }) => kind)));
    return tokens.map((token, position): TokenView => {
      const full = masks.map((mask) => mask[b]?.[position]).filter((row) => row !== undefined);
      const rows = full.map((row, c) => decoded(replay.steps[c] ?? [], replay.step, b, position) ?? row);
      const [one, other] = rows;
      const bands = rows.map((row, c): Band => {
        const convention = known[c] ?? conventions.immediate;
        return {
          row,
          explain: (image) => explainRow(row, text, convention, image),
          differing: () => differingImages(row, rows[1 - c] ?? row),
          stepDiffers: !sameRow(row, full[c]),
        };
      });
      const differs = one !== undefined && other !== undefined && rowsDiffer(one, other);
      return { token, position, bands, differs, when: whenOf(replay, position) };
    });
  });
  return { ...shown, batch, conventions: known, prompts, ...replay, unknown };
}

/** The row of the step that took this position: the first one takes the prompt, each later one a token. undefined where that step is
 * still to come. */
function decoded(
  steps: readonly DecodeStep[],
  step: number,
  b: number,
  position: number,
): MaskRow | undefined {
  const taken = Math.max(0, position + 1 - (steps[0]?.to ?? 0));
  const { from = 0, rows = [] } = taken <= step ? (steps[taken] ?? {}) : {};
  return rows[b]?.[position - from];
}
