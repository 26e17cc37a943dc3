// torch 2.13.0: torch.nn. Planes are [b c h w].
import { boolean, number, oneOf, optional, type Read } from "../../../io/fields.ts";
import { activation } from "../../../nn/activations.ts";
import { attention } from "../../../nn/attention/attention.ts";
import { Conv2d } from "../../../nn/conv/conv2d.ts";
import { maxPool2d, type Padding } from "../../../nn/conv/planes.ts";
import { crossEntropy } from "../../../nn/cross-entropy.ts";
import { BatchNorm2d } from "../../../nn/norms/batch-norm.ts";
import { LayerNorm, RMSNorm } from "../../../nn/norms/layer-norm.ts";
import { mulScalar } from "../../../tensor/ops/functions.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { moduleClass, side, size } from "../interface/source.ts";

const flag = optional(boolean, undefined);
const epsilon = optional(number, undefined);
const scale = optional(number, undefined);
const sideOrDefault = optional(side, undefined);
const padding: Read<Padding | undefined> = (value, at) =>
  value === "same" ? value : sideOrDefault(value, at);
const call = ["input"];
const approximate = optional(oneOf("none", "tanh"), "none" as const);
const reduction = optional(oneOf("none", "mean", "sum"), "mean" as const);

/** A function of each element, which has no parameters. */
const elementwise = (f: (x: Tensor) => Tensor) =>
  moduleClass({
    options: {},
    call,
    build: () => ({}),
    forward: (_, args) => f(args.any("input")),
  });

export const torchNN = {
  LayerNorm: moduleClass({
    options: { normalized_shape: size, eps: epsilon, bias: flag },
    call,
    build: ({ normalizedShape, eps, bias = true }) =>
      new LayerNorm(normalizedShape, { bias, ...(eps === undefined ? {} : { epsilon: eps }) }),
    forward: (model, args) => model.forward(args.any("input")),
  }),
  RMSNorm: moduleClass({
    // Without eps, torch takes a number that depends on the precision.
    options: { normalized_shape: size, eps: number },
    call: ["x"],
    build: ({ normalizedShape, eps }) => new RMSNorm(normalizedShape, { epsilon: eps }),
    forward: (model, args) => model.forward(args.any("x")),
  }),
  scaled_dot_product_attention: moduleClass({
    options: { scale },
    call: ["query", "key", "value", "attn_mask"],
    build: ({ scale }) => ({ scale }),
    forward: ({ scale }, args) => {
      const q = args.tensor("query", "b h l k");
      const bias = args.has("attn_mask") ? args.any("attn_mask") : null;
      return attention(
        {},
        mulScalar(q, scale ?? (q.shape[3] ?? 1) ** -0.5),
        args.tensor("key", "b h s k"),
        args.tensor("value", "b h s e"),
        { mayAttend: null, emptyRow: "nan", bias },
      );
    },
  }),
  Conv2d: moduleClass({
    options: {
      in_channels: size,
      out_channels: size,
      kernel_size: side,
      stride: sideOrDefault,
      padding,
      bias: flag,
    },
    call,
    build: ({ inChannels, outChannels, kernelSize, stride = 1, padding = 0, bias = true }) =>
      new Conv2d(inChannels, outChannels, { kernelSize, stride, padding, bias }),
    forward: (model, args) => model.forward(args.tensor("input", "b c h w")),
  }),
  MaxPool2d: moduleClass({
    options: { kernel_size: side, stride: sideOrDefault, padding: sideOrDefault },
    call,
    build: ({ kernelSize, stride = kernelSize, padding = 0 }) => ({ size: kernelSize, stride, padding }),
    forward: (options, args) => maxPool2d(args.tensor("input", "b c h w"), options),
  }),
  BatchNorm2d: moduleClass({
    options: { num_features: size, eps: epsilon },
    call,
    build: ({ numFeatures, eps }) => new BatchNorm2d(numFeatures, eps === undefined ? {} : { epsilon: eps }),
    forward: (model, args) => model.forward(args.tensor("input", "b c h w")),
  }),
  GELU: moduleClass({
    options: { approximate },
    call,
    build: ({ approximate }) => ({ approximate }),
    forward: ({ approximate }, args) =>
      activation(approximate === "tanh" ? "gelu_pytorch_tanh" : "gelu")(args.any("input")),
  }),
  SiLU: elementwise(activation("silu")),
  ReLU: elementwise(activation("relu")),
  CrossEntropyLoss: moduleClass({
    options: { reduction },
    call: ["input", "target"],
    build: ({ reduction }) => ({ reduction }),
    forward: ({ reduction }, args) => {
      const loss = crossEntropy(args.tensor("input", "b n"), args.int("target", "b"));
      return reduction === "none" ? loss.perToken : loss[reduction];
    },
  }),
};
