// The backend for whoever does not want to choose: simd in single precision where the engine can, else the reference. What it
// is, it says itself: `name` and `mode`. A GPU is chosen by name.
import type { Precision } from "../tensor/precision.ts";
import type { Backend } from "./backend.ts";
import { reference } from "./reference/index.ts";

export async function auto(precision: Precision = "float32"): Promise<Backend> {
  if (precision !== "float32") return reference(precision);
  const { simd, simdRuns } = await import("./simd/index.ts");
  return simdRuns() ? simd() : reference(precision);
}
