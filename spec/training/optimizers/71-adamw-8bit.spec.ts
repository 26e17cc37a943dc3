// The executable half of 71-adamw-8bit.md. Golden cases of bitsandbytes 0.50.2 compare whole steps bit for bit (golden/cases/bitsandbytes); here
// are the formulas of the paper, one number at a time, and what follows from them.
import { describe, expect, test } from "vitest";
import { loadSafetensors } from "../../../src/io/safetensors/read.ts";
import { LoadError } from "../../../src/tensor/errors.ts";
import { flat, Int, Tensor, view } from "../../../src/tensor/tensor.ts";
import { adamw } from "../../../src/training/optimizers/adamw.ts";
import { type AdamW8bitOptions, adamw8bit } from "../../../src/training/optimizers/eight-bit/adamw.ts";
import { quantizers } from "../../../src/training/optimizers/eight-bit/blocks.ts";
import { dynamicMap } from "../../../src/training/optimizers/eight-bit/dynamic-map.ts";
import { fma } from "../../../src/training/optimizers/eight-bit/float32.ts";
import type { StoredState } from "../../../src/training/optimizers/optimizer.ts";
import { refusal } from "../../support/properties/refusals.ts";

const f = Math.fround;

/** Numbers from −1 to 1 of a linear congruential generator, in float32. */
function numbers(seed: number, n: number, scale = 1): Float32Array {
  let state = BigInt(seed) * 2654435761n + 12345n;
  return Float32Array.from({ length: n }, () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
    return f((Number(state >> 11n) / 2 ** 52 - 1) * scale);
  });
}

const tensorOf = (values: Float32Array | Float64Array): Tensor =>
  new Tensor([values.length], view(values, [values.length]));
const valuesOf = (t: Tensor | Int | undefined): number[] => [
  ...(t instanceof Int ? t.flat() : t ? flat(t.data) : []),
];
const named = (t: Tensor) => new Map([["w", t]]);
const options = (more: Partial<AdamW8bitOptions> = {}): AdamW8bitOptions => ({
  groups: [{ names: ["w"] }],
  min8bitSize: 0,
  ...more,
});

describe("the map", () => {
  // The paper's construction by hand, with decimal numbers: 10ᵉ times the middles of 2ᵏ equal intervals of 0.1 to 1.
  const byHand = (signed: boolean): number[] => {
    const values = [0, 1];
    for (let e = -6; e <= 0; e++) {
      const parts = 2 ** (e + (signed ? 6 : 7));
      for (let k = 0; k < parts; k++) {
        const middle = (0.1 + (0.9 * (k + 0.5)) / parts) * 10 ** e;
        values.push(middle, ...(signed ? [-middle] : []));
      }
    }
    return values.sort((a, b) => a - b);
  };
  test.each([true, false])("[adamw8bit.map] 256 numbers in order, the paper's (signed: %s)", (signed) => {
    const [map, expected] = [dynamicMap(signed), byHand(signed)];
    expect(expected).toHaveLength(256);
    expect([...map].every((x, i) => i === 0 || x > (map[i - 1] ?? 0))).toBe(true);
    // Three roundings of numbers up to 1 before the power of ten, and numbers of at least 0.1 of it.
    for (const [i, x] of map.entries())
      expect(Math.abs(x - (expected[i] ?? 0))).toBeLessThanOrEqual(3 * 2 ** -24 * 10 * Math.abs(x));
    expect([map[255], map.includes(0), map[0]]).toEqual([1, true, signed ? f(-0.99296875) : 0]);
  });

  test.each(["qmap1", "qmap2"])(
    "[adamw8bit.map] the numbers of create_dynamic_map, bit for bit: %s",
    (name) => {
      const file = loadSafetensors("golden/cases/bitsandbytes/adamw-8bit--midpoints/expected.safetensors");
      const optimizer = adamw8bit(options());
      optimizer.step(named(tensorOf(numbers(1, 5))), named(tensorOf(numbers(2, 5))));
      expect(valuesOf(file.tensor(`outputs.${name}`))).toEqual(valuesOf(optimizer.state().get(`${name}.w`)));
      file.close();
    },
  );
});

describe("fused multiply-adds", () => {
  /** The exact value of a float64 number as a whole multiple of 2⁻¹⁰⁷⁴. */
  const exact = (x: number): bigint => {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, x);
    const word = bits.getBigUint64(0);
    const [exponent, fraction] = [Number((word >> 52n) & 0x7ffn), word & 0xfffffffffffffn];
    const magnitude = exponent === 0 ? fraction : (fraction | (1n << 52n)) << BigInt(exponent - 1);
    return x < 0 ? -magnitude : magnitude;
  };
  /** The float32 number that is nearest to a · b + c in whole numbers, ties to even. */
  const nearest = (a: number, b: number, c: number): number => {
    const value = exact(a) * exact(b) + (exact(c) << 1074n);
    const guess = f(a * b + c);
    const bits = new Uint32Array(Float32Array.of(guess).buffer);
    const candidates = [-1, 0, 1].map((step) => {
      const next = Uint32Array.of((bits[0] ?? 0) + step);
      return { even: (next[0] ?? 0) % 2 === 0, x: new Float32Array(next.buffer)[0] ?? 0 };
    });
    const distance = (x: number): bigint => {
      const d = (exact(x) << 1074n) - value;
      return d < 0n ? -d : d;
    };
    return candidates.reduce((best, one) => {
      const [p, q] = [distance(best.x), distance(one.x)];
      return q < p || (q === p && one.even) ? one : best;
    }).x;
  };

  test("[adamw8bit.order] are rounded once: the middle of two float32 numbers, missed by less than float64 can hold", () => {
    // 1 + 2⁻²⁴ is the middle of 1 and 1 + 2⁻²³. The product is a little above or below 2⁻²⁴.
    const [above, below] = [f(1 + 2 ** -23), f(1 - 2 ** -24)];
    const cases: [number, number, number][] = [
      [f(2 ** -24 * above), above, 1],
      [f(2 ** -24), above, 1],
      [f(2 ** -24), 1, 1],
      [f(2 ** -24), below, 1],
      [f(2 ** -24 * below), below, f(1 + 2 ** -23)],
      [f(2 ** -60), f(2 ** -60), f(1 + 2 ** -23)],
      [f(-(2 ** -24)), above, f(1 + 2 ** -22)],
      [f(2 ** -12 + 2 ** -35), f(2 ** -12 - 2 ** -35), 1],
      [f(2 ** -12 + 2 ** -35), f(2 ** -12 - 2 ** -35), f(1 + 2 ** -23)],
      [f(2 ** -12 + 2 ** -35), f(-(2 ** -12) + 2 ** -35), f(1 + 2 ** -23)],
      [f(2 ** -12 + 2 ** -35), f(-(2 ** -12) + 2 ** -35), f(1 + 2 ** -22)],
    ];
    for (const [a, b, c] of cases) expect([a, b, c, fma(a, b, c)]).toEqual([a, b, c, nearest(a, b, c)]);
    // Rounded first to float64 and then to float32, two of them are wrong.
    expect(cases.filter(([a, b, c]) => f(a * b + c) !== nearest(a, b, c))).toHaveLength(2);
  });

  test("[adamw8bit.order] are rounded once: 3,000 random ones, subnormal sums among them", () => {
    const [a, b, c] = [numbers(1, 3000), numbers(2, 3000), numbers(3, 3000)];
    for (let i = 0; i < 3000; i++) {
      const scale = f(2 ** -(i % 30));
      const [x, y, z] = [f((a[i] ?? 0) * scale), b[i] ?? 0, f((c[i] ?? 0) * (i % 7 === 0 ? 2 ** -130 : 1))];
      const small = i % 7 === 0 ? f(x * 2 ** -128) : x;
      expect([small, y, z, fma(small, y, z)]).toEqual([small, y, z, nearest(small, y, z)]);
    }
  });

  test("[adamw8bit.order] means are rounded after each operation, and parameters with 8-bit state as well", () => {
    const n = 700; // two blocks of 256 and a partial one
    const [rate, decay, epsilon, betas] = [0.013, 0.07, 1e-7, [0.83, 0.957]] as const;
    const more = { learningRate: rate, weightDecay: decay, epsilon, betas };
    const [wide, narrow] = [adamw8bit(options({ ...more, in32Bits: ["w"] })), adamw8bit(options(more))];
    const [p, q] = [tensorOf(numbers(21, n)), tensorOf(numbers(21, n))];
    const [m, v] = [new Float32Array(n), new Float32Array(n)];
    for (let t = 1; t <= 3; t++) {
      const g = numbers(40 + t, n);
      wide.step(named(p), named(tensorOf(g)));
      for (const [i, x] of g.entries()) {
        m[i] = nearest(f(1 - betas[0]), x, f((m[i] ?? 0) * f(betas[0])));
        v[i] = nearest(f(f(1 - betas[1]) * x), x, f((v[i] ?? 0) * f(betas[1])));
      }
      expect(valuesOf(wide.state().get("state1.w"))).toEqual([...m]);
      expect(valuesOf(wide.state().get("state2.w"))).toEqual([...v]);
      if (t > 1) continue;
      narrow.step(named(q), named(tensorOf(g)));
      const expected = Array.from(numbers(21, n), (x, i) => {
        const root = f(f(Math.sqrt(v[i] ?? 0)) / f(Math.sqrt(1 - betas[1])));
        const update = f(f(f(-rate / (1 - betas[0])) * (m[i] ?? 0)) / f(root + f(epsilon)));
        return f(f(x * f(1 - rate * decay)) + update);
      });
      expect(valuesOf(q)).toEqual(expected);
    }
  });
});

describe("a block", () => {
  const quantized = (name: "midpoints" | "table", signed: boolean, values: Float32Array, partial = false) => {
    const codes = new Uint8Array(values.length).fill(9); // those of a step before
    const map = dynamicMap(signed);
    const scale = quantizers[name](map)({ values, length: values.length, codes, at: 0, partial });
    return { codes, scale, map, values: Float32Array.from(codes, (code) => f((map[code] ?? 0) * scale)) };
  };
  /** The paper's formula: the index of the number that is nearest to x / max |x|; the lower one of two that are as near. */
  const argmin = (map: Float32Array, x: number, scale: number): number => {
    let best = 0;
    for (const [i, q] of map.entries())
      if (Math.abs(q - x / scale) < Math.abs((map[best] ?? 0) - x / scale)) best = i;
    return best;
  };
  const spread = (seed: number, n: number) => {
    const [values, powers] = [numbers(seed, n), numbers(seed + 1, n)];
    return values.map((x, i) => f(x * 10 ** (4 * (powers[i] ?? 0) - 4)));
  };

  test.each([true, false])(
    "[adamw8bit.nearest] is replaced by the numbers nearest to the quotients (signed: %s)",
    (signed) => {
      for (const partial of [false, true]) {
        const values = spread(5, 2000).map((x) => (signed ? x : Math.abs(x)));
        const largest = values.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        const { codes, scale, map } = quantized("midpoints", signed, values, partial);
        expect(scale).toBe(largest);
        const expected = [...values].map((x) => argmin(map, x, largest));
        // A quotient within the roundings of the middle of two may go either way.
        const others = [...codes].filter((code, i) => code !== expected[i]);
        expect(others).toHaveLength(0);
        expect(new Set(codes).size).toBeGreaterThan(150);
      }
    },
  );

  test("[adamw8bit.nearest] the middle of two numbers goes to the lower one, and what is above it to the upper one", () => {
    const map = dynamicMap(true);
    const middles = Float32Array.from({ length: 255 }, (_, i) => f(f((map[i] ?? 0) + (map[i + 1] ?? 0)) / 2));
    const above = new Float32Array(middles);
    const bits = new Uint32Array(above.buffer);
    bits.forEach((word, i) => {
      bits[i] = word + ((middles[i] ?? 0) < 0 ? -1 : 1);
    });
    const at = (values: Float32Array) =>
      [...quantized("midpoints", true, Float32Array.of(...values, 1)).codes].slice(0, 255);
    expect(at(middles)).toEqual(Array.from({ length: 255 }, (_, i) => i));
    expect(at(above)).toEqual(Array.from({ length: 255 }, (_, i) => i + 1));
  });

  test("[adamw8bit.nearest] the error of a value is at most half the distance of its neighbours times the scale", () => {
    for (const signed of [true, false]) {
      const values = numbers(9, 4096, 3).map((x) => (signed ? x : Math.abs(x)));
      const { codes, scale, map, values: found } = quantized("midpoints", signed, values);
      for (const [i, x] of values.entries()) {
        const [code = 0, y = 0] = [codes[i], found[i]];
        const gap = Math.max(
          (map[code] ?? 0) - (map[code - 1] ?? -1),
          (map[code + 1] ?? 1) - (map[code] ?? 0),
        );
        expect(Math.abs(x - y)).toBeLessThanOrEqual((gap / 2 + 1e-6) * scale);
      }
    }
  });

  test("[adamw8bit.nearest] quantising again changes nothing where the largest magnitude is positive", () => {
    for (const partial of [false, true])
      for (const signed of [true, false]) {
        const values = spread(11, 256).map((x) => (signed ? x : Math.abs(x)));
        values[17] = 2; // beyond all others
        const once = quantized("midpoints", signed, values, partial);
        const twice = quantized("midpoints", signed, once.values, partial);
        expect([...twice.codes]).toEqual([...once.codes]);
        expect(twice.scale).toBe(once.scale);
      }
  });

  test("[adamw8bit.map] a negative largest magnitude shrinks, because −1 is not in the map", () => {
    const { values, codes } = quantized("midpoints", true, Float32Array.of(-2, 0.5));
    expect([codes[0], values[0]]).toEqual([0, f(-2 * f(0.99296875))]);
  });

  test("[adamw8bit.table] 0 becomes the number nearest to 1 / 65,535 of the scale; with midpoints it stays 0", () => {
    // Beside 1.526e-5: 7.75e-6 and 2.125e-5 with a sign, 8.875e-6 and 1.5625e-5 without.
    for (const [signed, expected] of [
      [true, 2.125e-5],
      [false, 1.5625e-5],
    ] as const) {
      expect(quantized("table", signed, Float32Array.of(0, 1)).values[0]).toBeCloseTo(expected, 10);
      expect(quantized("midpoints", signed, Float32Array.of(0, 1)).values[0]).toBe(0);
    }
  });

  test("[adamw8bit.table] a quotient is rounded to one of 65,536 numbers before the nearest is looked up", () => {
    const values = Float32Array.of(...numbers(13, 3000), 1);
    const { codes, map } = quantized("table", true, values);
    const expected = [...values].map((x) =>
      argmin(map, (Math.floor(((x + 1) / 2) * 65535 + 0.5) * 2) / 65535 - 1, 1),
    );
    const others = [...codes].filter((code, i) => code !== expected[i]).length;
    expect(others).toBeLessThan(5); // on the edges of entries, where roundings decide
    expect([...codes].some((code, i) => code !== argmin(map, values[i] ?? 0, 1))).toBe(true);
  });

  test("[adamw8bit.partial] [adamw8bit.table] a block of zeros has the scale 0, and one that is not full the least scale", () => {
    const zeros = new Float32Array(3);
    expect(quantized("midpoints", true, zeros).scale).toBe(0);
    expect(quantized("midpoints", true, zeros, true).scale).toBe(f(1e-38));
    for (const partial of [false, true]) {
      const { scale, codes } = quantized("table", true, zeros, partial);
      expect([scale, ...codes]).toEqual([0, 0, 0, 0]);
    }
  });
});

describe("a step", () => {
  /** A step in float64 from dequantised means, and the codes of the paper's formula. */
  const step = (n: number, more: Partial<AdamW8bitOptions>, steps = 3) => {
    const p = tensorOf(numbers(21, n));
    const optimizer = adamw8bit(options({ learningRate: 0.01, ...more }));
    for (let t = 0; t < steps; t++) optimizer.step(named(p), named(tensorOf(numbers(30 + t, n))));
    return { p, optimizer, state: optimizer.state() };
  };
  const float64 = (n: number, more: object, steps = 3) => {
    const p = tensorOf(Float64Array.from(numbers(21, n)));
    const optimizer = adamw({ groups: [{ names: ["w"] }], learningRate: 0.01, ...more });
    for (let t = 0; t < steps; t++) optimizer.step(named(p), named(tensorOf(numbers(30 + t, n))));
    return { p, state: optimizer.state() };
  };
  const furthest = (a: readonly number[], b: readonly number[]): number =>
    a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] ?? Number.NaN))), 0);

  test("[adamw8bit.step] the first step is AdamW's, because the means before it are 0", () => {
    const [found, expected] = [step(1000, {}, 1), float64(1000, {}, 1)];
    expect(furthest(valuesOf(found.p), valuesOf(expected.p))).toBeLessThan(2e-7);
    const [scales, moments] = [
      valuesOf(found.state.get("absmax1.w")),
      valuesOf(expected.state.get("exp_avg.w")),
    ];
    expect(scales).toHaveLength(4);
    for (const [block, scale] of scales.entries()) {
      const largest = Math.max(...moments.slice(256 * block, 256 * (block + 1)).map(Math.abs));
      expect(Math.abs(scale - largest)).toBeLessThanOrEqual(2 ** -23 * largest);
    }
  });

  test("[adamw8bit.step] later steps use the means that were stored, not those before they were quantised", () => {
    // By the formulas, from the stored codes of two steps: the third step's update in float64.
    const n = 300;
    for (const quantizer of ["midpoints", "table"] as const) {
      const before = step(n, { quantizer }, 2);
      const after = step(n, { quantizer }, 3);
      const [g, p] = [numbers(32, n), valuesOf(before.p)];
      const mean = (i: number, which: 1 | 2): number => {
        const code = valuesOf(before.state.get(`state${which}.w`))[i] ?? 0;
        return (
          (dynamicMap(which === 1)[code] ?? 0) * (valuesOf(before.state.get(`absmax${which}.w`))[i >> 8] ?? 0)
        );
      };
      const expected = p.map((x, i) => {
        const m = 0.9 * mean(i, 1) + 0.1 * (g[i] ?? 0);
        const v = 0.999 * mean(i, 2) + 0.001 * (g[i] ?? 0) ** 2;
        const [m1, v1] = [m / (1 - 0.9 ** 3), v / (1 - 0.999 ** 3)];
        return x * (1 - 0.01 * 0.01) - (0.01 * m1) / (Math.sqrt(v1) + 1e-8);
      });
      expect(furthest(valuesOf(after.p), expected)).toBeLessThan(1e-6);
      expect(furthest(valuesOf(after.p), valuesOf(float64(n, {}).p))).toBeGreaterThan(1e-5);
    }
  });

  test("[adamw8bit.float32] parameters and means are float32 numbers", () => {
    const { p, state } = step(300, {});
    expect(p.data.data).toBeInstanceOf(Float32Array);
    expect(state.get("state1.w")).toBeInstanceOf(Int);
    for (const name of ["absmax1.w", "absmax2.w", "qmap1.w", "qmap2.w"])
      expect(valuesOf(state.get(name)).every((x) => f(x) === x)).toBe(true);
    const wide = step(300, { min8bitSize: 301 }).state;
    for (const name of ["state1.w", "state2.w"]) {
      expect(valuesOf(wide.get(name)).every((x) => f(x) === x)).toBe(true);
      expect((wide.get(name) as Tensor).dtype).toBe("float32");
    }
  });

  test("[adamw8bit.wide] [optimizer.groups] below the limit the state has 32 bits, and the steps are AdamW's up to float32", () => {
    for (const more of [{ min8bitSize: 301 }, { in32Bits: ["w"] }]) {
      const [found, expected] = [step(300, more, 5), float64(300, {}, 5)];
      expect([...found.state.keys()]).toEqual(["state1.w", "state2.w", "step.w"]);
      expect(furthest(valuesOf(found.p), valuesOf(expected.p))).toBeLessThan(1e-6);
      expect(
        furthest(valuesOf(found.state.get("state1.w")), valuesOf(expected.state.get("exp_avg.w"))),
      ).toBeLessThan(1e-6);
      expect(
        furthest(valuesOf(found.state.get("state2.w")), valuesOf(expected.state.get("exp_avg_sq.w"))),
      ).toBeLessThan(1e-7);
    }
    expect(step(300, { min8bitSize: 300 }).state.has("absmax1.w")).toBe(true);
    // the default limit is 4096
    const kept = (n: number) => {
      const optimizer = adamw8bit({ groups: [{ names: ["w"] }] });
      optimizer.step(named(tensorOf(numbers(1, n))), named(tensorOf(numbers(2, n))));
      return optimizer.state().has("absmax1.w");
    };
    expect([kept(4095), kept(4096)]).toEqual([false, true]);
    expect(refusal(() => adamw8bit(options({ in32Bits: ["v"] }))).message).toContain(
      '"v" cannot have 32-bit state',
    );
  });

  test("[adamw8bit.step] the state of an element takes 2 bytes and 8 for each block, beside 8 in 32 bits", () => {
    const bytes = (state: StoredState) =>
      [...state].reduce((sum, [name, t]) => {
        if (/^(qmap.|step)\./.test(name)) return sum; // 2,052 bytes for each parameter
        return sum + (t instanceof Int ? 1 : 4) * valuesOf(t).length;
      }, 0);
    expect(bytes(step(25600, {}, 1).state) / 25600).toBe(2 + 8 / 256);
    expect(bytes(step(25600, { blockSize: 2048 }, 1).state)).toBe(2 * 25600 + 8 * 13);
    expect(bytes(step(25600, { in32Bits: ["w"] }, 1).state) / 25600).toBe(8);
  });

  test("[adamw8bit.step] blocks are independent: the gradients of one do not change another", () => {
    const n = 700;
    const run = (seed: number) => {
      const p = tensorOf(numbers(21, n));
      const optimizer = adamw8bit(options());
      for (let t = 0; t < 3; t++) {
        const others = numbers(seed + t, n);
        const g = numbers(30 + t, n).map((x, i) => (i >= 256 && i < 512 ? (others[i] ?? 0) : x));
        optimizer.step(named(p), named(tensorOf(g)));
      }
      return valuesOf(p);
    };
    const [a, b] = [run(30), run(40)];
    const changed = a.flatMap((x, i) => (x === b[i] ? [] : [i]));
    expect(changed.length).toBeGreaterThan(100);
    expect([Math.min(...changed) >= 256, Math.max(...changed) < 512]).toEqual([true, true]);
  });

  test("[adamw8bit.step] the defaults are the package's, and the quantiser's is the paper's", () => {
    const given = {
      learningRate: 1e-3,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0.01,
      blockSize: 256,
      quantizer: "midpoints",
    } as const;
    const run = (more: Partial<AdamW8bitOptions>) => {
      const p = tensorOf(numbers(21, 5000));
      const optimizer = adamw8bit({ groups: [{ names: ["w"] }], ...more });
      for (let t = 0; t < 3; t++) optimizer.step(named(p), named(tensorOf(numbers(30 + t, 5000, 1e-6))));
      return { p: valuesOf(p), state: optimizer.state() };
    };
    expect(run({})).toEqual(run(given));
    expect(run({}).p).not.toEqual(run({ quantizer: "table" }).p);
  });

  test.each([
    ["NaN", Number.NaN],
    ["infinite", -Infinity],
    ["too large for its square", 2 ** 64],
  ])("[adamw8bit.finite] a gradient that is %s is refused, and nothing changes", (_, wrong) => {
    const both = { names: ["a", "w"] };
    const optimizer = adamw8bit({ groups: [both], min8bitSize: 0 });
    const parameters = new Map([
      ["a", tensorOf(numbers(1, 300))],
      ["w", tensorOf(numbers(2, 300))],
    ]);
    const good = new Map([...parameters.keys()].map((name) => [name, tensorOf(numbers(3, 300))]));
    optimizer.step(parameters, good);
    const before = [...parameters.values()].map(valuesOf);
    const state = optimizer.state();
    const g = Float64Array.from(numbers(4, 300));
    g[299] = wrong;
    const error = refusal(() => optimizer.step(parameters, new Map([...good, ["w", tensorOf(g)]])));
    expect(error.rule).toBe("adamw8bit.finite");
    expect(error.message).toContain('the gradient of "w" has the value');
    expect([...parameters.values()].map(valuesOf)).toEqual(before);
    expect(optimizer.state()).toEqual(state);
    const largest = new Map([...good, ["w", tensorOf(Float64Array.from({ length: 300 }, () => 2 ** 63))]]);
    optimizer.step(parameters, largest);
    expect([...parameters.values()].every((t) => valuesOf(t).every(Number.isFinite))).toBe(true);
  });
});

describe("loaded state", () => {
  const make = (more: Partial<AdamW8bitOptions> = {}) => adamw8bit(options({ ...more }));
  const stepped = (more: Partial<AdamW8bitOptions> = {}) => {
    const optimizer = make(more);
    optimizer.step(named(tensorOf(numbers(1, 300))), named(tensorOf(numbers(2, 300))));
    return optimizer;
  };
  const values = (...x: number[]) => tensorOf(Float64Array.from(x));
  const codes = (length: number, code = 7) => new Int([length], new Int32Array(length).fill(code));
  const narrow = stepped().state();
  const without = (name: string) => new Map([...narrow].filter(([key]) => key !== name));
  const changed = (name: string, t: Tensor | Int) => new Map([...narrow, [name, t] as const]);
  const wide = stepped({ in32Bits: ["w"] }).state();
  const wrong: [string, Partial<AdamW8bitOptions>, StoredState, string][] = [
    ["no codes", {}, without("state1.w"), '"state1.w" is missing'],
    ["no second codes", {}, without("state2.w"), '"state2.w" is missing'],
    ["no scales", {}, without("absmax2.w"), '"absmax2.w" is missing'],
    ["no map", {}, without("qmap1.w"), '"qmap1.w" is missing'],
    ["no count of steps", {}, without("step.w"), '"step.w" is missing'],
    ["another map", {}, changed("qmap2.w", narrow.get("qmap1.w") ?? values(1)), "another map"],
    ["a map that is too short", {}, changed("qmap2.w", values(1)), "has 1 elements instead of 256"],
    ["codes beyond a byte", {}, changed("state2.w", codes(300, 256)), "has to be a byte"],
    ["negative codes", {}, changed("state2.w", codes(300, -1)), "has to be a byte"],
    ["codes that are floats", {}, changed("state2.w", tensorOf(new Float32Array(300))), "holds floats"],
    ["fewer second codes", {}, changed("state2.w", codes(299)), "has 299 elements instead of 300"],
    ["another size", {}, changed("state1.w", codes(299)), "has 299 elements instead of 300"],
    ["scales of one block", {}, changed("absmax1.w", values(1)), "has 1 elements instead of 2"],
    ["a negative scale", {}, changed("absmax1.w", values(1, -1)), "at least 0"],
    ["an infinite scale", {}, changed("absmax1.w", values(1, Infinity)), "finite number"],
    ["a scale of NaN", {}, changed("absmax1.w", values(Number.NaN, 1)), "finite number"],
    ["a scale that is no float32 number", {}, changed("absmax1.w", values(0.1, 1)), "in float32"],
    ["a count of 0", {}, changed("step.w", values(0)), "from 1 up"],
    ["half a step", {}, changed("step.w", values(1.5)), "from 1 up"],
    ["an unknown tensor", {}, changed("state3.w", values(1)), 'no place for "state3.w"'],
    ["an unknown parameter", {}, changed("state1.v", values(1)), 'no place for "state1.v"'],
    ["state of adamw", {}, new Map([["exp_avg.w", values(1)]]), 'no place for "exp_avg.w"'],
    ["8-bit state for 32 bits", { in32Bits: ["w"] }, narrow, "the state has 32 bits"],
    ["32-bit state for 8 bits", {}, wide, '"absmax1.w" is missing'],
    ["other blocks", { blockSize: 100 }, narrow, "has 2 elements instead of 3"],
    [
      "a negative mean of squares",
      { in32Bits: ["w"] },
      new Map([...wide, ["state2.w", tensorOf(new Float32Array(300).fill(-1))]]),
      "at least 0",
    ],
  ];
  test.each(wrong)(
    "[optimizer.state] with %s it is refused, and the old state stays",
    (_, more, state, words) => {
      const optimizer = stepped(more);
      const before = optimizer.state();
      const parameters = named(tensorOf(new Float32Array(300)));
      expect(() => optimizer.load(state, parameters)).toThrow(LoadError);
      expect(() => optimizer.load(state, parameters)).toThrow(words);
      expect(optimizer.state()).toEqual(before);
    },
  );

  test("[optimizer.state] state that fits is restored, with and without the parameters", () => {
    for (const [more, state] of [
      [{}, narrow],
      [{ in32Bits: ["w"] }, wide],
    ] as const) {
      const [one, other] = [make(more), make(more)];
      one.load(state);
      other.load(state, named(tensorOf(new Float32Array(300))));
      expect(one.state()).toEqual(state);
      expect(other.state()).toEqual(state);
    }
  });
});
