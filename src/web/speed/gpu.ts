// gpu.js and the kernels for it: a script of its own, loaded when one of its modes is asked for.
export { gpu } from "../../kernels/gpu/index.ts";
