// The packages that are measured beside PyTorch: their matrix product, and what else they can do.
import { flamboyance, kept, languageModel } from "./peers/flamboyance.mjs";
import { textbook } from "./peers/gpujs.mjs";
import * as jax from "./peers/jax-js.mjs";
import { numpy } from "./peers/numpy-ts.mjs";
import { native, web } from "./peers/onnxruntime.mjs";
import { tfjs } from "./peers/tfjs.mjs";

/**
 * `open(threads)` resolves to `prepare(a, b, shape)`, and that to a function that multiplies once and resolves to the product.
 * `threads`: "one", "both" (one, and as many as there are cores) or "cores" (the package decides, and uses them all).
 * `slow`: only small products are measured. `attention(threads)` and `gated(threads)`, where a package is measured on them, resolve to
 * functions that take the work of work.mjs and resolve to a function that does it once. `languageModel(threads)` resolves to a function
 * that takes a folder and a text, and resolves to the times of a round.
 */
export const targets = {
  "flamboyance simd": { open: flamboyance("simd"), threads: "both", languageModel },
  "flamboyance simd, operands kept": { open: kept, threads: "both" },
  "flamboyance gpu webasm": { open: flamboyance("webasm"), threads: "cores" },
  "flamboyance reference": { open: flamboyance("reference"), threads: "one" },
  "tfjs wasm": { open: tfjs, threads: "one" },
  "onnxruntime-web": { open: web, threads: "one" },
  "onnxruntime-node": { open: native, threads: "both" },
  "jax-js wasm": { open: jax.product, threads: "one", attention: jax.attention, gated: jax.gated },
  "numpy-ts": { open: numpy, threads: "one" },
  "gpu.js textbook webasm": { open: textbook("webasm"), threads: "cores", slow: true },
  "gpu.js textbook cpu": { open: textbook("cpu"), threads: "one", slow: true },
};
