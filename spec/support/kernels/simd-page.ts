// A product and an attention scope on the SIMD engine, in Node or in a page; the tests expect the same bits from both.

import { Engine, type EngineOptions } from "../../../src/kernels/simd/engine.ts";
import { simd } from "../../../src/kernels/simd/index.ts";
import { attention } from "../../../src/kernels/simd/ops/attention.ts";
import { einsum } from "../../../src/kernels/simd/ops/product.ts";
import { Weights } from "../../../src/kernels/simd/weights.ts";
import { flat, type Shape, sizeOf, type View, view } from "../../../src/tensor/tensor.ts";

export interface Computed {
  /** The mode and the number of threads that the backend reports. */
  readonly mode: string | null;
  readonly threads: number;
  readonly isolated: boolean;
  readonly product: number[];
  readonly attended: number[];
  /** Rounds in which worker threads took part in both computations. */
  readonly sharedRounds: number;
  /** Whether all rounds gave the same bits. */
  readonly identical: boolean;
}

/** float32 numbers from −1 to 1, determined by the seed. */
function numbers(shape: Shape, seed: number): View {
  let state = (seed * 7919) | 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  };
  return view(Float32Array.from({ length: sizeOf(shape) }, next), shape);
}

/** Bit patterns, in which −0 differs from 0. */
const bitsOf = (v: View): number[] => [...new Int32Array(Float32Array.from(flat(v)).buffer)];

const [L, S, D, HEADS] = [210, 300, 32, 4];
const [SHARED_ROUNDS, MAX_ROUNDS] = [10, 200];

/** Repeats both computations until worker threads, if there are any, have taken part several times. */
export async function computed(options: EngineOptions = {}): Promise<Computed> {
  const backend = await simd(options);
  const { mode, threads: size } = backend;
  await backend.close();
  const engine = await Engine.open(options);
  const { threads, heap } = engine;
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
  const takeBits = (v: View): number[] => {
    const bits = bitsOf(v);
    heap.free(v.data.byteOffset);
    return bits;
  };
  const round = () => {
    const before = threads.workerTasks;
    const product = takeBits(einsum(engine, "m k, k n -> m n", a, b, weights));
    const between = threads.workerTasks;
    const attended = takeBits(attention(engine, inputs, attrs));
    return { product, attended, shared: between > before && threads.workerTasks > between };
  };
  try {
    const { product, attended } = round();
    let [sharedRounds, identical] = [0, true];
    for (let i = 0; threads.size > 1 && sharedRounds < SHARED_ROUNDS && i < MAX_ROUNDS; i++) {
      await new Promise((resume) => setTimeout(resume, 2)); // a page starts its threads between two tasks
      const next = round();
      sharedRounds += Number(next.shared);
      identical &&= `${next.product} ${next.attended}` === `${product} ${attended}`;
    }
    return {
      mode,
      threads: size,
      isolated: globalThis.crossOriginIsolated ?? false,
      product,
      attended,
      sharedRounds,
      identical,
    };
  } finally {
    await threads.close();
  }
}
