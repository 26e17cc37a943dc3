// The values of one token in every stage of a layer, and statistics of its attention weights.
import type { RowPlace, Stage, StageName, Stages } from "./block.ts";

/** The values of a stage at a position; empty if the stage has no such prompt, position or head. */
export function rowOf(
  { first }: Pick<Stages, "first">,
  { over, shape, values }: Stage,
  { prompt, position }: RowPlace,
  head: number,
): number[] {
  const [b = 0, ...rest] = shape;
  const [h = 0, l = 0, width = 0] = over === "keys" ? rest : [1, ...rest];
  const index = over === "keys" ? head : 0; // features have no heads
  const [i, j] = [prompt - first.prompt, position - first.position];
  if (!(i >= 0 && i < b && j >= 0 && j < l && index < h)) return [];
  const start = ((i * h + index) * l + j) * width;
  return Array.from({ length: width }, (_, k) => values[start + k] ?? Number.NaN);
}

export const stageNamed = ({ stages }: Stages, name: StageName): Stage | undefined =>
  stages.find((stage) => stage.name === name);

/** The weights of every image's keys after the post-softmax mask; null if the stages have none. */
export function weightsOf(stages: Stages, at: RowPlace, head: number): number[][] | null {
  const stage = stageNamed(stages, "weights");
  const row = stage ? rowOf(stages, stage, at, head) : [];
  if (row.length === 0) return null;
  const { latents } = stages;
  return Array.from({ length: row.length / latents }, (_, m) => row.slice(m * latents, (m + 1) * latents));
}

export interface WeightStatistics {
  readonly keys: number;
  readonly sum: number;
  readonly entropy: number;
  /** log(keys), the entropy of equal weights. */
  readonly largestEntropy: number;
  /** Whether all keys have the same nonzero weight. */
  readonly isUniform: boolean;
}

export function weightStatistics(stages: Stages, at: RowPlace, head: number): WeightStatistics | null {
  const weights = weightsOf(stages, at, head)?.flat();
  if (!weights) return null;
  const sum = weights.reduce((a, w) => a + w, 0);
  const entropy = -weights.reduce((a, w) => a + (w > 0 ? w * Math.log(w) : 0), 0);
  const largestEntropy = Math.log(weights.length);
  const isUniform = sum > 0.5 && weights.length > 1 && largestEntropy - entropy < 1e-9;
  return { keys: weights.length, sum, entropy, largestEntropy, isUniform };
}

/** The parts of the layer that change a row; null if the stages do not contain its input and output. */
export function effectOf(stages: Stages, at: RowPlace): "none" | "feed-forward" | "attention" | null {
  const [gated, output] = (["gated", "output"] as const).map((name) => stageNamed(stages, name));
  const input = stages.input && rowOf(stages, stages.input, at, 0);
  if (!gated || !output || !input || input.length === 0) return null;
  if (rowOf(stages, output, at, 0).every((n, i) => n === input[i])) return "none";
  return rowOf(stages, gated, at, 0).every((n) => n === 0) ? "feed-forward" : "attention";
}
