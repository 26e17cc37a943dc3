// The matrix product of gpu.js's README: a loop over a row and a column for each cell. Its bound is a constant, because gpu.js
// stops other loops after 1,000 iterations.
import { createRequire } from "node:module";

export const textbook = (mode) => async () => {
  const { GPU } = createRequire(import.meta.url)("gpu.js");
  const gpu = new GPU({ mode });
  return async (a, b, [m, k, n]) => {
    const rows = (values, count, width) =>
      Array.from({ length: count }, (_, i) => values.subarray(i * width, (i + 1) * width));
    const [left, right] = [rows(a, m, k), rows(b, k, n)];
    const multiply = gpu.createKernel(
      function (a, b) {
        let sum = 0;
        for (let i = 0; i < this.constants.size; i++) sum += a[this.thread.y][i] * b[i][this.thread.x];
        return sum;
      },
      { constants: { size: k }, output: [n, m], asyncMode: true, precision: "single", strictIntegers: true },
    );
    return async () => {
      const c = await multiply(left, right);
      const ran = multiply.kernel.constructor.mode;
      if (ran !== mode) throw new Error(`gpu.js ran in ${ran} instead of ${mode}`);
      return { length: m * n, at: (i) => c[Math.floor(i / n)][i % n] };
    };
  };
};
