// gpu.js in the modes of a graphics card (webgl2, webgpu, headlessgl): results stay on the device, where later kernels read them.
import { Bug, LoadError } from "../../../tensor/errors.ts";
import { assertMode, type CompiledKernel, failure, type Library, loadLibrary, openGpu } from "../gpu-js.ts";
import { type CachedKernel, KernelCache } from "../kernel-cache.ts";
import { copied } from "./kernels/elementwise.ts";
import { FUNCTIONS } from "./kernels/functions.ts";

const MODES = ["webgl2", "webgpu", "headlessgl"] as const;
export type DeviceMode = (typeof MODES)[number];
export const isDeviceMode = (mode: string): mode is DeviceMode => MODES.some((device) => device === mode);

/** A flat array of floats on the device. gpu.js represents it by a texture or a buffer, depending on the mode. */
export interface DeviceBuffer {
  readonly length: number;
  readonly handle: Handle;
  readonly producer: CachedKernel;
}
/** Cells along x (contiguous), y and z. */
export type Size = readonly [x: number, y: number, z: number];

/** A result of gpu.js. WebGPU reads a[i][j][k] by the sizes in `output`, WebGL by those in `dimensions`. */
interface Handle {
  output: readonly number[];
  dimensions?: readonly number[];
  toArray(): unknown;
  delete(): void;
}

export type DeviceKernel = (this: never, ...inputs: never[]) => number;
export type Numbers = Readonly<Record<string, number>>;
type Rows = readonly (readonly Float32Array[])[];

/** Kernels that are kept: their names have ops and strides, but no lengths. */
const MOST_KERNELS = 256;
/** The largest number of iterations of a loop whose bound is not a constant. gpu.js stops such a loop silently, by default after 1,000. */
const MOST_ITERATIONS = 2 ** 24;

export class GpuDevice {
  readonly mode: DeviceMode;
  /** Buffers that have not been released, their total size in floats, and the highest total so far. */
  live = 0;
  floats = 0;
  peak = 0;
  /** The number of transfers so far. */
  uploads = 0;
  downloads = 0;
  readonly #library: Library;
  readonly #gpu: ReturnType<typeof openGpu>;
  readonly #kernels = new KernelCache(MOST_KERNELS);
  #queue: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(library: Library, mode: DeviceMode) {
    this.mode = mode;
    this.#library = library;
    this.#gpu = openGpu(library.GPU, mode);
  }

  static async open(mode: DeviceMode, load?: () => Promise<Library>): Promise<GpuDevice> {
    return new GpuDevice(await loadLibrary(load), mode);
  }

  /**
   * Runs a kernel, which is compiled once for its name and constants. Sizes of one make a[i][j][k] the element i + j + k of a buffer,
   * so a kernel can add three offsets.
   */
  run(
    body: DeviceKernel,
    constants: Numbers,
    size: Size,
    inputs: readonly DeviceBuffer[],
  ): Promise<DeviceBuffer> {
    const handles = inputs.map(({ handle }) => handle);
    return this.#enqueue(() => this.#run(body, constants, size, () => handles));
  }

  /** Copies floats to the device. */
  upload(values: Float32Array, size: Size): Promise<DeviceBuffer> {
    this.uploads++;
    const inputs = () => [this.#library.input(values, [...size])];
    return this.#enqueue(() => this.#run(copied, {}, size, inputs));
  }

  async download({ handle, length }: DeviceBuffer): Promise<Float32Array> {
    this.downloads++;
    const read = async () => {
      if (this.#closed)
        throw new LoadError(
          `the gpu backend was closed, and the memory of its device is gone; fetch kept results before closing it`,
        );
      handle.output = [length, 1, 1];
      try {
        const layers = (await handle.toArray()) as Rows;
        return layers[0]?.[0];
      } catch (reason) {
        throw failure("a download", reason);
      } finally {
        handle.output = [1, 1, length]; // as later kernels read it
      }
    };
    const floats = await this.#enqueue(read);
    if (floats?.length !== length)
      throw new Bug(`gpu.js returned ${floats?.length} floats instead of ${length}`);
    return floats;
  }

  release(...buffers: readonly DeviceBuffer[]): void {
    if (this.#closed) return; // destroy() has freed everything
    for (const { handle, length, producer } of buffers) {
      handle.delete();
      producer.uses--;
      this.floats -= length;
    }
    this.live -= buffers.length;
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    this.#kernels.clear();
    await this.#gpu.destroy();
  }

  /** Runs one operation after another: while gpu.js compiles a kernel, another call could change the kernel's output size. */
  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #run(
    body: DeviceKernel,
    constants: Numbers,
    size: Size,
    inputs: () => readonly unknown[],
  ): Promise<DeviceBuffer> {
    const name = [body.name, ...Object.values(constants)].join(" ");
    if (this.#closed) throw new Bug(`kernel "${name}" was called after its device was destroyed`);
    try {
      const producer = this.#kernels.get(name, () => this.#compile(body, constants));
      producer.run.setOutput(size);
      const handle = (await producer.run(...inputs())) as Handle;
      assertMode(producer.run, this.mode, name, this.#library);
      if (typeof handle?.toArray !== "function") throw new Bug("the result is not on the device");
      const length = size[0] * size[1] * size[2];
      handle.output = handle.dimensions = [1, 1, length];
      producer.uses++;
      this.live++;
      this.floats += length;
      this.peak = Math.max(this.peak, this.floats);
      return { length, handle, producer };
    } catch (reason) {
      if (reason instanceof LoadError) throw reason;
      throw failure(`kernel "${name}"`, reason);
    }
  }

  #compile(body: DeviceKernel, constants: Numbers): CompiledKernel {
    return this.#gpu.createKernel(body, {
      constants,
      functions: FUNCTIONS,
      strictIntegers: true,
      tactic: "precision", // otherwise WebGL computes small results in mediump floats
      precision: "single",
      loopMaxIterations: MOST_ITERATIONS,
      asyncMode: true,
      pipeline: true, // results stay on the device
      immutable: true, // each result has a buffer of its own
      dynamicArguments: true,
      dynamicOutput: true,
      output: [1, 1, 1],
    }) as CompiledKernel;
  }
}
