// The gpu.js backend in the modes of a graphics card: what a kernel computes stays there for the next, parameters from run to run.

import { slice } from "../../../tensor/ops/movement.ts";
import { expand } from "../../../tensor/ops/reductions.ts";
import type { Backend, KernelCounts } from "../../backend.ts";
import { binary, unary, where } from "./elementwise.ts";
import type { Card } from "./gpu-device.ts";
import { Workbench } from "./launcher.ts";
import { concat, gather, pad, rearrange } from "./movement.ts";
import { attention, einsum, sum, sumTo } from "./ops.ts";
import { normalize, softmax } from "./rows.ts";

export function onCard(card: Card): Backend & { readonly bench: Workbench } {
  const bench = new Workbench(card);
  const ran: KernelCounts = { matmul: 0, attention: 0 }; // [gpu.count]
  const ops: Backend["ops"] = {
    einsum: async ({ pattern }, a, b) => {
      const c = await einsum(bench, pattern, a, b); // [gpu.einsum]
      ran.matmul++;
      return c;
    },
    softmax: (attrs, a) => softmax(bench, attrs, a),
    sum: (attrs, a) => sum(bench, attrs, a),
    sumTo: (attrs, a) => sumTo(bench, attrs, a),
    where: (attrs, a) => where(bench, attrs, a),
    add: (_, a, b) => binary(bench, "add", a, b),
    sub: (_, a, b) => binary(bench, "sub", a, b),
    mul: (_, a, b) => binary(bench, "mul", a, b),
    div: (_, a, b) => binary(bench, "div", a, b),
    neg: (_, a) => unary(bench, "neg", a),
    exp: (_, a) => unary(bench, "exp", a),
    sqrt: (_, a) => unary(bench, "sqrt", a),
    tanh: (_, a) => unary(bench, "tanh", a),
    sigmoid: (_, a) => unary(bench, "sigmoid", a),
    gelu: (_, a) => unary(bench, "gelu", a),
    geluSlope: (_, a) => unary(bench, "geluSlope", a),
    sin: (_, a) => unary(bench, "sin", a),
    cos: (_, a) => unary(bench, "cos", a),
    scale: ({ by }, a) => unary(bench, "scale", a, by),
    shift: ({ by }, a) => unary(bench, "shift", a, by),
    concat: (attrs, ...views) => concat(bench, attrs, views),
    pad: (attrs, a) => pad(bench, attrs, a),
    gather: (attrs, table) => gather(bench, attrs, table),
    rearrange: (attrs, a) => rearrange(bench, attrs, a),
    repeat: (attrs, a) => rearrange(bench, attrs, a),
    // What the definitions only look at otherwise they do here too, whatever the numbers stand in.  [gpu.views]
    expand: async (attrs, a) => expand.compute(attrs, a),
    slice: async (attrs, a) => slice.compute(attrs, a),
    detach: async (_, a) => a,
    tap: async (_, a) => a,
  };
  return {
    name: "gpu",
    mode: card.mode,
    precision: "float32",
    ops,
    scopes: {
      attention: async (attrs, inputs) => {
        const out = await attention(bench, attrs, inputs);
        ran.attention++;
        return out;
      },
      normalize: ({ epsilon }, { x }) => normalize(bench, epsilon, x),
    },
    store: bench.residents,
    ran,
    close: () => card.destroy(),
    bench,
  };
}
