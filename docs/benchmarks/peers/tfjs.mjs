// TensorFlow.js on its WebAssembly backend.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export async function tfjs() {
  const require = createRequire(import.meta.url);
  const tf = require("@tensorflow/tfjs-core");
  const { setWasmPaths } = require("@tensorflow/tfjs-backend-wasm");
  const home = dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json"));
  setWasmPaths(join(home, "wasm-out/"));
  await tf.setBackend("wasm");
  await tf.ready();
  return async (a, b, [m, k, n]) => {
    const [left, right] = [tf.tensor2d(a, [m, k]), tf.tensor2d(b, [k, n])];
    return async () => {
      const c = tf.matMul(left, right);
      const values = c.dataSync(); // a view of its memory: nothing is copied
      c.dispose();
      return values;
    };
  };
}
