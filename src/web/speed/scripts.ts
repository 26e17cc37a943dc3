// Scripts that are loaded on demand. They are classic scripts that define one global each, because a page opened from a disk
// may not load modules.
import type * as Gpu from "./gpu.ts";
import type * as Kernels from "./kernels.ts";

interface Globals {
  readonly flamboyanceKernels: typeof Kernels;
  readonly flamboyanceGpu: typeof Gpu;
}
const FILES = { flamboyanceKernels: "./speed-kernels.js", flamboyanceGpu: "./speed-gpu.js" } as const;

const requests = new Map<string, Promise<void>>();

/** Requests a script. A request that fails is forgotten, so that the next call tries again. */
async function load(src: string): Promise<void> {
  const script = document.createElement("script");
  script.src = src;
  const request = new Promise<void>((resolve, reject) => {
    script.onload = () => resolve();
    script.onerror = () => {
      requests.delete(src);
      reject(new Error(`${src} could not be loaded`));
    };
  });
  document.head.append(script);
  return request;
}

/** The global of a script, which is loaded by the first call. */
export async function scripted<K extends keyof Globals>(name: K): Promise<Globals[K]> {
  const src = FILES[name];
  const request = requests.get(src) ?? load(src);
  requests.set(src, request);
  await request;
  return (globalThis as unknown as Globals)[name];
}
