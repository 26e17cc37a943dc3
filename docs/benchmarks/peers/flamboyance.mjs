// flamboyance: as a single product, which copies both operands in and the result out, and as a model runs it.
import { PretrainedDecoder } from "../../../dist/bench/decoders/pretrained.js";
import { gpu } from "../../../dist/entries/gpu.js";
import { Parameter } from "../../../dist/entries/nn.js";
import { simd } from "../../../dist/entries/simd.js";
import { einsum, matmul, reference, run, tensor } from "../../../dist/index.js";

const open = {
  reference: async () => reference("float32"),
  simd: (threads) => simd({ threads }),
  webasm: () => gpu({ mode: "webasm" }),
  cpu: () => gpu({ mode: "cpu" }),
};

export const flamboyance = (name) => async (threads) => {
  const backend = await open[name](threads);
  return async (a, b, [m, k, n]) => {
    const [left, right] = [tensor("m k", [m, k], a), tensor("k n", [k, n], b)];
    return async () => (await matmul(left, right, backend)).flat();
  };
};

/** The operands stay in the backend after the first run, as a model's weights do; only the result is copied. */
export const kept = async (threads) => {
  const backend = await open.simd(threads);
  return async (a, b, [m, k, n]) => {
    const standing = (axes, shape, values) => {
      const parameter = new Parameter(axes, shape, () => 0);
      parameter.assign(tensor(axes, shape, values).data);
      return parameter;
    };
    const model = { left: standing("m k", [m, k], a), right: standing("k n", [k, n], b) };
    const product = () => einsum("m k, k n -> m n", model.left, model.right);
    return async () => (await run(backend, product, { model })).flat();
  };
};

/** A language model from a folder, which is opened once. */
export const languageModel = async (threads) => {
  const backend = await open.simd(threads);
  const opened = new Map();
  return async (folder, text) => {
    if (!opened.has(folder)) opened.set(folder, PretrainedDecoder.open(folder, backend));
    return (await opened.get(folder)).round(text);
  };
};
