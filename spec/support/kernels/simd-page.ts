// The SIMD engine at work on one product and one attention scope, in Node or in a page: the same bits are expected of both.

import { Engine, type EngineOptions } from "../../../src/kernels/simd/engine.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { attention } from "../../../src/kernels/simd/ops/attention.ts";
import { einsum } from "../../../src/kernels/simd/ops/product.ts";
import { Weights } from "../../../src/kernels/simd/weights.ts";
import { flat, type Shape, sizeOf, type View, view } from "../../../src/tensor/tensor.ts";

export interface Computed {
  /** What the backend says of itself. */
  readonly mode: string | null;
  readonly isolated: boolean;
  readonly product: number[];
  readonly attended: number[];
  /** Rounds in which other threads took part in both. */
  readonly helped: number;
  /** Did every round give the same bits? */
  readonly steady: boolean;
}

/** float32 numbers from −1 to 1, the same for the same seed. */
function numbers(shape: Shape, seed: number): View {
  let state = (seed * 7919) | 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
  return view(Float32Array.from({ length: sizeOf(shape) }, next), shape);
}

/** Bit patterns, which tell −0 from 0. */
const bitsOf = (v: View): number[] => [...new Int32Array(Float32Array.from(flat(v)).buffer)];

const [L, S, D, HEADS] = [210, 300, 32, 4];
const [HELPED, MOST_ROUNDS] = [10, 200];

/** Computes both again and again until other threads have helped several times, if there are any. */
export async function computed(options: EngineOptions = {}): Promise<Computed> {
  const backend = await simd(options);
  const { mode } = backend;
  await backend.close();
  const engine = await Engine.open(options);
  const { crew, heap } = engine;
  const weights = new Weights(engine);
  const [a, b] = [numbers([300, 700], 1), numbers([700, 210], 2)];
  const inputs = {
    q: numbers([HEADS, L, D], 3),
    k: numbers([HEADS, S, D], 4),
    v: numbers([HEADS, S, D], 5),
  };
  const causal = Uint8Array.from({ length: L * S }, (_, i) => Number(i % S <= 2 * Math.floor(i / S)));
  const mayAttend = { data: causal, shape: [HEADS, L, S], stride: [0, S, 1], offset: 0 };
  const attrs = { mayAttend, emptyRow: "zero", postSoftmaxMask: null } as const;
  const told = (v: View): number[] => {
    const bits = bitsOf(v);
    heap.free(v.data.byteOffset);
    return bits;
  };
  const round = () => {
    const before = crew.helped;
    const product = told(einsum(engine, "m k, k n -> m n", a, b, weights));
    const between = crew.helped;
    const attended = told(attention(engine, inputs, attrs));
    return { product, attended, together: between > before && crew.helped > between };
  };
  try {
    const { product, attended } = round();
    let [helped, steady] = [0, true];
    for (let again = 0; crew.size > 1 && helped < HELPED && again < MOST_ROUNDS; again++) {
      await new Promise((resume) => setTimeout(resume, 2)); // a page starts its threads between two tasks
      const next = round();
      helped += Number(next.together);
      steady &&= `${next.product} ${next.attended}` === `${product} ${attended}`;
    }
    return { mode, isolated: globalThis.crossOriginIsolated ?? false, product, attended, helped, steady };
  } finally {
    await crew.close();
  }
}
