// A fake of gpu.js in the modes of a graphics card. It runs the bodies of kernels as JavaScript functions, cell by cell, so their
// results and the life of their buffers can be tested without a card.
import { deviceBackend } from "../../../src/kernels/gpu/device-modes/backend.ts";
import { GpuDevice } from "../../../src/kernels/gpu/device-modes/gpu-device.ts";
import type { Library } from "../../../src/kernels/gpu/gpu-js.ts";

export interface FakeGpuJs {
  readonly library: Library;
  /** Results that have not been deleted. */
  readonly live: Set<object>;
  readonly counts: {
    /** Arrays that were uploaded. */
    uploaded: number;
    /** Runs of kernels, including those that copy an uploaded array. */
    runs: number;
    /** Kernels that were compiled, and those that were destroyed. */
    compiled: number;
    destroyed: number;
  };
}

type Size = readonly number[];

/** a[z][y][x] is element x + X (y + Y z) of a flat array, as in gpu.js. An index outside the array gives a wrong number, not an error. */
function reader(values: Float32Array, [X = 1, Y = 1]: Size): unknown {
  const inner = (from: number) =>
    new Proxy({}, { get: (_, x) => values[Number(x) + from] ?? 7e7 }) as unknown;
  const middle = (z: number) => new Proxy({}, { get: (_, y) => inner(X * (Number(y) + Y * z)) }) as unknown;
  return new Proxy({}, { get: (_, z) => middle(Number(z)) });
}

class Uploaded {
  readonly values: Float32Array;
  readonly output: Size;
  constructor(values: Float32Array, output: Size) {
    this.values = values;
    this.output = output;
  }
}

/** gpu.js rejects empty arrays and results. */
function rejectEmpty(size: Size): void {
  if (size.some((n) => n === 0)) throw new Error(`[${size.join(" ")}] is empty`);
}

/** The error that the fake throws where a test requests one. */
export const INJECTED = new Error("injected");

interface Options {
  /** The mode in which its kernels report to have run. */
  readonly mode?: string;
  /** The upload or run, counted from 0, that fails. */
  readonly failAt?: number;
  /** The number of downloads that fail before one succeeds. */
  readonly failedDownloads?: number;
}

export function fakeGpuJs({ mode = "webgpu", failAt = -1, failedDownloads = 0 }: Options = {}): FakeGpuJs {
  let [downloads, steps] = [0, 0];
  const live = new Set<object>();
  const counts = { uploaded: 0, runs: 0, compiled: 0, destroyed: 0 };
  const WebGL2Kernel = { mode: "gpu" };
  const HeadlessGLKernel = { mode: "gpu" };
  const kernelClass = { webgl2: WebGL2Kernel, headlessgl: HeadlessGLKernel }[mode] ?? { mode };
  const step = (): void => {
    if (steps++ === failAt) throw INJECTED;
  };

  class Result extends Uploaded {
    declare output: Size;
    readonly #kernel: { readonly destroyed: boolean };
    constructor(values: Float32Array, output: Size, kernel: { readonly destroyed: boolean }) {
      super(values, output);
      this.#kernel = kernel;
      live.add(this);
    }
    async toArray() {
      if (!live.has(this)) throw new Error("the result was deleted");
      if (this.#kernel.destroyed) throw new Error("the kernel of the result was destroyed");
      if (++downloads <= failedDownloads) throw INJECTED;
      const [x = 1, y = 1, z = 1] = this.output;
      const row = (from: number) => this.values.slice(from * x, (from + 1) * x);
      return Array.from({ length: z }, (_, k) => Array.from({ length: y }, (_, j) => row(k * y + j)));
    }
    delete() {
      if (!live.delete(this)) throw new Error("the result was deleted before");
    }
  }

  type Body = (this: object, ...inputs: unknown[]) => number;
  function createKernel(body: Body, { constants }: { constants: object }) {
    counts.compiled++;
    const state = { destroyed: false };
    let size: Size = [1, 1, 1];
    const call = async (...inputs: Uploaded[]) => {
      if (state.destroyed) throw new Error("the kernel was destroyed");
      step();
      counts.runs++;
      const arrays = inputs.map((input) => {
        if (input instanceof Result && !live.has(input)) throw new Error("an argument was deleted");
        return reader(input.values, input.output);
      });
      const [x = 1, y = 1, z = 1] = size;
      const out = new Float32Array(x * y * z);
      for (let i = 0; i < out.length; i++) {
        const thread = { x: i % x, y: Math.floor(i / x) % y, z: Math.floor(i / (x * y)) };
        out[i] = body.call({ thread, constants }, ...arrays);
      }
      return new Result(out, size, state);
    };
    const setOutput = (requested: Size) => {
      rejectEmpty(requested);
      size = requested;
    };
    const destroy = () => {
      state.destroyed = true;
      counts.destroyed++;
    };
    return Object.assign(call, { setOutput, destroy, kernel: { constructor: kernelClass } });
  }
  class GPU {
    createKernel = createKernel as never;
    async destroy() {}
  }
  const input = (values: Float32Array, size: Size) => {
    rejectEmpty(size);
    step();
    counts.uploaded++;
    return new Uploaded(values, size);
  };
  return { library: { GPU, input, WebGL2Kernel, HeadlessGLKernel }, live, counts };
}

/** The backend for a graphics card on a fake of gpu.js. */
export async function openFakeDevice(options: Options = {}) {
  const { library, ...fake } = fakeGpuJs(options);
  const device = await GpuDevice.open("webgpu", async () => library);
  const backend = deviceBackend(device);
  return { ...fake, device, backend, launcher: backend.launcher };
}
