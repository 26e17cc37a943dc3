// This package, as anybody calls it: copying in and out is part of its time.
import { matmul, reference, Tensor, view } from "../../../dist/index.js";
import { gpu } from "../../../dist/kernels/gpu/index.js";
import { simd } from "../../../dist/kernels/simd/index.js";

const open = {
  reference: async () => reference("float32"),
  simd: (threads) => simd({ threads }),
  webasm: () => gpu({ mode: "webasm" }),
  cpu: () => gpu({ mode: "cpu" }),
};

export const flamboyance = (name) => async (threads) => {
  const backend = await open[name](threads);
  return async (a, b, [m, k, n]) => {
    const [left, right] = [new Tensor([m, k], view(a, [m, k])), new Tensor([k, n], view(b, [k, n]))];
    return async () => (await matmul(left, right, backend)).data.data;
  };
};
