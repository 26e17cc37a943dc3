// onnxruntime, native or in WebAssembly.
import { matmulModel } from "./onnx-model.mjs";

const product =
  (ort, options) =>
  async (a, b, [m, k, n]) => {
    const session = await ort.InferenceSession.create(matmulModel(m, k, n), options);
    const feeds = { A: new ort.Tensor("float32", a, [m, k]), B: new ort.Tensor("float32", b, [k, n]) };
    return async () => (await session.run(feeds)).C.data;
  };

export async function native(threads) {
  const { default: ort } = await import("onnxruntime-node");
  return product(ort, { intraOpNumThreads: threads, interOpNumThreads: 1 });
}

export async function web(threads) {
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  return product(ort, { executionProviders: ["wasm"] });
}
