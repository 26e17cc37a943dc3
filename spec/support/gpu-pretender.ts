// Something that looks like gpu.js with a graphics card and runs the kernels' own functions, cell by cell: what they compute is tested
// without a card, and what becomes of the buffers can be seen.
import type { Library } from "../../src/kernels/gpu/device.ts";

export interface Pretended {
  readonly library: Library;
  /** Results that are on the "device". */
  readonly live: Set<object>;
  /** Arguments that were uploaded, and those that were there already. */
  readonly passed: { uploaded: number; resident: number };
}

type Nested = number[][][];
type Size = readonly number[];

class Uploaded {
  readonly values: Nested;
  constructor(values: Nested) {
    this.values = values;
  }
}

/** gpu.js refuses what is empty. */
function refuseEmpty(size: Size): void {
  if (size.some((n) => n === 0)) throw new Error(`[${size.join(" ")}] is empty`);
}

const at = (values: ArrayLike<number>, [x = 0, y = 0, z = 0]: Size): Nested =>
  Array.from({ length: z }, (_, k) =>
    Array.from({ length: y }, (_, j) =>
      Array.from({ length: x }, (_, i) => values[(k * y + j) * x + i] ?? NaN),
    ),
  );

/** `mode`: what its kernels say they ran in. `fail`: the name of a kernel that throws. */
export function pretend({ mode = "webgpu", fail = "" }: { mode?: string; fail?: string } = {}): Pretended {
  const live = new Set<object>();
  const passed = { uploaded: 0, resident: 0 };
  const WebGL2Kernel = { mode: "gpu" }; // classes, as far as anybody looks
  const Other = { mode };
  class Result {
    readonly values: Nested;
    constructor(values: Nested) {
      this.values = values;
      live.add(this);
    }
    toArray() {
      if (!live.has(this)) throw new Error("it was deleted");
      return this.values.map((rows) => rows.map((row) => Float32Array.from(row)));
    }
    delete() {
      if (!live.delete(this)) throw new Error("it was deleted before");
    }
  }

  type Body = (this: object, ...inputs: Nested[]) => number;
  function createKernel(body: Body, { constants }: { constants: object }) {
    let [x, y, z]: number[] = [1, 1, 1];
    const call = async (...inputs: (Uploaded | Result)[]) => {
      if (body.name === fail) throw new Error("the card is on fire");
      const arrays = inputs.map((input) => {
        if (input instanceof Result && !live.has(input)) throw new Error("an argument was deleted");
        passed[input instanceof Result ? "resident" : "uploaded"]++;
        return input.values;
      });
      const cell = (thread: object) => Math.fround(body.call({ thread, constants }, ...arrays));
      const range = (n = 0) => [...Array(n).keys()];
      return new Result(
        range(z).map((k) => range(y).map((j) => range(x).map((i) => cell({ x: i, y: j, z: k })))),
      );
    };
    const setOutput = (size: Size) => {
      refuseEmpty(size);
      [x, y, z] = size as number[];
    };
    return Object.assign(call, {
      setOutput,
      kernel: { constructor: mode === "webgl2" ? WebGL2Kernel : Other },
    });
  }
  class GPU {
    createKernel = createKernel as never;
    async destroy() {}
  }
  const input = (values: Float32Array, size: Size) => {
    refuseEmpty(size);
    return new Uploaded(at(values, size));
  };
  return { library: { GPU, input, WebGL2Kernel }, live, passed };
}
