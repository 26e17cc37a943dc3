// What does not change from run to run is uploaded once: places, by what they say, and masks, by a copy of their bytes. Those
// asked for longest ago leave when there are too many.
import type { DeviceBuffer, GpuDevice } from "./gpu-device.ts";
import { LruCache } from "./lru-cache.ts";

const MOST_BUFFERS = 2048;
const MOST_FLOATS = 2 ** 24;
/** Floats along x: no device counts very far along one axis. */
const ROW = 256;
/** A kernel that waits for its turn may hold this many. */
const IN_USE = 64;

export class Constants {
  readonly #device: GpuDevice;
  readonly #kept = new LruCache<
    unknown,
    { readonly buffer: Promise<DeviceBuffer>; readonly length: number }
  >();
  #floats = 0;

  constructor(device: GpuDevice) {
    this.#device = device;
  }

  get(key: unknown, values: () => Float32Array): Promise<DeviceBuffer> {
    const known = this.#kept.get(key);
    if (known) return known.buffer;
    const floats = values();
    const length = ROW * Math.ceil(floats.length / ROW);
    const padded = new Float32Array(length);
    padded.set(floats);
    const buffer = this.#device.upload(padded, [ROW, length / ROW, 1]);
    this.#kept.set(key, { buffer, length });
    this.#floats += length;
    buffer.catch(() => this.#forget(key));
    this.#shrink();
    return buffer;
  }

  get size(): number {
    return this.#kept.size;
  }

  #forget(key: unknown): void {
    this.#floats -= this.#kept.get(key)?.length ?? 0;
    this.#kept.delete(key);
  }

  #shrink(): void {
    for (const [key, { buffer }] of this.#kept) {
      const few = this.#kept.size <= MOST_BUFFERS && this.#floats <= MOST_FLOATS;
      if (few || this.#kept.size <= IN_USE) return;
      this.#forget(key);
      buffer.then(
        (made) => this.#device.release(made),
        () => {},
      );
    }
  }
}
