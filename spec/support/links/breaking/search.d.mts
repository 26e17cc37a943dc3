// Types of search.mjs.
import type { Citation, Variant } from "./breaks.mjs";

export interface Survivor {
  readonly path: string;
  readonly id: string;
  readonly before: string;
  readonly after: string;
  readonly reason: string;
}
export function findSurvivors(
  citations: readonly Citation[],
  notices: (citation: Citation, variant: Variant, job: number) => Promise<boolean>,
  options?: {
    readonly known?: readonly Survivor[];
    readonly jobs?: number;
    readonly log?: (line: string) => void;
    readonly until?: () => boolean;
  },
): Promise<{ lines: number; variants: number; report: string[] }>;
