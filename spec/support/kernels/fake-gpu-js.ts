// Something that looks like gpu.js with a graphics card and runs the kernels' own functions, cell by cell: what they compute is tested
// without a card, and what becomes of the buffers can be seen.
import type { Library } from "../../../src/kernels/gpu/host-modes/device.ts";

export interface Pretended {
  readonly library: Library;
  /** Results that are on the "device". */
  readonly live: Set<object>;
  /** Arguments that were uploaded, and those that were there already. */
  readonly passed: { uploaded: number; resident: number };
  /** Kernels that were compiled, and those that were dropped. */
  readonly compiled: string[];
  readonly dropped: string[];
}

type Size = readonly number[];

/** a[z][y][x] is element x + X (y + Y z), whatever lies there, as in gpu.js. Outside an array nothing is said. */
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

/** gpu.js refuses what is empty. */
function refuseEmpty(size: Size): void {
  if (size.some((n) => n === 0)) throw new Error(`[${size.join(" ")}] is empty`);
}

interface Options {
  /** What its kernels say they ran in. */
  readonly mode?: string;
  /** The name of a kernel that throws, or "input". */
  readonly fail?: string;
  /** How many reads fail before one succeeds. */
  readonly failedReads?: number;
}

export function pretend({ mode = "webgpu", fail = "", failedReads = 0 }: Options = {}): Pretended {
  let reads = 0;
  const live = new Set<object>();
  const passed = { uploaded: 0, resident: 0 };
  const compiled: string[] = [];
  const dropped: string[] = [];
  const WebGL2Kernel = { mode: "gpu" }; // classes, as far as anybody looks
  const HeadlessGLKernel = { mode: "gpu" };
  const Other = { mode };
  class Result extends Uploaded {
    declare output: Size;
    readonly #kernel: { readonly destroyed: boolean };
    constructor(values: Float32Array, output: Size, kernel: { readonly destroyed: boolean }) {
      super(values, output);
      this.#kernel = kernel;
      live.add(this);
    }
    async toArray() {
      if (!live.has(this)) throw new Error("it was deleted");
      if (this.#kernel.destroyed) throw new Error("its kernel was destroyed");
      if (++reads <= failedReads) throw new Error("the card is lost");
      const [x = 1, y = 1, z = 1] = this.output;
      const row = (from: number) => this.values.slice(from * x, (from + 1) * x);
      return Array.from({ length: z }, (_, k) => Array.from({ length: y }, (_, j) => row(k * y + j)));
    }
    delete() {
      if (!live.delete(this)) throw new Error("it was deleted before");
    }
  }

  type Body = (this: object, ...inputs: unknown[]) => number;
  function createKernel(body: Body, { constants }: { constants: object }) {
    const name = [body.name, ...Object.values(constants)].join(" ");
    compiled.push(name);
    const state = { destroyed: false };
    let size: Size = [1, 1, 1];
    const call = async (...inputs: Uploaded[]) => {
      if (state.destroyed) throw new Error("it was destroyed");
      if (body.name === fail) throw new Error("the card is on fire");
      const arrays = inputs.map((input) => {
        if (input instanceof Result && !live.has(input)) throw new Error("an argument was deleted");
        passed[input instanceof Result ? "resident" : "uploaded"]++;
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
    const setOutput = (asked: Size) => {
      refuseEmpty(asked);
      size = asked;
    };
    const destroy = () => {
      state.destroyed = true;
      dropped.push(name);
    };
    return Object.assign(call, {
      setOutput,
      destroy,
      kernel: { constructor: { webgl2: WebGL2Kernel, headlessgl: HeadlessGLKernel }[mode] ?? Other },
    });
  }
  class GPU {
    createKernel = createKernel as never;
    async destroy() {}
  }
  const input = (values: Float32Array, size: Size) => {
    refuseEmpty(size);
    if (fail === "input") throw new Error("the card is on fire");
    return new Uploaded(values, size);
  };
  return { library: { GPU, input, WebGL2Kernel, HeadlessGLKernel }, live, passed, compiled, dropped };
}
