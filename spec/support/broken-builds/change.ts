// The type of a broken build, and the ways in which its cases are run.

/** The backends that cases are run on. The default is the definition in float64. */
export type BackendName = "float64" | "float16" | "simd" | "gpu cpu";

/** A plausible mistake: one line of one source file, changed. */
export interface BrokenBuild {
  /** The mistake of the build, as a clause: "crossAttnEvery is 4 by default". */
  readonly mistake: string;
  /** The file, from `src/` on, and the text in it that is replaced. The text occurs once. */
  readonly path: string;
  readonly before: string;
  readonly after: string;
  /** The cases that notice it, by their folders' names; each of them does. */
  readonly noticedBy: readonly string[];
  readonly backend?: BackendName;
}
