// The gpu.js backend: every einsum and every attention scope, in single precision, in the mode that was asked for.
import { cores } from "#host";
import { contraction } from "../../tensor/ops/einsum.ts";
import { axesOf, type Sizes } from "../../tensor/pattern.ts";
import { offsets, type View, view } from "../../tensor/tensor.ts";
import type { AttentionAttrs } from "../attention-attrs.ts";
import type { Backend, KernelCounts } from "../backend.ts";
import { type GpuMode, openDevice } from "./host-modes/device.ts";
import { onDevice } from "./device-modes/backend.ts";
import { GpuDevice, isDeviceMode } from "./device-modes/gpu-device.ts";
import { attention } from "./host-modes/attention.ts";
import { matmul } from "./host-modes/matmul.ts";
import type { Matrices } from "./host-modes/matrices.ts";
import { reordered } from "../reordered.ts";

export type { GpuMode } from "./host-modes/device.ts";

export async function gpu({ mode = "webasm" }: { readonly mode?: GpuMode } = {}): Promise<Backend> {
  if (isDeviceMode(mode)) return onDevice(await GpuDevice.open(mode));
  const device = await openDevice(mode);
  const ran: KernelCounts = { matmul: 0, attention: 0 };

  async function einsum({ pattern }: { readonly pattern: string }, a: View, b: View): Promise<View> {
    const { sizes, batch, m, n, k, ...sides } = contraction(pattern, a.shape, b.shape);
    const left = matrices(a, axesOf(sides.a).flat(), [batch, m, k], sizes);
    const right = matrices(b, axesOf(sides.b).flat(), [batch, k, n], sizes);
    const c = await matmul(device, left, right);
    ran.matmul++;
    return reordered(c, [...batch, ...m, ...n], sides.c, sizes);
  }

  async function attentionScope(
    attrs: AttentionAttrs,
    { q, k, v }: { readonly q: View; readonly k: View; readonly v: View },
  ): Promise<View> {
    const out = await attention(device, { q: lastTwo(q), k: lastTwo(k), v: lastTwo(v) }, attrs);
    ran.attention++;
    return view(out, [...q.shape.slice(0, -1), v.shape.at(-1) ?? 0]);
  }

  return {
    name: "gpu",
    mode,
    threads: mode === "webasm" ? cores() : 1, // gpu.js starts a thread for each core in this mode
    precision: "float32",
    ops: { einsum },
    scopes: { attention: attentionScope },
    ran,
    close: () => device.destroy(),
  };
}

type Names = readonly string[];

/** A view whose axes have these names, as a batch of matrices with axes joined: nothing is copied. */
function matrices(
  v: View,
  axes: Names,
  [batch, rows, columns]: readonly [Names, Names, Names],
  sizes: Sizes,
): Matrices {
  const locate = (names: Names, base: number): Int32Array =>
    offsets(
      names.map((name) => sizes[name] ?? 1),
      names.map((name) => v.stride[axes.indexOf(name)] ?? 0),
      base,
    );
  return {
    data: v.data,
    starts: locate(batch, v.offset),
    rows: locate(rows, 0),
    columns: locate(columns, 0),
  };
}

/** The matrices of the last two axes. */
function lastTwo({ data, shape, stride, offset }: View): Matrices {
  const axis = (i: number): Int32Array => offsets(shape.slice(i).slice(0, 1), stride.slice(i).slice(0, 1));
  return {
    data,
    starts: offsets(shape.slice(0, -2), stride.slice(0, -2), offset),
    rows: axis(-2),
    columns: axis(-1),
  };
}
