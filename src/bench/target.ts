// A backend to be measured, in one of its modes.
import type { Backend } from "../kernels/backend.ts";

export interface Target {
  readonly backend: string;
  readonly threads: number;
  /** The mode to open, for gpu. */
  readonly mode?: string;
  readonly open: () => Promise<Backend>;
}

/** The name of a target in results. */
export interface TargetName {
  readonly backend: string;
  readonly mode: string | null;
  readonly threads: number;
}

/** The mode and the threads are those of the backend that was opened. */
export const nameOf = ({ backend }: Target, { mode, threads }: Backend): TargetName => ({
  backend,
  mode,
  threads,
});

/** Opens a target, measures it and closes it. */
export async function measureTarget<T>(
  target: Target,
  measure: (backend: Backend, name: TargetName) => Promise<T>,
): Promise<T> {
  const backend = await target.open();
  try {
    return await measure(backend, nameOf(target, backend));
  } finally {
    await backend.close();
  }
}
