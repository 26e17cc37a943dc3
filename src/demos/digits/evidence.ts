// Does it look at the right picture? Captions of pictures that it never saw, in sequences of two and three.
import { greedy } from "../../generation/choose.ts";
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import { run } from "../../kernels/replay.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { generator } from "../../tensor/random.ts";
import { flat } from "../../tensor/tensor.ts";
import { captionsOf } from "./captioning.ts";
import { named } from "./captions.ts";
import { asImages, BLANK, type Picture } from "./data.ts";
import { type DigitsModel, withBehaviour } from "./model.ts";

/** Held-out pictures in sequences, in an order that does not depend on the run. */
export function sequencesFrom(pictures: readonly Picture[], each: number): Picture[][] {
  const { uniform } = generator(1, "held out");
  const order = pictures.map((picture) => [uniform(), picture] as const).sort(([a], [b]) => a - b);
  const count = Math.floor(order.length / each);
  return Array.from({ length: count }, (_, i) => order.slice(i * each, (i + 1) * each).map(([, p]) => p));
}

/** The share of captions that name the digits of `wanted`, for each place in the sequence and in all. */
function share(captions: readonly (readonly number[][])[], wanted: readonly (readonly Picture[])[]) {
  const right = captions.map((row, b) => row.map((caption, i) => named(caption) === wanted[b]?.[i]?.digit));
  const places = right[0]?.map((_, i) => mean(right.map((row) => Number(row[i])))) ?? [];
  return { all: mean(right.flat().map(Number)), places }; // [digits.accuracy]
}
const mean = (x: readonly number[]): number => x.reduce((sum, one) => sum + one, 0) / Math.max(1, x.length);

export interface EvidenceRow {
  readonly pictures: number;
  readonly what: string;
  readonly all: number;
  /** First, second, third caption of a sequence. */
  readonly places: readonly number[];
}

const rotated = <T>([first, ...rest]: readonly T[]): T[] => (first === undefined ? [] : [...rest, first]);

/** As trained, with the pictures swapped, and with blank ones. */
export async function evidence(
  model: DigitsModel,
  pictures: readonly Picture[],
  each: number,
  backend?: Backend,
): Promise<{ plain: EvidenceRow; swapped: EvidenceRow; blanked: EvidenceRow }> {
  const sequences = sequencesFrom(pictures, each);
  const different = sequences.filter((row) => new Set(row.map(({ digit }) => digit)).size === each);
  const swaps = different.map(rotated);
  const blanks = sequences.map((row) => row.map(() => BLANK));
  const row = async (what: string, shown: readonly (readonly Picture[])[], wanted = shown) => ({
    pictures: each,
    what,
    ...share(await captionsOf(model, shown, backend), wanted),
  });
  return {
    plain: await row("as trained", sequences),
    swapped: await row("pictures swapped: captions that follow them", swaps), // [digits.swapped]
    blanked: await row("pictures blanked", blanks, sequences), // [digits.blanked]
  };
}

/** What the model was not trained with. */
export const otherConventions: readonly Convention[] = Object.values<Convention>(conventions).filter(
  ({ name }) => name !== conventions.immediate.name,
);

/** The same weights under every other rule of who sees which image. */
export async function underConventions(
  model: DigitsModel,
  pictures: readonly Picture[],
  each: number,
  backend?: Backend,
  others: readonly Convention[] = otherConventions,
): Promise<EvidenceRow[]> {
  const sequences = sequencesFrom(pictures, each);
  const rows: EvidenceRow[] = [];
  for (const convention of others) {
    const other = withBehaviour(model, { immediate: convention }); // [digits.conventions]
    const { all, places } = share(await captionsOf(other, sequences, backend), sequences);
    rows.push({ pictures: each, what: `mask: ${convention.name}`, all, places });
  }
  return rows;
}

/** The share of digits that the encoder's own head tells apart: what captions can at best reach. */
export async function classified(
  { vit }: DigitsModel,
  pictures: readonly Picture[],
  backend = reference(),
): Promise<number> {
  const out = await run(backend, () => vit.forward(asImages(pictures)), { model: vit });
  const logits = flat(out.data);
  const best = (i: number): number => greedy(Float64Array.from(logits.subarray(i * 10, i * 10 + 10)));
  return mean(pictures.map(({ digit }, i) => Number(best(i) === digit)));
}
