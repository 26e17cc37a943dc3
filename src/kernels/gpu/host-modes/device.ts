// gpu.js behind one small door: explicit mode, async, and proof that the mode asked for is the mode that ran.
import { Bug, LoadError } from "../../../tensor/errors.ts";

/** Modes of gpu.js that this project's kernels are tested in. */
export type GpuMode = "webasm" | "cpu" | "webgl2" | "webgpu" | "headlessgl";

/** Cells along x (contiguous), y and z. A cell is four floats. */
export type Cells = readonly [x: number, y: number, z: number];

/** What `this` is inside a kernel function. */
export interface Thread {
  readonly thread: { readonly x: number; readonly y: number; readonly z: number };
  readonly output: { readonly x: number; readonly y: number; readonly z: number };
  readonly constants: Readonly<Record<string, number>>;
}

/**
 * A function that gpu.js translates from its own source text: it may use its arguments, `this`, and nothing else, and
 * returns the four floats of one cell.
 */
// biome-ignore lint/suspicious/noExplicitAny: arguments are arrays here and something else on every device
export type KernelFunction = (this: any, ...inputs: any[]) => [number, number, number, number];

/** Runs a compiled kernel: the cells lie one after another in the result. */
export type Kernel = (cells: Cells, ...inputs: readonly Float32Array[]) => Promise<Float32Array>;

export interface Device {
  readonly mode: GpuMode;
  /** The kernel of that key, compiled on its first run and kept. Loop bounds are constants. */
  kernel(key: string, body: KernelFunction, constants: Thread["constants"]): Kernel;
  destroy(): Promise<void>;
}

/** What this file uses of gpu.js, its unpublished parts included. */
export interface Shortcut {
  (...inputs: readonly unknown[]): Promise<unknown>;
  setOutput(cells: readonly number[]): unknown;
  destroy(): void;
  readonly kernel: {
    readonly constructor: { readonly mode?: string };
    readonly fallbackReason?: string | null;
    _shapeOutput?: (cells: Float32Array) => unknown;
  };
}
export interface Library {
  /** Kernels of these classes say "gpu" where they are asked for their mode. */
  readonly WebGL2Kernel?: unknown;
  readonly HeadlessGLKernel?: unknown;
  /** A flat array as [z][y][x]. */
  readonly input: (values: Float32Array, size: number[]) => unknown;
  readonly GPU: new (settings: {
    mode: GpuMode;
  }) => {
    createKernel(body: KernelFunction, settings: object): unknown;
    destroy(): Promise<void>;
  };
}

const INSTALL = "npm install gpu.js@2.24.1";

async function importLibrary(): Promise<Library> {
  const library = (await import("gpu.js")) as unknown as Library & { readonly default?: Library };
  return library.GPU ? library : (library.default ?? library); // its names, or the whole of it as bundlers see it
}

/** gpu.js is no dependency of the package, so it may be absent. */
export async function library(load: () => Promise<Library> = importLibrary): Promise<Library> {
  return load().catch((reason: unknown) => {
    throw new LoadError(`backend "gpu" needs gpu.js: ${INSTALL}\n(${messageOf(reason)})`);
  });
}

/** Opens gpu.js in one of the modes of a processor. */
export async function openDevice(mode: GpuMode, load?: () => Promise<Library>): Promise<Device> {
  const { GPU } = await library(load);
  const gpu = open(GPU, mode);
  const kernels = new Map<string, Kernel>();
  let closed = false;

  function compile(key: string, body: KernelFunction, constants: Thread["constants"]): Kernel {
    let run: Shortcut | undefined;
    return async (cells, ...inputs) => {
      if (closed) throw new Bug(`kernel "${key}" was called after its device was destroyed`);
      let result: unknown;
      try {
        run ??= keepFlat(gpu.createKernel(body, settings(constants)) as Shortcut);
        run.setOutput(cells);
        result = await run(...inputs);
      } catch (reason) {
        throw failed(`kernel "${key}"`, reason);
      }
      assertMode(run, mode, key);
      return result instanceof Float32Array ? result : flatten(result as Nested, cells);
    };
  }

  return {
    mode,
    kernel(key, body, constants) {
      const kernel = kernels.get(key) ?? compile(key, body, constants);
      kernels.set(key, kernel);
      return kernel;
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
  strictIntegers: true, // else a constant is a float, and so is every index computed with it: wrong beyond 2²⁴
  precision: "single",
  returnType: "Array(4)",
  asyncMode: true, // without it one thread computes everything
  dynamicArguments: true, // one kernel, and one pool of threads, for all sizes that share the constants
  dynamicOutput: true,
  output: [1, 1, 1],
});

export const messageOf = (reason: unknown): string =>
  reason instanceof Error ? reason.message : String(reason);

/** What to throw where gpu.js threw: where that was, and gpu.js's own as the cause. */
export const failed = (where: string, reason: unknown): Bug =>
  new Bug(`gpu.js failed in ${where}: ${messageOf(reason)}`, { cause: reason });

export function open(GPU: Library["GPU"], mode: GpuMode): InstanceType<Library["GPU"]> {
  try {
    return new GPU({ mode });
  } catch (reason) {
    throw new LoadError(`gpu.js has no mode "${mode}" here (${messageOf(reason)})`);
  }
}

/** gpu.js answers what a mode cannot do by computing it in another; all that shows is the class of the kernel that ran. */
export function assertMode(
  { kernel }: Shortcut,
  mode: GpuMode,
  key: string,
  { WebGL2Kernel, HeadlessGLKernel }: Omit<Library, "GPU" | "input"> = {},
): void {
  const made = kernel.constructor;
  const known = Object.entries({ webgl2: WebGL2Kernel, headlessgl: HeadlessGLKernel });
  const [named] = known.find(([, type]) => type !== undefined && made === type) ?? [];
  const ran = named ?? made.mode ?? "an unknown mode";
  if (ran === mode) return;
  const why = kernel.fallbackReason ? ` (${kernel.fallbackReason})` : "";
  throw new LoadError(`kernel "${key}" was asked to run in ${mode} and ran in ${ran}${why}`);
}

/**
 * In webasm mode the result is one array of floats, which gpu.js cuts into an array of its own for each cell: 130 ns a
 * cell, four fifths of the time of a thin product. Here the cut is left out. Where that is not possible, `flatten` undoes it.
 */
function keepFlat(run: Shortcut): Shortcut {
  if (typeof run.kernel._shapeOutput === "function") run.kernel._shapeOutput = (cells) => cells;
  return run;
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
