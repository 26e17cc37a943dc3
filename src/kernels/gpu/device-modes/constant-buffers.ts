import { LruCache } from "../lru-cache.ts";
import type { DeviceBuffer, GpuDevice } from "./gpu-device.ts";

const MAX_BUFFERS = 2048;
const MAX_FLOATS = 2 ** 24;
/** Floats along x. Longer buffers continue along y, because devices limit the size of an axis. */
const ROW = 256;
/** The most recently used buffers are never evicted: a kernel in the queue may still read them. */
const MIN_BUFFERS = 64;

/**
 * Data that is uploaded once and reused by later runs: offset tables, by a description of their contents, and masks, by a copy of
 * their bytes. Beyond MAX_BUFFERS or MAX_FLOATS the least recently used buffers are released.
 */
export class ConstantBuffers {
  readonly #device: GpuDevice;
  readonly #entries = new LruCache<
    unknown,
    { readonly buffer: Promise<DeviceBuffer>; readonly length: number }
  >();
  #floats = 0;

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  get(key: unknown, values: () => Float32Array): Promise<DeviceBuffer> {
    const cached = this.#entries.get(key);
    if (cached) return cached.buffer;
    const floats = values();
    const length = ROW * Math.ceil(floats.length / ROW);
    const padded = new Float32Array(length);
    padded.set(floats);
    const buffer = this.#device.upload(padded, [ROW, length / ROW, 1]);
    this.#entries.set(key, { buffer, length });
    this.#floats += length;
    buffer.catch(() => this.#remove(key));
    this.#evict();
    return buffer;
  }

  get size(): number {
    return this.#entries.size;
  }

  #remove(key: unknown): void {
    this.#floats -= this.#entries.get(key)?.length ?? 0;
    this.#entries.delete(key);
  }

  #evict(): void {
    for (const [key, { buffer }] of this.#entries) {
      const fits = this.#entries.size <= MAX_BUFFERS && this.#floats <= MAX_FLOATS;
      if (fits || this.#entries.size <= MIN_BUFFERS) return;
      this.#remove(key);
      buffer.then(
        (uploaded) => this.#device.release(uploaded),
        () => {},
      );
    }
  }
}
