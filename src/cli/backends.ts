// The backend of train and generate. The reference one computes in float64, which it does fastest.
import type { Backend } from "../kernels/backend.ts";
import { reference } from "../kernels/reference/index.ts";
import { oneOf } from "./arguments.ts";
import { UsageError } from "./help/usage.ts";

export async function openBackend(name: string): Promise<Backend> {
  const chosen = oneOf("backend", name, ["auto", "simd", "reference"]);
  if (chosen === "simd") return (await import("../kernels/simd/index.ts")).simd();
  if (chosen === "auto") {
    const found = await fastest();
    if (found) return found;
  }
  return reference("float64");
}

/** The SIMD backend, where it runs; where it should and does not, that is said. */
async function fastest(): Promise<Backend | null> {
  try {
    const { auto } = await import("../kernels/auto.ts");
    const found = await auto();
    return found.name === "reference" ? null : found;
  } catch (error) {
    const why = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    process.stderr.write(`the simd backend does not open (${why}); the reference backend computes\n`);
    return null;
  }
}

/** A whole number from an option. */
export function wholeNumber(option: string, value: string, least: number): number {
  const n = Number(value);
  if (Number.isInteger(n) && n >= least) return n;
  throw new UsageError(`--${option} is a whole number from ${least} up, not "${value}"`);
}

export function positive(option: string, value: string): number {
  const x = Number(value);
  if (Number.isFinite(x) && x > 0) return x;
  throw new UsageError(`--${option} is a number above 0, not "${value}"`);
}
