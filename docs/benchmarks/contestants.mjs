// Who takes part. `all`: also on as many threads as there are cores.
import { flamboyance, kept } from "./peers/flamboyance.mjs";
import { textbook } from "./peers/gpujs.mjs";
import { numpy } from "./peers/numpy-ts.mjs";
import { native, web } from "./peers/onnxruntime.mjs";
import { tfjs } from "./peers/tfjs.mjs";

/** `pool`: it takes all cores and cannot be told otherwise. `slow`: only small products are asked of it. */
export const contestants = {
  "flamboyance simd": { open: flamboyance("simd"), all: true },
  "flamboyance simd, operands kept": { open: kept, all: true },
  "flamboyance gpu webasm": { open: flamboyance("webasm"), pool: true },
  "flamboyance reference": { open: flamboyance("reference") },
  "tfjs wasm": { open: tfjs },
  "onnxruntime-web": { open: web },
  "onnxruntime-node": { open: native, all: true },
  "numpy-ts": { open: numpy },
  "gpu.js textbook webasm": { open: textbook("webasm"), pool: true, slow: true },
  "gpu.js textbook cpu": { open: textbook("cpu"), slow: true },
};
