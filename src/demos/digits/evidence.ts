// Evidence that a trained model describes the right picture: captions of held-out pictures in sequences of two and three.
import { greedy } from "../../generation/choose.ts";
import type { Backend } from "../../kernels/backend.ts";
import { reference } from "../../kernels/reference/index.ts";
import { run } from "../../kernels/replay.ts";
import { type Convention, conventions } from "../../masks/conventions/conventions.ts";
import { generator } from "../../tensor/random.ts";
import { flat, type Tensor } from "../../tensor/tensor.ts";
import { captionsOf } from "./captioning.ts";
import { digitNamed } from "./captions.ts";
import { asImages, BLANK, type Picture } from "./data.ts";
import { type DigitsModel, withBehaviour } from "./model.ts";

/** The change from training to measurement of a row: none, other pictures, or another mask convention. */
export type Condition =
  | { readonly kind: "as-trained" | "swapped" | "blanked" }
  | { readonly kind: "convention"; readonly convention: string };

export interface EvidenceRow {
  /** Pictures in each sequence. */
  readonly pictures: number;
  readonly condition: Condition;
  /** The share of all captions that are right. */
  readonly all: number;
  /** The share of first, second and third captions that are right. */
  readonly places: readonly number[];
}

/** Pictures in sequences of equal length, in an order that is the same in every run. */
export function sequencesFrom(pictures: readonly Picture[], length: number): Picture[][] {
  const { uniform } = generator(1, "held out");
  const order = pictures.map((picture) => [uniform(), picture] as const).sort(([a], [b]) => a - b);
  const count = Math.floor(order.length / length);
  return Array.from({ length: count }, (_, i) => order.slice(i * length, (i + 1) * length).map(([, p]) => p));
}

export const mean = (x: readonly number[]): number =>
  x.reduce((sum, one) => sum + one, 0) / Math.max(1, x.length);

/** The share of captions that name the digit of the expected picture and no other, for each place and in all. `named` are their digits. */
export function accuracy(
  named: readonly (readonly (number | null)[])[],
  expected: readonly (readonly Picture[])[],
): Pick<EvidenceRow, "all" | "places"> {
  const right = named.map((row, b) => row.map((digit, i) => Number(digit === expected[b]?.[i]?.digit)));
  const places = right[0]?.map((_, i) => mean(right.map((row) => row[i] ?? 0))) ?? [];
  return { all: mean(right.flat()), places }; // [digits.accuracy]
}

/** The digits that captions name. */
const digitsOf = (captions: readonly (readonly number[][])[]): (number | null)[][] =>
  captions.map((row) => row.map(digitNamed));

export const rotated = <T>([first, ...rest]: readonly T[]): T[] =>
  first === undefined ? [] : [...rest, first];

export interface Evidence {
  readonly plain: EvidenceRow;
  readonly swapped: EvidenceRow;
  readonly blanked: EvidenceRow;
}

/**
 * Accuracy on unchanged sequences, with their pictures rotated (captions are compared with the rotated digits), and with
 * blank pictures (captions are compared with the digits that were removed).
 */
export async function evidence(
  model: DigitsModel,
  pictures: readonly Picture[],
  length: number,
  backend?: Backend,
): Promise<Evidence> {
  const sequences = sequencesFrom(pictures, length);
  const distinct = sequences.filter((row) => new Set(row.map(({ digit }) => digit)).size === length);
  const swaps = distinct.map(rotated);
  const blanks = sequences.map((row) => row.map(() => BLANK));
  const measure = async (
    kind: "as-trained" | "swapped" | "blanked",
    shown: readonly (readonly Picture[])[],
    expected = shown,
  ): Promise<EvidenceRow> => ({
    pictures: length,
    condition: { kind },
    ...accuracy(digitsOf(await captionsOf(model, shown, backend)), expected),
  });
  return {
    plain: await measure("as-trained", sequences),
    swapped: await measure("swapped", swaps), // [digits.swapped]
    blanked: await measure("blanked", blanks, sequences), // [digits.blanked]
  };
}

/** Every convention but the one that the model was trained with. */
export const otherConventions: readonly Convention[] = Object.values<Convention>(conventions).filter(
  ({ name }) => name !== conventions.immediate.name,
);

/** Accuracy of the same weights under other conventions. */
export async function underConventions(
  model: DigitsModel,
  pictures: readonly Picture[],
  length: number,
  backend?: Backend,
  others: readonly Convention[] = otherConventions,
): Promise<EvidenceRow[]> {
  const sequences = sequencesFrom(pictures, length);
  const rows: EvidenceRow[] = [];
  for (const convention of others) {
    const other = withBehaviour(model, { immediate: convention }); // [digits.conventions]
    const condition = { kind: "convention", convention: convention.name } as const;
    const captions = await captionsOf(other, sequences, backend);
    rows.push({ pictures: length, condition, ...accuracy(digitsOf(captions), sequences) });
  }
  return rows;
}

/** The class with the highest score in each row. */
export function highest({ shape, data }: Tensor): number[] {
  const [rows = 0, n = 0] = shape;
  const scores = flat(data);
  return Array.from({ length: rows }, (_, i) =>
    greedy(Float64Array.from(scores.subarray(i * n, (i + 1) * n))),
  );
}

/** The share of pictures whose digit has the highest score. */
export function shareCorrect(scores: Tensor, pictures: readonly Picture[]): number {
  const predicted = highest(scores);
  return mean(pictures.map(({ digit }, i) => Number(predicted[i] === digit)));
}

/** The accuracy of the image encoder's own classifier head, which captions cannot be expected to exceed. */
export async function classifierAccuracy(
  { vit }: DigitsModel,
  pictures: readonly Picture[],
  backend = reference(),
): Promise<number> {
  return shareCorrect(await run(backend, () => vit.forward(asImages(pictures)), { model: vit }), pictures);
}
