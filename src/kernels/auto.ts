import type { Precision } from "../tensor/precision.ts";
import type { Backend } from "./backend.ts";
import { reference } from "./reference/index.ts";

/**
 * The default backend: `simd` for float32 where the JavaScript engine supports it, else the reference. `name` and `mode` of the
 * result report the choice. A GPU is never chosen automatically.
 */
export async function auto(precision: Precision = "float32"): Promise<Backend> {
  if (precision !== "float32") return reference(precision);
  const { simd, simdRuns } = await import("./simd/index.ts");
  return simdRuns() ? simd() : reference(precision);
}
