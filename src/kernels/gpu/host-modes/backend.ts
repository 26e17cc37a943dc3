// The gpu.js backend in the modes that run on the processor: kernels for einsum and for the attention scope.
import { cores } from "#host";
import { contraction, matricesOf } from "../../../tensor/ops/einsum.ts";
import type { Matrices } from "../../../tensor/ops/matmul.ts";
import { expand } from "../../../tensor/ops/reductions.ts";
import { axesOf } from "../../../tensor/pattern.ts";
import { offsets, type View, view } from "../../../tensor/tensor.ts";
import {
  ATTENTION_INPUTS,
  type AttentionAttrs,
  type AttentionInputs,
  type Backend,
  type KernelCounts,
} from "../../backend.ts";
import { reordered } from "../../reordered.ts";
import { attention } from "./attention.ts";
import type { HostDevice } from "./host-device.ts";
import { matmul } from "./matmul.ts";

export function hostBackend(device: HostDevice): Backend {
  const ran: KernelCounts = { matmul: 0, attention: 0 };

  async function einsum({ pattern }: { readonly pattern: string }, a: View, b: View): Promise<View> {
    const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
    const left = matricesOf(a, sides.a, sizes, batch, m, k);
    const right = matricesOf(b, sides.b, sizes, batch, k, n);
    const c = await matmul(device, left, right);
    ran.matmul++;
    return reordered(c, [...batch, ...m, ...n], axesOf(sides.c).flat(), sizes);
  }

  async function attentionScope(attrs: AttentionAttrs, { q, k, v, bias }: AttentionInputs): Promise<View> {
    const matrices = { q: lastTwoAxes(q), k: lastTwoAxes(k), v: lastTwoAxes(v) };
    const scores = [...q.shape.slice(0, -1), k.shape.at(-2) ?? 0];
    if (bias) expand.shape({ shape: scores }, bias.shape);
    const inputs = bias ? { ...matrices, bias: expand.compute({ shape: scores }, bias) } : matrices;
    const out = await attention(device, inputs, attrs);
    ran.attention++;
    return view(out, [...q.shape.slice(0, -1), v.shape.at(-1) ?? 0]);
  }

  return {
    name: "gpu",
    mode: device.mode,
    threads: device.mode === "webasm" ? cores() : 1, // gpu.js starts a thread for each core in this mode
    precision: "float32",
    ops: { einsum },
    scopes: {
      attention: {
        takes: ATTENTION_INPUTS,
        run: attentionScope,
      },
    },
    ran,
    close: () => device.destroy(),
  };
}

function lastTwoAxes({ data, shape, stride, offset }: View): Matrices {
  const axis = (i: number): Int32Array => offsets(shape.slice(i).slice(0, 1), stride.slice(i).slice(0, 1));
  return {
    data,
    starts: offsets(shape.slice(0, -2), stride.slice(0, -2), offset),
    rows: axis(-2),
    columns: axis(-1),
  };
}
