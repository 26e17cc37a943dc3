// A fake of gpu.js in the modes of a graphics card. It runs the bodies of kernels as JavaScript functions, cell by cell, so their
// results and the life of their buffers can be tested without a card.
import { deviceBackend } from "../../../../src/kernels/gpu/device-modes/backend.ts";
import { GpuDevice } from "../../../../src/kernels/gpu/device-modes/gpu-device.ts";
import type { Library } from "../../../../src/kernels/gpu/gpu-js.ts";

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

/** The work of a fake and its buffers. */
export class FakeWork {
  /** Results that have not been deleted. */
  readonly live = new Set<object>();
  readonly counts = {
    /** Arrays that were uploaded. */
    uploaded: 0,
    /** Runs of kernels, including those that copy an uploaded array. */
    runs: 0,
    /** Kernels that were compiled, and those that were destroyed. */
    compiled: 0,
    destroyed: 0,
  };
  readonly #options: Options;
  #steps = 0;
  #downloads = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Begins an upload or a run. */
  step(): void {
    if (this.#steps++ === this.#options.failAt) throw INJECTED;
  }

  download(): void {
    if (++this.#downloads <= (this.#options.failedDownloads ?? 0)) throw INJECTED;
  }
}

/** The result of a kernel: readable until it is deleted or its kernel is destroyed. */
class Result extends Uploaded {
  declare output: Size;
  readonly #kernel: { readonly destroyed: boolean };
  readonly #work: FakeWork;

  constructor(values: Float32Array, output: Size, kernel: { readonly destroyed: boolean }, work: FakeWork) {
    super(values, output);
    this.#kernel = kernel;
    this.#work = work;
    work.live.add(this);
  }

  async toArray() {
    if (!this.#work.live.has(this)) throw new Error("the result was deleted");
    if (this.#kernel.destroyed) throw new Error("the kernel of the result was destroyed");
    this.#work.download();
    const [x = 1, y = 1, z = 1] = this.output;
    const row = (from: number) => this.values.slice(from * x, (from + 1) * x);
    return Array.from({ length: z }, (_, k) => Array.from({ length: y }, (_, j) => row(k * y + j)));
  }

  delete() {
    if (!this.#work.live.delete(this)) throw new Error("the result was deleted before");
  }
}

type Body = (this: object, ...inputs: unknown[]) => number;

/** Calls the body of a kernel for every cell. */
function runCells(body: Body, constants: object, [x = 1, y = 1, z = 1]: Size, arrays: readonly unknown[]) {
  const out = new Float32Array(x * y * z);
  for (let i = 0; i < out.length; i++) {
    const thread = { x: i % x, y: Math.floor(i / x) % y, z: Math.floor(i / (x * y)) };
    out[i] = body.call({ thread, constants }, ...arrays);
  }
  return out;
}

function compile(work: FakeWork, kernelClass: unknown, body: Body, constants: object) {
  work.counts.compiled++;
  const state = { destroyed: false };
  let size: Size = [1, 1, 1];
  const call = async (...inputs: Uploaded[]) => {
    if (state.destroyed) throw new Error("the kernel was destroyed");
    work.step();
    work.counts.runs++;
    const arrays = inputs.map((input) => {
      if (input instanceof Result && !work.live.has(input)) throw new Error("an argument was deleted");
      return reader(input.values, input.output);
    });
    return new Result(runCells(body, constants, size, arrays), size, state, work);
  };
  const setOutput = (requested: Size) => {
    rejectEmpty(requested);
    size = requested;
  };
  const destroy = () => {
    state.destroyed = true;
    work.counts.destroyed++;
  };
  return Object.assign(call, { setOutput, destroy, kernel: { constructor: kernelClass } });
}

export function fakeGpuJs(options: Options = {}): { readonly library: Library; readonly work: FakeWork } {
  const { mode = "webgpu" } = options;
  const work = new FakeWork(options);
  const WebGL2Kernel = { mode: "gpu" };
  const HeadlessGLKernel = { mode: "gpu" };
  const kernelClass = { webgl2: WebGL2Kernel, headlessgl: HeadlessGLKernel }[mode] ?? { mode };
  class GPU {
    createKernel = ((body: Body, { constants }: { constants: object }) =>
      compile(work, kernelClass, body, constants)) as never;
    async destroy() {}
  }
  const input = (values: Float32Array, size: Size) => {
    rejectEmpty(size);
    work.step();
    work.counts.uploaded++;
    return new Uploaded(values, size);
  };
  return { library: { GPU, input, WebGL2Kernel, HeadlessGLKernel }, work };
}

/** The backend for a graphics card on a fake of gpu.js. */
export async function openFakeDevice(options: Options = {}) {
  const { library, work } = fakeGpuJs(options);
  const device = await GpuDevice.open("webgpu", async () => library);
  const backend = deviceBackend(device);
  return { counts: work.counts, live: work.live, device, backend, launcher: backend.launcher };
}
