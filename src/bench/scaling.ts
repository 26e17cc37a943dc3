// How time grows with the length of the text and with the number of images, as exponents that are fitted.
import { ParallelTransformerBlock } from "../blocks/parallel-transformer-block.ts";
import { run } from "../kernels/replay.ts";
import { initialize } from "../nn/state-dict.ts";
import { generator } from "../tensor/random.ts";
import { Tensor, view } from "../tensor/tensor.ts";
import { type Example, examples } from "./examples.ts";
import type { Target } from "./target.ts";
import { exponentOf, secondsOf, type TimingOptions } from "./timing.ts";

export interface Scaling {
  readonly backend: string;
  readonly threads: number;
  /** What was run, and which size of it grew. */
  readonly name: string;
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

const series: readonly Series[] = [
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

export async function scaling(
  { backend: name, threads, open }: Target,
  { quick, patience }: { readonly quick: boolean; readonly patience: TimingOptions },
  say: (what: string) => void,
): Promise<Scaling[]> {
  const backend = await open();
  const found: Scaling[] = [];
  try {
    for (const { name: what, over, sizes: all, quick: few, at } of quick ? series.slice(1, 2) : series) {
      const sizes = quick ? few : all;
      const seconds: number[] = [];
      for (const size of sizes) {
        const { model, forward } = at(size);
        seconds.push(await secondsOf(() => run(backend, forward, { model }), patience));
      }
      const exponent = exponentOf(sizes, seconds);
      found.push({ backend: name, threads, name: what, over, sizes, seconds, exponent });
      say(`${what} over ${over}, ${name} ${threads} threads: exponent ${exponent.toFixed(2)}`);
    }
  } finally {
    await backend.close();
  }
  return found;
}
