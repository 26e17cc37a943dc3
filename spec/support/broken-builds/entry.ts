// The part of the package that a broken build exposes: golden cases, their check, and the backends.
export { checkCase } from "../../../src/conformance/cases/check-case.ts";
export { readCase } from "../../../src/io/golden/cases.ts";
export { gpu } from "../../../src/kernels/gpu/index.ts";
export { reference } from "../../../src/kernels/reference/index.ts";
export { simd } from "../../../src/kernels/simd/index.ts";
