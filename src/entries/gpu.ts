// flamboyance/gpu: the backend of gpu.js, which is installed separately.

export { type GpuMode, gpu } from "../kernels/gpu/index.ts";
