// One step of AdamW in float32, with the order of operations of bitsandbytes 0.50.2 on a CPU: the operators are PyTorch's, whose sums of
// a number and a product are fused multiply-adds.
import type { Quantizer } from "./blocks.ts";
import { fma } from "./float32.ts";
import type { Narrow, Wide } from "./state.ts";

/** The numbers of one step. */
export interface Factors {
  readonly betas: readonly [number, number];
  readonly rate: number;
  readonly weightDecay: number;
  readonly epsilon: number;
  /** The number of this step, from 1. */
  readonly t: number;
}

/** The map and the quantiser of each mean. */
export interface Codec {
  readonly map: Float32Array;
  readonly quantize: Quantizer;
}

/** Elements of a tensor. */
interface Span {
  readonly from: number;
  readonly length: number;
}

type Means = readonly [m: Float32Array, v: Float32Array];

const corrections = ({ betas: [beta1, beta2], t }: Factors): [number, number] => [
  1 - beta1 ** t,
  Math.sqrt(1 - beta2 ** t),
];

const keepOf = ({ rate, weightDecay }: Factors): number => Math.fround(1 - rate * weightDecay);

/** Updates the means of some elements of g. [adamw8bit.order] */
function updateMeans([m, v]: Means, g: Float32Array, { from, length }: Span, { betas }: Factors): void {
  const [decay1 = 0, decay2 = 0] = betas.map(Math.fround);
  const [rest1 = 0, rest2 = 0] = betas.map((beta) => Math.fround(1 - beta));
  for (let i = 0; i < length; i++) {
    const gi = g[from + i] ?? 0;
    m[i] = fma(rest1, gi, Math.fround((m[i] ?? 0) * decay1));
    v[i] = fma(Math.fround(rest2 * gi), gi, Math.fround((v[i] ?? 0) * decay2));
  }
}

/** With 32-bit state the correction of the second mean is in the length of the step and in ε. [adamw8bit.wide] */
export function stepWide(p: Float32Array, g: Float32Array, state: Wide, factors: Factors): void {
  const { state1, state2 } = state;
  updateMeans([state1, state2], g, { from: 0, length: p.length }, factors);
  const [correction1, correction2] = corrections(factors);
  const keep = keepOf(factors);
  const epsilon = Math.fround(factors.epsilon * correction2);
  const stride = Math.fround((-factors.rate * correction2) / correction1);
  for (let i = 0; i < p.length; i++) {
    const denominator = Math.fround(Math.fround(Math.sqrt(state2[i] ?? 0)) + epsilon);
    const update = Math.fround((state1[i] ?? 0) / denominator);
    p[i] = fma(stride, update, Math.fround((p[i] ?? 0) * keep));
  }
}

/** Updates some elements of p from their means. [adamw8bit.order] */
function stepSpan(p: Float32Array, [m, v]: Means, { from, length }: Span, factors: Factors): void {
  const [correction1, correction2] = corrections(factors);
  const keep = keepOf(factors);
  const [divisor, epsilon] = [Math.fround(correction2), Math.fround(factors.epsilon)];
  const stride = Math.fround(-factors.rate / correction1);
  for (let i = 0; i < length; i++) {
    const root = Math.fround(Math.fround(Math.sqrt(v[i] ?? 0)) / divisor);
    const update = Math.fround(Math.fround(stride * (m[i] ?? 0)) / Math.fround(root + epsilon));
    p[from + i] = Math.fround(Math.fround((p[from + i] ?? 0) * keep) + update);
  }
}

function dequantize(
  map: Float32Array,
  codes: Uint8Array,
  scale: number,
  { from, length }: Span,
  into: Float32Array,
): void {
  for (let i = 0; i < length; i++) into[i] = Math.fround((map[codes[from + i] ?? 0] ?? 0) * scale);
}

/** Each block of means is dequantised, updated, used and quantised again. [adamw8bit.step] */
export function stepNarrow(
  p: Float32Array,
  g: Float32Array,
  { state1, absmax1, state2, absmax2 }: Narrow,
  [first, second]: readonly [Codec, Codec],
  blockSize: number,
  factors: Factors,
): void {
  const [m, v] = [new Float32Array(blockSize), new Float32Array(blockSize)];
  for (let from = 0, block = 0; from < p.length; from += blockSize, block++) {
    const length = Math.min(blockSize, p.length - from);
    const span = { from, length };
    dequantize(first.map, state1, absmax1[block] ?? 0, span, m);
    dequantize(second.map, state2, absmax2[block] ?? 0, span, v);
    updateMeans([m, v], g, span, factors);
    stepSpan(p, [m, v], span, factors);
    const partial = length < blockSize;
    absmax1[block] = first.quantize({ values: m, length, codes: state1, at: from, partial });
    absmax2[block] = second.quantize({ values: v, length, codes: state2, at: from, partial });
  }
}
