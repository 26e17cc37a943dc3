// The scripts that come later. They are classic ones, each giving one global: a page that was opened from a disk may load no
// module.
import type * as Gpu from "./gpu.ts";
import type * as Kernels from "./kernels.ts";

interface Globals {
  readonly flamboyanceKernels: typeof Kernels;
  readonly flamboyanceGpu: typeof Gpu;
}
const FILES = { flamboyanceKernels: "./speed-kernels.js", flamboyanceGpu: "./speed-gpu.js" } as const;

const coming = new Map<string, Promise<void>>();

/** Loads it, once. A script that did not come is asked for again the next time. */
async function load(src: string): Promise<void> {
  const script = document.createElement("script");
  script.src = src;
  const come = new Promise<void>((resolve, reject) => {
    script.onload = () => resolve();
    script.onerror = () => {
      coming.delete(src);
      reject(new Error(`${src} could not be loaded`));
    };
  });
  document.head.append(script);
  return come;
}

export async function scripted<K extends keyof Globals>(name: K): Promise<Globals[K]> {
  const src = FILES[name];
  const come = coming.get(src) ?? load(src);
  coming.set(src, come);
  await come;
  return (globalThis as unknown as Globals)[name];
}
