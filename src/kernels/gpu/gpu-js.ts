// Access to the library gpu.js: loading it, opening it in an explicit mode, and checking that a kernel ran in that mode.
import { Bug, LoadError, messageOf } from "../../tensor/errors.ts";

/** The modes of gpu.js in which these kernels are tested. */
export type GpuMode = "webasm" | "cpu" | "webgl2" | "webgpu" | "headlessgl";
export const MODES: readonly GpuMode[] = ["webasm", "cpu", "webgl2", "webgpu", "headlessgl"];

/** A compiled kernel of gpu.js, with the unpublished members that are used here. */
export interface CompiledKernel {
  (...inputs: readonly unknown[]): Promise<unknown>;
  setOutput(size: readonly number[]): unknown;
  destroy(): void;
  readonly kernel: {
    readonly constructor: { readonly mode?: string };
    readonly fallbackReason?: string | null;
    _shapeOutput?: (cells: Float32Array) => unknown;
  };
}

/** The members of the library that are used here. */
export interface Library {
  /** The classes of WebGL kernels, whose own `mode` is just "gpu". */
  readonly WebGL2Kernel?: unknown;
  readonly HeadlessGLKernel?: unknown;
  /** A flat array as [z][y][x]. */
  readonly input: (values: Float32Array, size: number[]) => unknown;
  readonly GPU: new (settings: {
    mode: GpuMode;
  }) => {
    createKernel(body: (...inputs: never[]) => unknown, settings: object): unknown;
    destroy(): Promise<void>;
  };
}

const INSTALL = "npm install gpu.js@2.24.1";
/** gpu.js 2.24.1 names gl as an optional dependency, whose install script runs node-gyp where there is no binary for the machine. */
const WITHOUT_GL =
  "it brings gl, whose install script runs a compiler and which only the mode headlessgl needs: --ignore-scripts leaves out the " +
  'script, and "overrides": { "gl": "npm:empty-npm-package@1.0.0" } in package.json leaves out gl (pnpm: the same within ' +
  '"pnpm": { … }; yarn: "resolutions" instead)';

async function importLibrary(): Promise<Library> {
  const module = (await import("gpu.js")) as unknown as Library & { readonly default?: Library };
  return module.GPU ? module : (module.default ?? module); // bundlers put the names into `default`
}

/** Loads gpu.js. It is an optional peer dependency, so it may be absent; then a LoadError explains how to install it. */
export async function loadLibrary(load: () => Promise<Library> = importLibrary): Promise<Library> {
  return load().catch((reason: unknown) => {
    throw new LoadError(`backend "gpu" needs gpu.js: ${INSTALL}\n${WITHOUT_GL}\n(${messageOf(reason)})`);
  });
}

export function openGpu(GPU: Library["GPU"], mode: GpuMode): InstanceType<Library["GPU"]> {
  try {
    return new GPU({ mode });
  } catch (reason) {
    throw new LoadError(
      `gpu.js has no mode "${mode}" on this machine (${messageOf(reason)}); choose another mode or backend`,
    );
  }
}

/** The error for a failure inside gpu.js, with the place where it happened and gpu.js's own error as its cause. */
export const failure = (place: string, reason: unknown): Bug =>
  new Bug(`gpu.js failed in ${place}: ${messageOf(reason)}`, { cause: reason });

/**
 * Throws a LoadError unless the kernel ran in `mode`. gpu.js runs a kernel that a mode does not support in another mode without an
 * error; only the class of the kernel that ran shows it.
 */
export function assertMode(
  { kernel }: CompiledKernel,
  mode: GpuMode,
  name: string,
  { WebGL2Kernel, HeadlessGLKernel }: Omit<Library, "GPU" | "input"> = {},
): void {
  const type = kernel.constructor;
  const webgl = Object.entries({ webgl2: WebGL2Kernel, headlessgl: HeadlessGLKernel });
  const [webglMode] = webgl.find(([, candidate]) => candidate !== undefined && type === candidate) ?? [];
  const ran = webglMode ?? type.mode ?? "an unknown mode";
  if (ran === mode) return;
  const reason = kernel.fallbackReason ? ` (${kernel.fallbackReason})` : "";
  throw new LoadError(`kernel "${name}" was requested in mode ${mode} but ran in ${ran}${reason}`);
}
