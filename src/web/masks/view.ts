// The content of the page for a state: every token with its row under one or two conventions, in the whole text's mask or in a
// decoding step. A pure function, so that it can be tested without a browser.

import { type PromptToken, tokensOf } from "../../io/prompt.ts";
import { batchOf, type MaskBatch } from "../../mask-report/batch.ts";
import { type Convention, conventionOf, conventions } from "../../masks/conventions/conventions.ts";
import { type DecodeStep, replayDecoding } from "../../masks/decoding/decode.ts";
import { differingImages, rowsDiffer } from "../../masks/difference.ts";
import { explain, type Reason } from "../../masks/explain.ts";
import { type MaskRow, maskRows, sameRow } from "../../masks/rows.ts";
import type { State } from "./state.ts";

/** One convention's view of a token. */
export interface Band {
  readonly row: MaskRow;
  /** The reason for the row, or for one image in it. */
  readonly explain: (image?: number) => Reason;
  /** For each image, whether the two conventions treat it differently. */
  readonly differing: readonly boolean[];
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

export interface View {
  readonly batch: MaskBatch;
  /** One, or two that are compared. */
  readonly conventions: readonly Convention[];
  readonly prompts: readonly (readonly TokenView[])[];
  /** For each convention, the steps of decoding; empty where the whole text is shown. */
  readonly steps: readonly (readonly DecodeStep[])[];
  readonly step: number;
  /** Names that no convention has. */
  readonly unknown: readonly string[];
}

function chosen(names: readonly string[]): { known: Convention[]; unknown: string[] } {
  const unknown: string[] = [];
  const known = names.flatMap((name) => {
    try {
      return [conventionOf(name)];
    } catch {
      unknown.push(name);
      return [];
    }
  });
  return { known: known.length > 0 ? known : [conventions.immediate], unknown };
}

/** The largest number of tokens that are decoded one by one; the tokens before them are known from the start. */
const MOST_STEPS = 64;

export const leastKnown = (length: number): number => Math.max(1, length - MOST_STEPS);

/** One prompt per line; empty lines are skipped. */
export function batchIn({ text, images, padding }: Pick<State, "text" | "images" | "padding">): MaskBatch {
  const lines = text.split(/\r?\n/).map(tokensOf);
  const prompts = lines.filter((prompt) => prompt.length > 0);
  return batchOf(prompts, { pad: padding, images: images.length > 0 ? images : undefined });
}

export function viewOf(state: State, batch: MaskBatch = batchIn(state)): View {
  const { known, unknown } = chosen([state.convention, state.against].filter((name) => name !== ""));
  const { locations, images } = batch;
  const length = locations.shape[1] ?? 0;
  const prompt = Math.min(Math.max(state.known, leastKnown(length)), length);
  const decodes = state.known > 0 && length > 0;
  const steps = decodes ? known.map((one) => replayDecoding(locations, images, one, { prompt })) : [];
  const step = Math.min(state.step, (steps[0]?.length ?? 1) - 1);
  const current = steps[0]?.[step];

  const masks = known.map((convention) => maskRows(locations, images, convention));
  const prompts = batch.prompts.map((tokens, b) => {
    const kinds = tokens.map(({ kind }) => kind);
    return tokens.map((token, position): TokenView => {
      const full = masks.map((mask) => mask[b]?.[position]).filter((row) => row !== undefined);
      const rows = full.map((row, c) => decoded(steps[c] ?? [], step, b, position) ?? row);
      const [one, other] = rows;
      const when =
        current === undefined || position < current.from ? "known" : position < current.to ? "now" : "later";
      return {
        token,
        position,
        bands: rows.map((row, c) => ({
          row,
          explain: (image) => explain(row, kinds, known[c] ?? conventions.immediate, image),
          differing: differingImages(row, rows[1 - c] ?? row),
          stepDiffers: decodes && when !== "later" && !sameRow(row, full[c]),
        })),
        differs: one !== undefined && other !== undefined && rowsDiffer(one, other),
        when,
      };
    });
  });
  return { batch, conventions: known, prompts, steps, step, unknown };
}

/** The row of the step that took this position; undefined where that step is still to come. */
function decoded(
  steps: readonly DecodeStep[],
  step: number,
  b: number,
  position: number,
): MaskRow | undefined {
  const taken = steps.slice(0, step + 1).find(({ from, to }) => from <= position && position < to);
  return taken?.rows[b]?.[position - taken.from];
}
