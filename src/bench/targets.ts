// The targets that the command line selects.
import { cores } from "#host";
import type { Backend } from "../kernels/backend.ts";
import type { GpuMode } from "../kernels/gpu/index.ts";
import { reference } from "../kernels/reference/index.ts";
import type { Target } from "./target.ts";

export const BACKENDS = ["reference", "simd", "gpu"] as const;
export type BackendName = (typeof BACKENDS)[number];

export interface Selection {
  readonly backends: readonly BackendName[];
  readonly modes: readonly GpuMode[];
  /** For simd. gpu.js uses every core in webasm mode and one thread in the others. */
  readonly threads: readonly number[];
}

const openSimd = (threads: number) => async (): Promise<Backend> =>
  (await import("../kernels/simd/index.ts")).simd({ threads });
const openGpu = (mode: GpuMode) => async (): Promise<Backend> =>
  (await import("../kernels/gpu/index.ts")).gpu({ mode });

export function targets({ backends, modes, threads }: Selection): Target[] {
  const byBackend: Readonly<Record<BackendName, () => Target[]>> = {
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
  return backends.flatMap((name) => byBackend[name]());
}

/** Arguments that make Node run this command line again in a new process, for one target. */
export function commandOf({ backend, threads, mode }: Target, ...options: readonly string[]): string[] {
  const target = ["--backend", backend, "--threads", `${threads}`];
  const modeOption = mode === undefined ? [] : ["--mode", mode];
  return [
    ...process.execArgv,
    process.argv[1] ?? "",
    "bench",
    "--json",
    ...target,
    ...modeOption,
    ...options,
  ];
}
