// Finds out whether the rows of a batch depend on each other, and how.
import { type Ask, answerOrRefusal, isRefusal, type Refusal } from "../ask.ts";
import { calls, type ProbeCall } from "../plan.ts";
import type { Outputs } from "../rows.ts";
import {
  alone,
  firstImagesChanged,
  halfOfImagesChanged,
  hasImages,
  mixed,
  reordered,
  repeated,
  textOnly,
  withoutTextOnly,
} from "./calls.ts";
import { compareCopies, compareRows, type Difference, reachedByImages } from "./compare.ts";

/**
 * How the rows of a batch depend on each other. random: the same call gives other numbers; first-images: all rows see the images
 * of the first row; other-images: rows see images of other rows; images-disabled: no image reaches any row while the batch has a prompt
 * without images; first-mask: the first prompt's mask serves every row; place: rows depend on their place in the batch, or
 * on the texts of rows beside them; other-prompts: rows depend on the number or the tokens of the other rows.
 */
export type Dependence =
  | "random"
  | "first-images"
  | "other-images"
  | "images-disabled"
  | "first-mask"
  | "place"
  | "other-prompts";

/** Rows that are not the same in every batch. */
export interface BatchFault {
  /** The name of the call in which rows depend on each other. */
  readonly call: string;
  readonly dependence: Dependence;
  /** The comparisons that differ. */
  readonly differences: readonly Difference[];
}

export interface Independence {
  readonly differences: readonly Difference[];
  /** Calls that were not answered. */
  readonly refused: readonly Refusal[];
}

const differ = ({ differing }: Difference): boolean => differing > 0;

/** Compares the rows of a call with the same rows in other batches. [probe.batch] */
export async function compareBatches(
  ask: Ask,
  base: Outputs,
  others: readonly ProbeCall[],
): Promise<Independence> {
  const differences = [compareCopies(base)];
  const refused: Refusal[] = [];
  for (const call of others) {
    const answer = await answerOrRefusal(ask, call);
    if (isRefusal(answer)) refused.push(answer);
    else differences.push(compareRows(base, answer));
  }
  return { differences: differences.filter(differ), refused };
}

/** Batches in which each row has another place and other prompts beside it, or none. [probe.batch] */
export const otherBatches = (call: ProbeCall): ProbeCall[] => [
  mixed(call),
  ...(call.name === calls.strict.name ? [] : [calls.strict]),
  alone,
  ...(call.name === calls.strict.name ? [] : [textOnly]),
];

/** How rows that differ between batches depend on each other; each answer is the result of one more call. [probe.batch-fault] */
async function dependenceOf(ask: Ask, base: Outputs): Promise<Dependence> {
  const changes = async (call: ProbeCall): Promise<number> => {
    const answer = await answerOrRefusal(ask, call);
    return isRefusal(answer) ? 0 : compareRows(base, answer).differing;
  };
  if ((await changes(repeated(base.call))) > 0) return "random"; // [probe.batch-fault]
  const byFirst = await changes(firstImagesChanged(base.call));
  const byOthers =
    (await changes(halfOfImagesChanged(base.call, 1))) || (await changes(halfOfImagesChanged(base.call, 2)));
  const withImages = base.call.rows.slice(1).filter((row) => hasImages(base.call, row)).length;
  if (byFirst > 0 && byFirst >= 0.9 * withImages && byOthers === 0) return "first-images"; // [probe.batch-fault]
  if (byFirst + byOthers > 0) return "other-images"; // [probe.batch-fault]
  const rest = withoutTextOnly(base.call);
  const answer = rest && !reachedByImages(base) ? await answerOrRefusal(ask, rest) : null;
  if (answer && !isRefusal(answer) && reachedByImages(answer)) return "images-disabled"; // [probe.batch-fault]
  return (await changes(reordered(base.call))) > 0 ? "place" : "other-prompts"; // [probe.batch-fault]
}

/** The fault behind differences between batches; null if there are none. [probe.batch-fault] */
export async function batchFaultOf(
  ask: Ask,
  base: Outputs,
  differences: readonly Difference[],
): Promise<BatchFault | null> {
  if (differences.length === 0) return null;
  return { call: base.call.name, dependence: await dependenceOf(ask, base), differences };
}
