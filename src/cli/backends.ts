// The backend of commands that run a model.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { firstLineOf } from "../tensor/errors.ts";
import { oneOf } from "./arguments.ts";
import { writeError } from "./terminal.ts";

/** The reference backend is opened in float64, its fastest precision. `threads`: those of simd. */
export async function openBackend(name: string, threads?: number): Promise<Backend> {
  const choice = oneOf("backend", name, ["auto", "simd", "reference"]);
  if (choice === "simd") return (await import("../kernels/simd/index.ts")).simd({ threads });
  const fast = choice === "auto" ? await simdIfItRuns(threads) : null;
  return fast ?? reference("float64");
}

/** The SIMD backend, or null where the engine has no SIMD. If it fails to open, the reason goes to stderr. */
async function simdIfItRuns(threads: number | undefined): Promise<Backend | null> {
  try {
    const { simd, simdRuns } = await import("../kernels/simd/index.ts");
    return simdRuns() ? await simd({ threads }) : null;
  } catch (error) {
    writeError(`the simd backend cannot be opened (${firstLineOf(error)}); using the reference backend\n`);
    return null;
  }
}
