// The SIMD backend: WebAssembly kernels written in AssemblyScript, on all threads, in single precision.
import type { Backend, KernelCounts } from "../backend.ts";
import { attention } from "./attention.ts";
import { attentionVjp } from "./attention-vjp.ts";
import { binary, unary, where } from "./elementwise.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { concat, gather, pad } from "./layout.ts";
import { einsum } from "./product.ts";
import { normalize, softmax } from "./rows.ts";
import { storeOf } from "./store.ts";
import { sum, sumTo } from "./sums.ts";
import { Weights } from "./weights.ts";

export type { EngineOptions as SimdOptions } from "./engine.ts";

/** Has this engine SIMD and shared memory? */
export const simdRuns = (): boolean => Engine.runs();

export async function simd(options: EngineOptions = {}): Promise<Backend> {
  const engine = await Engine.open(options);
  const ran: KernelCounts = { matmul: 0, attention: 0 };
  const weights = new Weights(engine);
  const threads = engine.crew.size === 1 ? "1 thread" : `${engine.crew.size} threads`;
  const ops: Backend["ops"] = {
    einsum: async ({ pattern }, a, b) => {
      const c = einsum(engine, pattern, a, b, weights);
      ran.matmul++; // [simd.count]
      return c;
    },
    softmax: async (attrs, a) => softmax(engine, attrs, a),
    sum: async (attrs, a) => sum(engine, attrs, a),
    sumTo: async (attrs, a) => sumTo(engine, attrs, a),
    where: async (attrs, a) => where(engine, attrs, a),
    add: async (_, a, b) => binary(engine, "add", a, b),
    sub: async (_, a, b) => binary(engine, "sub", a, b),
    mul: async (_, a, b) => binary(engine, "mul", a, b),
    div: async (_, a, b) => binary(engine, "div", a, b),
    equal: async (_, a, b) => binary(engine, "equal", a, b),
    concat: async (attrs, ...views) => concat(engine, attrs, views),
    pad: async (attrs, a) => pad(engine, attrs, a),
    gather: async (attrs, table) => gather(engine, attrs, table),
    neg: async (_, a) => unary(engine, "neg", a),
    exp: async (_, a) => unary(engine, "exp", a),
    sqrt: async (_, a) => unary(engine, "sqrt", a),
    sigmoid: async (_, a) => unary(engine, "sigmoid", a),
    gelu: async (_, a) => unary(engine, "gelu", a),
    geluSlope: async (_, a) => unary(engine, "geluSlope", a),
    scale: async ({ by }, a) => unary(engine, "scale", a, by),
    shift: async ({ by }, a) => unary(engine, "shift", a, by),
  };
  return {
    name: "simd",
    mode: `${engine.relaxed ? "relaxed" : "fixed"}, ${threads}`,
    precision: "float32",
    ops,
    scopes: {
      attention: async (attrs, inputs) => {
        const out = attention(engine, inputs, attrs);
        ran.attention++; // [simd.count]
        return out;
      },
      attentionVjp: async (attrs, inputs) => {
        const out = attentionVjp(engine, inputs, attrs);
        ran.attention++; // [simd.count]
        return out;
      },
      normalize: async ({ epsilon }, { x }) => normalize(engine, epsilon, x),
    },
    store: storeOf(engine, weights),
    ran,
    close: () => engine.crew.close(),
  };
}
