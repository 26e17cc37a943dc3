// gpu.js in the modes that run on the processor, webasm and cpu: kernels take arrays and return arrays.
import { Bug, LoadError } from "../../../tensor/errors.ts";
import {
  assertMode,
  type CompiledKernel,
  failure,
  type GpuMode,
  type Library,
  loadLibrary,
  openGpu,
} from "../gpu-js.ts";
import { type CachedKernel, KernelCache } from "../kernel-cache.ts";

/** Cells along x (contiguous), y and z. A cell is four floats. */
export type Cells = readonly [x: number, y: number, z: number];

/** The type of `this` inside a kernel function. */
export interface Thread {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  readonly output: { readonly x: number; readonly y: number; readonly z: number };
  readonly constants: Readonly<Record<string, number>>;
}

/**
 * A function that gpu.js compiles from its source text. It may use its arguments and `this`, and nothing else, and returns the four
 * floats of one cell.
 */
// biome-ignore lint/suspicious/noExplicitAny: the type of the arguments depends on the mode
export type KernelFunction = (this: any, ...inputs: any[]) => [number, number, number, number];

/** Runs a compiled kernel and returns the floats of all cells, one cell after another. */
export type Kernel = (cells: Cells, ...inputs: readonly Float32Array[]) => Promise<Float32Array>;

export interface HostDevice {
  readonly mode: GpuMode;
  /** The kernel with that key, compiled on its first run and kept while it is in use. `constants` are the bounds of its loops. */
  kernel(key: string, body: KernelFunction, constants: Thread["constants"]): Kernel;
  destroy(): Promise<void>;
}

/** Kernels that are kept. In webasm mode each has a pool of threads. */
const MOST_KERNELS = 32;

/** Opens gpu.js in a mode that runs on the processor. */
export async function openHostDevice(mode: GpuMode, load?: () => Promise<Library>): Promise<HostDevice> {
  const { GPU } = await loadLibrary(load);
  const gpu = openGpu(GPU, mode);
  const kernels = new KernelCache(MOST_KERNELS);
  let closed = false;

  const run = async (
    kernel: CachedKernel,
    cells: Cells,
    inputs: readonly Float32Array[],
  ): Promise<unknown> => {
    kernel.uses++;
    try {
      kernel.run.setOutput(cells);
      return await kernel.run(...inputs);
    } finally {
      kernel.uses--;
    }
  };

  return {
    mode,
    kernel(key, body, constants) {
      const compile = () => withFlatOutput(gpu.createKernel(body, settings(constants)) as CompiledKernel);
      return async (cells, ...inputs) => {
        if (closed) throw new Bug(`kernel "${key}" was called after its device was destroyed`);
        try {
          const kernel = kernels.get(key, compile);
          const result = await run(kernel, cells, inputs);
          assertMode(kernel.run, mode, key);
          return result instanceof Float32Array ? result : flatten(result as Nested, cells);
        } catch (reason) {
          throw reason instanceof LoadError ? reason : failure(`kernel "${key}"`, reason);
        }
      };
    },
    async destroy() {
      closed = true;
      kernels.clear();
      await gpu.destroy();
    },
  };
}

const settings = (constants: Thread["constants"]) => ({
  constants,
  strictIntegers: true, // otherwise constants are floats, and indices computed from them are wrong beyond 2²⁴
  precision: "single",
  returnType: "Array(4)",
  asyncMode: true, // otherwise a single thread computes everything
  dynamicArguments: true, // one kernel, with one pool of threads, serves all sizes with the same constants
  dynamicOutput: true,
  output: [1, 1, 1],
});

/**
 * In webasm mode gpu.js has the result as one flat array and then allocates an array for each cell, which takes 130 ns a cell: four
 * fifths of the time of a thin product. This skips that step. In a mode where it cannot be skipped, `flatten` reverses it.
 */
function withFlatOutput(compiled: CompiledKernel): CompiledKernel {
  if (typeof compiled.kernel._shapeOutput === "function") compiled.kernel._shapeOutput = (cells) => cells;
  return compiled;
}

type Nested = readonly (readonly (readonly ArrayLike<number>[])[])[];

function flatten(layers: Nested, [x, y, z]: Cells): Float32Array {
  const out = new Float32Array(x * y * z * 4);
  let at = 0;
  for (const rows of layers) {
    for (const cells of rows) {
      for (const cell of cells) {
        for (let i = 0; i < 4; i++) out[at++] = cell[i] ?? NaN;
      }
    }
  }
  if (at !== out.length) throw new Bug(`gpu.js returned ${at} floats instead of ${out.length}`);
  return out;
}
