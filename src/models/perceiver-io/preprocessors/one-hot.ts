// A vector as one token of Perceiver IO (OneHotPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py).
import { checked, count } from "../../../nn/options.ts";
import { rearrange } from "../../../tensor/ops/arrange.ts";
import { named, shapes } from "../../../tensor/pattern.ts";
import type { Int, Tensor } from "../../../tensor/tensor.ts";
import { checkChannels, type Preprocessed, type Preprocessor, tensorInput } from "./preprocessor.ts";

/**
 * A one-hot vector of each element of the batch, b c, as its only token; there are no positions.
 * Source: OneHotPreprocessor of JOBR0/PerceiverIO_Pytorch, io_processors/preprocessors.py.
 */
export class OneHotPreprocessor implements Preprocessor {
  readonly options: { readonly inputChannels: number };

  constructor(options: { readonly inputChannels: number }) {
    this.options = checked("OneHotPreprocessor", options, { inputChannels: count });
  }

  get outputChannels(): number {
    return this.options.inputChannels;
  }

  /** Shapes: inputs `b c` → out `b n c`, with n = 1. */
  forward(inputs: Tensor | Int): Preprocessed {
    const x = tensorInput("OneHotPreprocessor", inputs);
    shapes("OneHotPreprocessor", { inputs: [x, "b c"] });
    checkChannels("OneHotPreprocessor", x.shape[1] ?? 0, this.options.inputChannels);
    const out = rearrange("b c -> b 1 c", named("b c", x)); // [perceiverio.one-hot]
    return { out: named("b n c", out), withoutPos: named("b n e", out) };
  }
}
