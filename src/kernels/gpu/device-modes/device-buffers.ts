// What stays on the card, as the rest of the house sees it: a view whose array is empty stands for a buffer, with its layout beside
// it, so that transposing, slicing and expanding stay free. A run's buffers are blocks that `replay` frees; parameters stay.

import { Bug } from "../../../tensor/errors.ts";
import { contraction } from "../../../tensor/ops/einsum.ts";
import { axesOf } from "../../../tensor/pattern.ts";
import {
  type Floats,
  flat,
  rowMajor,
  type Shape,
  sizeOf,
  type Tensor,
  type View,
  view,
} from "../../../tensor/tensor.ts";
import type { Store, Usage, Use } from "../../backend.ts";
import { isReleasable } from "../../releasable.ts";
import type { DeviceBuffer, GpuDevice } from "./gpu-device.ts";
import { gridOf } from "./offset-tables.ts";

interface OwnedBuffer {
  readonly buffer: DeviceBuffer;
  /** null: a parameter, which no run frees. */
  readonly block: number | null;
}

interface Kept {
  readonly source: object;
  readonly view: Promise<View>;
}

export class DeviceBuffers implements Store {
  readonly device: GpuDevice;
  readonly buffers = new WeakMap<Floats, OwnedBuffer>();
  /** Buffers of runs that are not over yet. */
  readonly #blocks = new Map<number, View>();
  readonly #parameters = new WeakMap<Tensor, Kept>();
  readonly #forgotten: FinalizationRegistry<DeviceBuffer>;
  #last = 0;

  constructor(device: GpuDevice) {
    this.device = device;
    this.#forgotten = new FinalizationRegistry((buffer) => device.release(buffer));
  }

  /** How many buffers runs have left. */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** A kernel's result, row-major, for the next kernel. */
  result(buffer: DeviceBuffer, shape: Shape): View {
    const block = ++this.#last;
    const made = view(new Float32Array(0), shape);
    this.buffers.set(made.data, { buffer, block });
    this.#blocks.set(block, made);
    return made;
  }

  buffer(v: View): DeviceBuffer {
    const known = this.buffers.get(v.data);
    if (!known) throw new Bug(`[${v.shape.join(" ")}] is not on the device, or no longer`);
    return known.buffer;
  }

  /** The same view of numbers on the card, which are uploaded if they are elsewhere. What is empty stays where it is. */
  async upload(v: View): Promise<View> {
    if (v.size === 0 || this.buffers.has(v.data)) return v;
    return this.result(await this.#copied(v), v.shape);
  }

  async download(v: View): Promise<View> {
    const known = this.buffers.get(v.data);
    if (!known) return v;
    return view(await this.device.download(known.buffer), v.shape, v.stride, v.offset);
  }

  async keep(v: View): Promise<View> {
    const there = await this.download(v);
    return there === v ? v : view(flat(there), v.shape);
  }

  blockOf(data: Floats): number | null {
    return this.buffers.get(data)?.block ?? null;
  }

  free(block: number): void {
    const gone = this.#blocks.get(block);
    if (!gone) return;
    this.device.release(this.buffer(gone));
    this.buffers.delete(gone.data);
    this.#blocks.delete(block);
  }

  async parameter(t: Tensor, uses: readonly Use[]): Promise<View | null> {
    if (!isReleasable(t) || t.size === 0) return null;
    const known = this.#parameters.get(t);
    if (known?.source === t.source) return known.view;
    const { source, shape } = t;
    const order = orderFor(uses) ?? [...shape.keys()];
    const kept = this.#copied(t.data.transpose(...order)).then((buffer) => {
      const steps = rowMajor(order.map((axis) => shape[axis] ?? 1));
      const stride = shape.map((_, axis) => steps[order.indexOf(axis)] ?? 0);
      const made = view(new Float32Array(0), shape, stride);
      this.buffers.set(made.data, { buffer, block: null });
      this.#forgotten.register(t, buffer, made);
      return made;
    });
    this.#parameters.set(t, { source, view: kept });
    kept.catch(() => this.#parameters.delete(t));
    t.release();
    if (known) {
      const old = await known.view;
      this.#forgotten.unregister(old);
      this.device.release(this.buffer(old));
      this.buffers.delete(old.data);
    }
    return kept;
  }

  usage(): Usage {
    const { floats, peak } = this.device;
    return { used: 4 * floats, peak: 4 * peak, reserved: 4 * floats };
  }

  #copied(v: View): Promise<DeviceBuffer> {
    return this.device.upload(Float32Array.from(flat(v)), gridOf(v.shape).size);
  }
}

/** The axes of a parameter so that what neighbouring cells of a product read lies side by side, if all who read it want the same. */
function orderFor(uses: readonly Use[]): number[] | null {
  const orders = uses.map(({ node, place, shapes: [a = [], b = []] }) => {
    if (node.op !== "einsum" || place !== 1) return null;
    const { batch, k, n, ...sides } = contraction((node.attrs as { pattern: string }).pattern, a, b);
    const axes = axesOf(sides.b).flat();
    return [...batch, ...k, ...n].map((name) => axes.indexOf(name));
  });
  const [first] = orders;
  return first && orders.every((order) => `${order}` === `${first}`) ? first : null;
}

/** A result without elements, or of a sum over nothing. */
export const zerosOf = (shape: Shape): View => view(new Float32Array(sizeOf(shape)), shape);
