// The packages whose matrix product is measured.
import { flamboyance, kept } from "./peers/flamboyance.mjs";
import { textbook } from "./peers/gpujs.mjs";
import { numpy } from "./peers/numpy-ts.mjs";
import { native, web } from "./peers/onnxruntime.mjs";
import { tfjs } from "./peers/tfjs.mjs";

/**
 * `open(threads)` resolves to `prepare(a, b, shape)`, and that to a function that multiplies once and resolves to the product.
 * `threads`: "one", "both" (one, and as many as there are cores) or "cores" (the package decides, and uses them all).
 * `slow`: only small products are measured.
 */
export const targets = {
  "flamboyance simd": { open: flamboyance("simd"), threads: "both" },
  "flamboyance simd, operands kept": { open: kept, threads: "both" },
  "flamboyance gpu webasm": { open: flamboyance("webasm"), threads: "cores" },
  "flamboyance reference": { open: flamboyance("reference"), threads: "one" },
  "tfjs wasm": { open: tfjs, threads: "one" },
  "onnxruntime-web": { open: web, threads: "one" },
  "onnxruntime-node": { open: native, threads: "both" },
  "numpy-ts": { open: numpy, threads: "one" },
  "gpu.js textbook webasm": { open: textbook("webasm"), threads: "cores", slow: true },
  "gpu.js textbook cpu": { open: textbook("cpu"), threads: "one", slow: true },
};
