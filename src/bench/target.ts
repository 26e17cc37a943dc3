// One way to run a backend, to be held against others.
import type { Backend } from "../kernels/backend.ts";

export interface Target {
  readonly backend: string;
  readonly threads: number;
  /** The mode that was asked for, of gpu. */
  readonly mode?: string;
  readonly open: () => Promise<Backend>;
}

/** A backend's mode without its threads, which stand in a field of their own. */
export const modeOf = ({ mode }: Backend): string | null => mode?.replace(/, \d+ threads?$/, "") ?? null;
