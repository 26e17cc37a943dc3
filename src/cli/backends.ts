// The backend of the digits' commands.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { firstLineOf } from "../tensor/errors.ts";
import { oneOf } from "./arguments.ts";
import { writeError } from "./terminal.ts";

/** The reference backend is opened in float64, its fastest precision. */
export async function openBackend(name: string): Promise<Backend> {
  const choice = oneOf("backend", name, ["auto", "simd", "reference"]);
  if (choice === "simd") return (await import("../kernels/simd/index.ts")).simd();
  const fast = choice === "auto" ? await simdIfItRuns() : null;
  return fast ?? reference("float64");
}

/** The SIMD backend, or null where the engine has no SIMD. If it fails to open, the reason goes to stderr. */
async function simdIfItRuns(): Promise<Backend | null> {
  try {
    const { auto } = await import("../kernels/auto.ts");
    const backend = await auto();
    return backend.name === "reference" ? null : backend;
  } catch (error) {
    writeError(`the simd backend cannot be opened (${firstLineOf(error)}); using the reference backend\n`);
    return null;
  }
}
