// One token's numbers out of every stage, and what they say in a sentence.
import type { Stage, StageName, Stages } from "./block.ts";

/** */
export function rowOf(
  { over, shape, values }: Stage,
  prompt: number,
  position: number,
  head: number,
): number[] {
  const [b = 0, ...rest] = shape;
  const [h = 0, l = 0, width = 0] = over === "keys" ? rest : [1, ...rest];
  const own = over === "keys" ? head : 0; // features belong to no head
  if (prompt >= b || position >= l || own >= h) return [];
  const start = ((prompt * h + own) * l + position) * width;
  return Array.from({ length: width }, (_, i) => values[start + i] ?? Number.NaN);
}

export const stageNamed = ({ stages }: Stages, name: StageName): Stage | undefined =>
  stages.find((stage) => stage.name === name);

/** The weight of every key of every image after the row rule; null where the stages have none. */
export function weightsOf(stages: Stages, prompt: number, position: number, head: number): number[][] | null {
  const stage = stageNamed(stages, "silenced");
  const row = stage ? rowOf(stage, prompt, position, head) : [];
  if (row.length === 0) return null;
  const { latents } = stages;
  return Array.from({ length: row.length / latents }, (_, m) => row.slice(m * latents, (m + 1) * latents));
}

export const titles: Readonly<Record<StageName, { readonly title: string; readonly note: string }>> = {
  scores: { title: "Scores", note: "query · key, scaled" },
  filled: { title: "Filled", note: "−∞ where the mask forbids" },
  softmax: { title: "Softmax", note: "weights of the keys" },
  silenced: { title: "Row rule", note: "weights as they are used" },
  gated: { title: "Gated", note: "attention × tanh(gate)" },
  residual: { title: "Residual", note: "the text’s row added" },
  output: { title: "Feed-forward", note: "gated, added: what leaves the layer" },
};

const round = (n: number): string => (Number.isNaN(n) ? "NaN" : n.toFixed(2).replace(/^-(0\.0+)$/, "$1"));

/** A number where there is little room. */
export const short = (n: number): string =>
  n === Number.NEGATIVE_INFINITY ? "−∞" : n === 0 ? "0" : round(n).replace("-", "−");

/** Row sum, entropy, and whether the layer left the row as it came. */
export function rowFacts(stages: Stages, prompt: number, position: number, head: number): string[] {
  const said: string[] = [];
  const weights = weightsOf(stages, prompt, position, head)?.flat();
  if (weights) {
    const sum = weights.reduce((a, w) => a + w, 0);
    const entropy = -weights.reduce((a, w) => a + (w > 0 ? w * Math.log(w) : 0), 0);
    const most = Math.log(weights.length);
    const even = sum > 0.5 && weights.length > 1 && most - entropy < 1e-9;
    said.push(
      `Its weights sum to ${round(sum)}; their entropy is ${round(entropy)} of at most ${round(most)} (log ${weights.length})${even ? ": every key counts alike" : ""}.`,
    );
  }
  const [gated, output] = (["gated", "output"] as const).map((name) => stageNamed(stages, name));
  const given = stages.given && rowOf(stages.given, prompt, position, 0);
  if (gated && output && given && given.length > 0) {
    const left = rowOf(output, prompt, position, 0);
    const added = rowOf(gated, prompt, position, 0);
    if (left.every((n, i) => n === given[i])) said.push("The row leaves the layer as it came.");
    else if (added.every((n) => n === 0))
      said.push("Attention adds nothing to it; the feed-forward still changes it.");
  }
  return said;
}
