// The memory of a graphics card as a Store. Its buffers cannot be read as arrays, so a view on the device has an empty array that
// identifies the buffer; shape, strides and offset are an ordinary view's, and transposing, slicing and expanding stay free.

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
  viewOf,
} from "../../../tensor/tensor.ts";
import type { Store, Usage, Use } from "../../backend.ts";
import { transposed } from "../../reordered.ts";
import { isReleasable } from "../../stored-parameters.ts";
import type { DeviceBuffer, GpuDevice } from "./gpu-device.ts";
import { gridOf } from "./offset-tables.ts";

interface OwnedBuffer {
  readonly buffer: DeviceBuffer;
  /** null for a parameter, which is not freed at the end of a run. */
  readonly block: number | null;
}

interface StoredParameter {
  readonly source: object;
  readonly view: Promise<View>;
}

/** A view that stands for values on the device. Its own buffer, which identifies it, is empty. */
const viewElsewhere = (shape: Shape, stride?: readonly number[]): View =>
  viewOf(new Float32Array(0), shape, stride);

export class DeviceBuffers implements Store {
  readonly device: GpuDevice;
  readonly #owned = new WeakMap<Floats, OwnedBuffer>();
  /** Results of runs that have not freed them yet. */
  readonly #blocks = new Map<number, View>();
  readonly #parameters = new WeakMap<Tensor, StoredParameter>();
  /** Releases the buffer of a parameter that has been garbage-collected. */
  readonly #collected: FinalizationRegistry<DeviceBuffer>;
  #lastBlock = 0;

  constructor(device: GpuDevice) {
    this.device = device;
    this.#collected = new FinalizationRegistry((buffer) => device.release(buffer));
  }

  /** The number of results that have not been freed. */
  get blocks(): number {
    return this.#blocks.size;
  }

  /** Registers a kernel's result as a row-major view. */
  result(buffer: DeviceBuffer, shape: Shape): View {
    const block = ++this.#lastBlock;
    const made = viewElsewhere(shape);
    this.#owned.set(made.data, { buffer, block });
    this.#blocks.set(block, made);
    return made;
  }

  buffer(v: View): DeviceBuffer {
    const owned = this.#owned.get(v.data);
    if (!owned) throw new Bug(`[${v.shape.join(" ")}] is not on the device, or was freed`);
    return owned.buffer;
  }

  /** The view on the device: uploaded if it is not there yet. Views without elements are never uploaded. */
  async upload(v: View): Promise<View> {
    if (sizeOf(v.shape) === 0 || this.#owned.has(v.data)) return v;
    return this.result(await this.#uploadCopy(v), v.shape);
  }

  async download(v: View): Promise<View> {
    const owned = this.#owned.get(v.data);
    if (!owned) return v;
    return view(await this.device.download(owned.buffer), v.shape, v.stride, v.offset);
  }

  async copyOut(v: View): Promise<View> {
    const downloaded = await this.download(v);
    return downloaded === v ? v : view(flat(downloaded), v.shape);
  }

  /** A parameter, and numbers of the host, are copied. */
  async keep(v: View): Promise<View> {
    if (sizeOf(v.shape) === 0 || this.blockOf(v.data) !== null) return v;
    return this.upload(await this.copyOut(v));
  }

  blockOf(data: Floats): number | null {
    return this.#owned.get(data)?.block ?? null;
  }

  free(block: number): void {
    const v = this.#blocks.get(block);
    if (!v) return;
    this.device.release(this.buffer(v));
    this.#owned.delete(v.data);
    this.#blocks.delete(block);
  }

  async parameter(t: Tensor, uses: readonly Use[]): Promise<View | null> {
    if (!isReleasable(t) || t.size === 0) return null;
    const stored = this.#parameters.get(t);
    if (stored?.source === t.source) return stored.view;
    const { source, shape } = t;
    const order = axisOrder(uses) ?? [...shape.keys()];
    const uploaded = this.#uploadCopy(transposed(t.data, order)).then((buffer) => {
      const steps = rowMajor(order.map((axis) => shape[axis] ?? 1));
      const stride = shape.map((_, axis) => steps[order.indexOf(axis)] ?? 0);
      const made = viewElsewhere(shape, stride);
      this.#owned.set(made.data, { buffer, block: null });
      this.#collected.register(t, buffer, made);
      return made;
    });
    this.#parameters.set(t, { source, view: uploaded });
    uploaded.catch(() => this.#parameters.delete(t));
    t.release();
    if (stored) await this.#releaseParameter(stored);
    return uploaded;
  }

  async #releaseParameter(stored: StoredParameter): Promise<void> {
    const v = await stored.view;
    this.#collected.unregister(v);
    this.device.release(this.buffer(v));
    this.#owned.delete(v.data);
  }

  usage(): Usage {
    const { floats, peak } = this.device;
    return { used: 4 * floats, peak: 4 * peak, reserved: 4 * floats };
  }

  #uploadCopy(v: View): Promise<DeviceBuffer> {
    return this.device.upload(Float32Array.from(flat(v)), gridOf(v.shape).size);
  }
}

/** The order of a parameter's axes in which adjacent cells of a product read adjacent elements, if all its uses agree on one. */
function axisOrder(uses: readonly Use[]): number[] | null {
  const orders = uses.map(({ node, operand, shapes: [a = [], b = []] }) => {
    if (node.op !== "einsum" || operand !== 1) return null;
    const { batch, k, n, ...sides } = contraction((node.attrs as { pattern: string }).pattern, a, b);
    const axes = axesOf(sides.b).flat();
    return [...batch, ...k, ...n].map((name) => axes.indexOf(name));
  });
  const [first] = orders;
  return first && orders.every((order) => `${order}` === `${first}`) ? first : null;
}

/** A result without elements, or a sum over no terms: zeros on the host. */
export const zerosOf = (shape: Shape): View => view(new Float32Array(sizeOf(shape)), shape);
