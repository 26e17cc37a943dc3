// The gates of gated cross-attention in training: their learning rate, their history, and a chart of it.
import { Tensor, view } from "../tensor/tensor.ts";
import type { ParameterGroup } from "../training/optimizers/optimizer.ts";
import { decayGroups } from "../training/trainable.ts";

/** tanh of both gates of a layer; 0 is closed. */
export interface Gates {
  readonly attn: number;
  readonly ff: number;
}

/** The gates of the layers that have them. */
export const openings = (
  blocks: readonly ({ readonly attn_gate: Tensor; readonly ff_gate: Tensor } | null)[],
): Gates[] => {
  const opening = (gate: Tensor): number => Math.tanh(gate.flat()[0] ?? 0);
  return blocks.flatMap((one) => (one ? [{ attn: opening(one.attn_gate), ff: opening(one.ff_gate) }] : []));
};

/**
 * Parameter groups in which gates have a learning rate of their own. Gates start at zero, and the blocks behind them get gradients in
 * proportion to how far the gates have opened.
 */
export function gateGroups(model: object, names: readonly string[], gateRate: number): ParameterGroup[] {
  const isGate = (name: string): boolean => name.endsWith("_gate");
  return [
    ...decayGroups(
      model,
      names.filter((name) => !isGate(name)),
    ),
    { names: names.filter(isGate), learningRate: gateRate, weightDecay: 0 },
  ];
}

/** A history of gates as a tensor of a checkpoint. */
export const storedGates = (history: readonly (readonly Gates[])[]): Tensor => {
  const shape = [history.length, history[0]?.length ?? 0, 2];
  return new Tensor(
    shape,
    view(Float64Array.from(history.flat().flatMap(({ attn, ff }) => [attn, ff])), shape),
  );
};

/** The gates of each layer after each step, from a checkpoint. */
export function restoredGates(stored: Tensor | undefined): Gates[][] {
  const [steps = 0, layers = 0] = stored?.shape ?? [];
  const values = stored ? stored.flat() : [];
  const at = (i: number): number => values[i] ?? Number.NaN;
  return Array.from({ length: steps }, (_, step) =>
    Array.from({ length: layers }, (_, layer) => {
      const i = 2 * (step * layers + layer);
      return { attn: at(i), ff: at(i + 1) };
    }),
  );
}

const SIZE = { width: 720, height: 320, margin: 44 } as const;
/** The largest distance of two labels. */
const LABEL = 74;
/** Hues run from blue (the first layer) to red (the last). */
const hue = (layer: number, layers: number): number => 210 - (200 * layer) / Math.max(1, layers - 1);

/**
 * An SVG chart of |tanh(gate)| in each layer over the steps: attention solid, feed-forward dashed. `first` is the number of the first layer.
 * [digits.gates-picture]
 */
export function gatesPicture(history: readonly (readonly Gates[])[], first = 0): string {
  const { width, height, margin } = SIZE;
  const layers = history[0]?.length ?? 0;
  const x = (step: number): number =>
    margin + ((width - 2 * margin) * step) / Math.max(1, history.length - 1);
  const y = (value: number): number => height - margin - (height - 2 * margin) * value;
  const every = Math.max(1, Math.floor(history.length / 200));
  const line = (layer: number, gate: keyof Gates): string => {
    const points = history.flatMap((gates, step) =>
      step % every === 0 || step === history.length - 1
        ? [`${x(step).toFixed(1)},${y(Math.abs(gates[layer]?.[gate] ?? 0)).toFixed(1)}`]
        : [],
    );
    const dashes = gate === "ff" ? ' stroke-dasharray="5 4"' : "";
    return `<polyline fill="none" stroke="hsl(${hue(layer, layers)} 70% 42%)" stroke-width="2"${dashes} points="${points.join(" ")}"/>`;
  };
  const apart = Math.min(LABEL, (width - 2 * margin) / Math.max(1, layers));
  const label = (layer: number): string =>
    `<text x="${margin + 8 + apart * layer}" y="${margin - 12}" fill="hsl(${hue(layer, layers)} 70% 36%)">layer ${first + layer}</text>`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<path d="M${margin} ${y(value)}H${width - margin}" stroke="#ddd"/><text x="8" y="${y(value) + 4}" fill="#666">${value}</text>`,
  );
  const indices = Array.from({ length: layers }, (_, layer) => layer);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<title>|tanh(gate)| of each layer during the Flamingo phase: attention solid, feed-forward dashed</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...grid,
    ...indices.map(label),
    ...indices.flatMap((layer) => [line(layer, "attn"), line(layer, "ff")]), // [digits.gates-picture]
    `<text x="${width - margin}" y="${height - 14}" text-anchor="end" fill="#666">step ${history.length}</text>`,
    "</svg>",
    "",
  ].join("\n");
}
