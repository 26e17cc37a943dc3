// The backends that are measured, each with one way to run it.
import { availableParallelism } from "node:os";
import type { Backend } from "../kernels/backend.ts";
import type { GpuMode } from "../kernels/gpu/index.ts";
import { reference } from "../kernels/reference/index.ts";
import type { Target } from "./target.ts";

export const BACKENDS = ["reference", "simd", "gpu"] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface Field {
  readonly backends: readonly BackendName[];
  readonly modes: readonly GpuMode[];
  /** For simd; gpu.js takes all there are in webasm mode, and one otherwise. */
  readonly threads: readonly number[];
}

export const cores = (): number => availableParallelism();

const openSimd = (threads: number) => async (): Promise<Backend> =>
  (await import("../kernels/simd/index.ts")).simd({ threads });
const openGpu = (mode: GpuMode) => async (): Promise<Backend> =>
  (await import("../kernels/gpu/index.ts")).gpu({ mode });

export function targets({ backends, modes, threads }: Field): Target[] {
  const ways: Readonly<Record<BackendName, () => Target[]>> = {
    reference: () => [{ backend: "reference", threads: 1, open: async () => reference("float32") }],
    simd: () => threads.map((n) => ({ backend: "simd", threads: n, open: openSimd(n) })),
    gpu: () =>
      modes.map((mode) => ({
        backend: "gpu",
        mode,
        threads: mode === "webasm" ? cores() : 1,
        open: openGpu(mode),
      })),
  };
  return backends.flatMap((name) => ways[name]());
}

/** How this command line is called again to measure one contestant, in a process of its own. */
export function commandOf({ backend, threads, mode }: Target, ...words: readonly string[]): string[] {
  const who = [
    "--backend",
    backend,
    "--threads",
    `${threads}`,
    ...(mode === undefined ? [] : ["--mode", mode]),
  ];
  return [...process.execArgv, process.argv[1] ?? "", "bench", "--json", ...who, ...words];
}
