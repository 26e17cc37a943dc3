// The differences between implementations of Perceiver IO: JOBR0/PerceiverIO_Pytorch at 64947cf (perceiver_io/), DeepMind's deepmind-research
// (perceiver/) and transformers (models/perceiver). Each choice has a rule in spec/models/perceiver-io.
import type { ActivationName } from "../../nn/activations.ts";
import { type Check, oneOf } from "../../nn/options.ts";
import type { AnglePrecision } from "../../nn/positions/angles.ts";
import type { SoftmaxEmptyRow } from "../../tensor/ops/table.ts";

export interface PerceiverProfile {
  /** The activation of the feed-forward networks. */
  readonly activation: ActivationName;
  /** The attention of a token that may attend to nothing: a weighted sum of zero, or equal weights. */
  readonly emptyRow: SoftmaxEmptyRow;
  /** Whether masked outputs attend to nothing, or the mask of the outputs is not used. */
  readonly queryMask: "used" | "ignored";
  /** The padding of the convolutional stem: TensorFlow's SAME, or 3 around the convolution and none around the pooling. */
  readonly stem: "same" | "torch";
  /** The query of the classes: one row for each class, of which the first is used, or that row alone; and its channels. */
  readonly classQuery: { readonly rows: "classes" | 1; readonly channels: 1024 | "latents" };
  /** The arithmetic of Fourier features, in replays of every precision. */
  readonly fourier: AnglePrecision;
}

export const PERCEIVER_PROFILES = {
  "perceiver-io@64947cf": {
    activation: "gelu",
    emptyRow: "zero",
    queryMask: "used",
    stem: "same",
    classQuery: { rows: "classes", channels: 1024 },
    fourier: "float32",
  },
  deepmind: {
    activation: "gelu_pytorch_tanh", // jax.nn.gelu approximates by default
    emptyRow: "zero",
    queryMask: "used",
    stem: "same",
    classQuery: { rows: 1, channels: 1024 },
    fourier: "float32",
  },
  "transformers@5.18.0": {
    activation: "gelu",
    emptyRow: "uniform",
    queryMask: "ignored",
    stem: "torch",
    classQuery: { rows: 1, channels: "latents" },
    fourier: "float32",
  },
} as const satisfies Readonly<Record<string, PerceiverProfile>>;

export type PerceiverProfileName = keyof typeof PERCEIVER_PROFILES;
export const perceiverProfile: Check = oneOf(Object.keys(PERCEIVER_PROFILES));
export const DEFAULT_PROFILE: PerceiverProfileName = "perceiver-io@64947cf";
