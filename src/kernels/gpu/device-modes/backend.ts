// The gpu.js backend in the modes of a graphics card: intermediate results stay on the device, and parameters stay between runs.

import { slice } from "../../../tensor/ops/movement.ts";
import { expand } from "../../../tensor/ops/reductions.ts";
import { windows } from "../../../tensor/ops/windows.ts";
import { ATTENTION_INPUTS, type Backend, type KernelCounts } from "../../backend.ts";
import type { GpuDevice } from "./gpu-device.ts";
import { Launcher } from "./launcher.ts";
import { binary, unary, where } from "./ops/elementwise.ts";
import { concat, gather, pad, pick, place, rearrange } from "./ops/movement.ts";
import { attention, einsum } from "./ops/products.ts";
import { normalize, softmax, sumExp } from "./ops/rows.ts";
import { maxTo, sum, unbroadcast } from "./ops/sums.ts";

const elementwiseOps = (launcher: Launcher): Backend["ops"] => ({
  where: (attrs, a) => where(launcher, attrs, a),
  add: (_, a, b) => binary(launcher, "add", a, b),
  sub: (_, a, b) => binary(launcher, "sub", a, b),
  mul: (_, a, b) => binary(launcher, "mul", a, b),
  div: (_, a, b) => binary(launcher, "div", a, b),
  neg: (_, a) => unary(launcher, "neg", a),
  exp: (_, a) => unary(launcher, "exp", a),
  sqrt: (_, a) => unary(launcher, "sqrt", a),
  tanh: (_, a) => unary(launcher, "tanh", a),
  sigmoid: (_, a) => unary(launcher, "sigmoid", a),
  gelu: (_, a) => unary(launcher, "gelu", a),
  geluGrad: (_, a) => unary(launcher, "geluGrad", a),
  sin: (_, a) => unary(launcher, "sin", a),
  cos: (_, a) => unary(launcher, "cos", a),
  relu: (_, a) => unary(launcher, "relu", a),
  positive: (_, a) => unary(launcher, "positive", a),
  log: (_, a) => unary(launcher, "log", a),
  mulScalar: ({ by }, a) => unary(launcher, "mulScalar", a, by),
  addScalar: ({ by }, a) => unary(launcher, "addScalar", a, by),
});

export function deviceBackend(device: GpuDevice): Backend & { readonly launcher: Launcher } {
  const launcher = new Launcher(device);
  const ran: KernelCounts = { matmul: 0, attention: 0 };
  const ops: Backend["ops"] = {
    ...elementwiseOps(launcher),
    einsum: async ({ pattern }, a, b) => {
      const c = await einsum(launcher, pattern, a, b);
      ran.matmul++;
      return c;
    },
    softmax: (attrs, a) => softmax(launcher, attrs, a),
    sum: (attrs, a) => sum(launcher, attrs, a),
    unbroadcast: (attrs, a) => unbroadcast(launcher, attrs, a),
    maxTo: (attrs, a) => maxTo(launcher, attrs, a),
    sumExp: (_, a, shift) => sumExp(launcher, a, shift),
    pick: (attrs, a) => pick(launcher, attrs, a),
    place: (attrs, a) => place(launcher, attrs, a),
    concat: (attrs, ...views) => concat(launcher, attrs, views),
    pad: (attrs, a) => pad(launcher, attrs, a),
    gather: (attrs, table) => gather(launcher, attrs, table),
    rearrange: (attrs, a) => rearrange(launcher, attrs, a),
    repeat: (attrs, a) => rearrange(launcher, attrs, a),
    // The definitions of these only change shape and strides, which works for numbers on the device too.
    expand: async (attrs, a) => expand.compute(attrs, a),
    slice: async (attrs, a) => slice.compute(attrs, a),
    windows: async (attrs, a) => windows.compute(attrs, a),
    detach: async (_, a) => a,
    tap: async (_, a) => a,
  };
  return {
    name: "gpu",
    mode: device.mode,
    threads: 1,
    precision: "float32",
    ops,
    scopes: {
      attention: {
        takes: ATTENTION_INPUTS,
        run: async (attrs, inputs) => {
          const out = await attention(launcher, attrs, inputs);
          ran.attention++;
          return out;
        },
      },
      normalize: { takes: [["x"]], run: (attrs, { x }) => normalize(launcher, attrs, x) },
    },
    store: launcher.buffers,
    ran,
    close: () => device.destroy(),
    launcher,
  };
}
