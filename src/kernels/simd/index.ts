// The SIMD backend: WebAssembly kernels written in AssemblyScript, on all threads, in float32.
import type { View } from "../../tensor/tensor.ts";
import { ATTENTION_INPUTS, type Backend, type KernelCounts } from "../backend.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import { Appends } from "./ops/append.ts";
import { attendFew } from "./ops/attend-few.ts";
import { attention } from "./ops/attention.ts";
import { attentionVjp } from "./ops/attention-vjp.ts";
import { ELEMENTWISE, elements } from "./ops/elementwise.ts";
import { gather, pad, pick, place, scatter } from "./ops/movement.ts";
import { einsum } from "./ops/product.ts";
import { maxTo, normalize, softmax, sumExp } from "./ops/rows.ts";
import { sum, unbroadcast } from "./ops/sums.ts";
import { storeOf } from "./store.ts";
import { Weights } from "./weights.ts";

export { BUDGET, type EngineOptions as SimdOptions } from "./engine.ts";
export { memorySweep, peakLoop } from "./peak.ts";

/** Whether the JavaScript engine supports WebAssembly SIMD and shared memory. */
export const simdRuns = (): boolean => Engine.runs();

/** The ops whose kernels need nothing but the engine. */
function opsWithoutState(engine: Engine): Backend["ops"] {
  const elementwise = ELEMENTWISE.map((op) => [
    op,
    (attrs: object, a: View, b?: View) => elements(engine, op, attrs, a, b),
  ]);
  return {
    ...Object.fromEntries(elementwise),
    softmax: (attrs, a) => softmax(engine, attrs, a),
    sum: (attrs, a) => sum(engine, attrs, a),
    unbroadcast: (attrs, a) => unbroadcast(engine, attrs, a),
    pad: (attrs, a) => pad(engine, attrs, a),
    scatter: (attrs, a) => scatter(engine, attrs, a),
    pick: (attrs, a) => pick(engine, attrs, a),
    place: (attrs, a) => place(engine, attrs, a),
    maxTo: (attrs, a) => maxTo(engine, attrs, a),
    sumExp: (_, a, shift) => sumExp(engine, a, shift),
  };
}

/**
 * Opens the backend: a WebAssembly memory of up to 4 GiB and its threads, which `close` frees. `simdRuns` says whether the
 * JavaScript engine can run it. Throws a RuleError for an option that it does not have or cannot use.
 */
export async function simd(options: EngineOptions = {}): Promise<Backend> {
  const engine = await Engine.open(options);
  const ran: KernelCounts = { matmul: 0, attention: 0 };
  const weights = new Weights(engine);
  const appends = new Appends(engine);
  const { threads } = engine;
  const ops: Backend["ops"] = {
    ...opsWithoutState(engine),
    einsum: ({ pattern }, a, b) => {
      const c = einsum(engine, pattern, a, b, weights);
      ran.matmul++;
      return c;
    },
    concat: (attrs, ...views) => appends.concat(attrs, views),
    gather: (attrs, table) => gather(engine, attrs, table, weights),
  };
  return {
    name: "simd",
    mode: engine.relaxed ? "relaxed" : "fixed",
    threads: threads.size,
    precision: "float32",
    ops,
    scopes: {
      attention: {
        takes: ATTENTION_INPUTS,
        run: async (attrs, inputs) => {
          const out = attendFew(engine, inputs, attrs) ?? attention(engine, inputs, attrs);
          ran.attention++;
          return out;
        },
      },
      attentionVjp: {
        takes: ATTENTION_INPUTS.map((inputs) => [...inputs, "g"]),
        run: async (attrs, inputs) => {
          const out = attentionVjp(engine, inputs, attrs);
          ran.attention++;
          return out;
        },
      },
      normalize: {
        takes: [["x"]],
        run: async (attrs, { x }) => normalize(engine, attrs, x),
      },
    },
    store: storeOf(engine, weights, appends),
    ran,
    close: () => threads.close(),
  };
}
