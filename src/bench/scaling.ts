// The growth of time with the length of the text and with the number of images, as fitted exponents.
import { ParallelTransformerBlock } from "../blocks/parallel-transformer-block.ts";
import { run } from "../kernels/replay.ts";
import { initialize } from "../nn/state-dict.ts";
import { generator } from "../tensor/random.ts";
import { Tensor, view } from "../tensor/tensor.ts";
import { type Example, examples } from "./examples.ts";
import type { BenchOptions } from "./rates.ts";
import { measureTarget, type Target } from "./target.ts";
import { exponentOf, secondsOf } from "./timing.ts";

export interface Scaling {
  readonly backend: string;
  readonly threads: number;
  readonly name: string;
  /** The size that was varied. */
  readonly over: "length" | "images";
  readonly sizes: readonly number[];
  readonly seconds: readonly number[];
  /** time ≈ c · sizeᵉˣᵖᵒⁿᵉⁿᵗ */
  readonly exponent: number;
}

function selfAttention(length: number): Example {
  const model = initialize(new ParallelTransformerBlock({ dim: 1024, dimHead: 64, heads: 8 }), 1);
  const { normal } = generator(2);
  const x = new Tensor(
    [1, length, 1024],
    view(Float32Array.from({ length: length * 1024 }, normal), [1, length, 1024]),
  );
  return { model, forward: () => model.forward(x) };
}

interface Series extends Pick<Scaling, "name" | "over" | "sizes"> {
  readonly quick: readonly number[];
  readonly at: (size: number) => Example;
}

const SERIES: readonly Series[] = [
  {
    name: "gated-cross-attention-block",
    over: "length",
    sizes: [256, 512, 1024, 2048],
    quick: [16, 32],
    at: (length) => examples["gated-cross-attention-block"](length),
  },
  {
    name: "parallel-transformer-block",
    over: "length",
    sizes: [256, 512, 1024, 2048],
    quick: [16, 32],
    at: selfAttention,
  },
  {
    name: "gated-cross-attention-block",
    over: "images",
    sizes: [4, 8, 16, 32],
    quick: [1, 2],
    at: (images) => examples["gated-cross-attention-block"](512, images),
  },
  {
    name: "perceiver-resampler",
    over: "images",
    sizes: [1, 2, 4, 8],
    quick: [1, 2],
    at: (images) => examples["perceiver-resampler"](images),
  },
];

export const scaling = (target: Target, { quick, timing, progress }: BenchOptions): Promise<Scaling[]> =>
  measureTarget(target, async (backend, { backend: backendName, threads }) => {
    const results: Scaling[] = [];
    for (const { name, over, sizes: fullSizes, quick: quickSizes, at } of quick
      ? SERIES.slice(1, 2)
      : SERIES) {
      const sizes = quick ? quickSizes : fullSizes;
      const seconds: number[] = [];
      for (const size of sizes) {
        const { model, forward } = at(size);
        seconds.push(await secondsOf(() => run(backend, forward, { model }), timing));
      }
      const exponent = exponentOf(sizes, seconds);
      results.push({ backend: backendName, threads, name, over, sizes, seconds, exponent });
      progress(`${name} over ${over}, ${backendName}, threads: ${threads}: exponent ${exponent.toFixed(2)}`);
    }
    return results;
  });
