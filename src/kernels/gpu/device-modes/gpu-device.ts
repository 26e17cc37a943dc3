// gpu.js in the modes of a graphics card, webgl2, webgpu and headlessgl: what one kernel computes stays on the device for the next.
import { Bug, LoadError } from "../../../tensor/errors.ts";
import { type Compiled, Kernels } from "./kernel-cache.ts";
import { assertMode, failed, type Library, library, open, type Shortcut } from "../host-modes/device.ts";
import { FUNCTIONS } from "./kernels/functions.ts";
import { copied } from "./kernels/elementwise.ts";

const MODES = ["webgl2", "webgpu", "headlessgl"] as const;
export type DeviceMode = (typeof MODES)[number];
export const isDeviceMode = (mode: string): mode is DeviceMode => MODES.some((device) => device === mode);

/** Floats on the device, one after another. What they are there, a texture or a buffer, is nobody's business. */
export interface DeviceBuffer {
  readonly length: number;
  readonly handle: Handle;
  readonly by: Compiled;
}
/** Along x (contiguous), y and z. */
export type Size = readonly [x: number, y: number, z: number];

/** gpu.js says in two ways how it finds a[i][j][k] in a buffer: WebGPU's as `output`, WebGL's as `dimensions`. */
interface Handle {
  output: readonly number[];
  dimensions?: readonly number[];
  toArray(): unknown;
  delete(): void;
}

export type DeviceKernel = (this: never, ...inputs: never[]) => number;
export type Numbers = Readonly<Record<string, number>>;
type Rows = readonly (readonly Float32Array[])[];

export class GpuDevice {
  readonly mode: DeviceMode;
  /** Buffers that are not released yet, their floats, and the most that ever were. */
  live = 0;
  floats = 0;
  peak = 0;
  /** Transfers so far. */
  uploads = 0;
  downloads = 0;
  readonly #library: Library;
  readonly #gpu: ReturnType<typeof open>;
  readonly #kernels = new Kernels();
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(library: Library, mode: DeviceMode) {
    this.mode = mode;
    this.#library = library;
    this.#gpu = open(library.GPU, mode);
  }

  static async open(mode: DeviceMode, load?: () => Promise<Library>): Promise<GpuDevice> {
    return new GpuDevice(await library(load), mode);
  }

  /** Runs a kernel, compiled on its first run and kept by its name and constants. In such a buffer a[i][j][k] is element i + j + k. */
  run(
    body: DeviceKernel,
    constants: Numbers,
    size: Size,
    inputs: readonly DeviceBuffer[],
  ): Promise<DeviceBuffer> {
    const handles = inputs.map(({ handle }) => handle);
    return this.#inTurn(() => this.#run(body, constants, size, () => handles));
  }

  /** The floats, laid out on the device as a result of that size. */
  upload(values: Float32Array, size: Size): Promise<DeviceBuffer> {
    this.uploads++;
    const inputs = () => [this.#library.input(values, [...size])];
    return this.#inTurn(() => this.#run(copied, {}, size, inputs));
  }

  async download({ handle, length }: DeviceBuffer): Promise<Float32Array> {
    this.downloads++;
    const read = async () => {
      handle.output = [length, 1, 1];
      try {
        const layers = (await handle.toArray()) as Rows;
        return layers[0]?.[0];
      } catch (reason) {
        throw failed("a download", reason);
      } finally {
        handle.output = [1, 1, length]; // kernels may read it again
      }
    };
    const floats = await this.#inTurn(read);
    if (floats?.length !== length)
      throw new Bug(`gpu.js returned ${floats?.length} floats instead of ${length}`);
    return floats;
  }

  release(...buffers: readonly DeviceBuffer[]): void {
    if (this.#closed) return; // all went with the device
    for (const { handle, length, by } of buffers) {
      handle.delete();
      by.results--;
      this.floats -= length;
    }
    this.live -= buffers.length;
  }

  async destroy(): Promise<void> {
    this.#closed = true;
    this.#kernels.clear();
    await this.#gpu.destroy();
  }

  /** One at a time: gpu.js compiles while others would already set another size. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => {});
    return mine;
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
      const by = this.#kernels.get(name, () => this.#compile(body, constants));
      by.run.setOutput(size);
      const handle = (await by.run(...inputs())) as Handle;
      assertMode(by.run, this.mode, name, this.#library);
      if (typeof handle?.toArray !== "function") throw new Bug("the result is not on the device");
      const length = size[0] * size[1] * size[2];
      handle.output = handle.dimensions = [1, 1, length];
      by.results++;
      this.live++;
      this.floats += length;
      this.peak = Math.max(this.peak, this.floats);
      return { length, handle, by };
    } catch (reason) {
      if (reason instanceof LoadError) throw reason;
      throw failed(`kernel "${name}"`, reason);
    }
  }

  #compile(body: DeviceKernel, constants: Numbers): Shortcut {
    return this.#gpu.createKernel(body as never, {
      constants,
      functions: FUNCTIONS,
      strictIntegers: true,
      tactic: "precision", // else WebGL counts in mediump floats as long as results are small
      precision: "single",
      asyncMode: true,
      pipeline: true,
      immutable: true, // every result is a buffer of its own
      dynamicArguments: true,
      dynamicOutput: true,
      output: [1, 1, 1],
    }) as Shortcut;
  }
}
