// flamboyance/simd: the backend of WebAssembly SIMD kernels, in float32 and on all threads.

export { type SimdOptions, simd, simdRuns } from "../kernels/simd/index.ts";
