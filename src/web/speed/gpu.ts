// gpu.js and its kernels: a script of its own, loaded when one of its modes is measured.
export { gpu } from "../../kernels/gpu/index.ts";
