// The executable half of 71-lion-stable-adamw.md. Golden cases of lion-pytorch and of the StableAdamW of Kosmos-X compare whole runs
// (golden/cases/lion-pytorch, golden/cases/kosmosx); here are the formulas of the papers, one number at a time.
import { describe, expect, test } from "vitest";
import { flat, Tensor, view } from "../../../src/tensor/tensor.ts";
import { lion } from "../../../src/training/optimizers/lion.ts";
import type { Optimizer } from "../../../src/training/optimizers/optimizer.ts";
import { stableAdamW } from "../../../src/training/optimizers/stable-adamw.ts";
import { randomTensor } from "../../support/properties/arbitraries.ts";
import { refusal } from "../../support/properties/refusals.ts";

const vector = (...x: number[]): Tensor => new Tensor([x.length], view(Float64Array.from(x), [x.length]));
const numbers = (t: Tensor | undefined): number[] => (t ? [...flat(t.data)].map(Number) : []);
const groups = [{ names: ["w"] }];
const w = (t: Tensor) => new Map([["w", t]]);

/** The parameters after each step, from gradients. */
function run(
  optimizer: Optimizer,
  p0: readonly number[],
  gradients: readonly (readonly number[])[],
): number[][] {
  const p = vector(...p0);
  return gradients.map((g) => {
    optimizer.step(w(p), w(vector(...g)));
    return numbers(p);
  });
}

const drawn = (seed: number, n: number): number[] => numbers(randomTensor([n], seed));
const p0 = drawn(1, 6);
const gs = [2, 3, 4, 5, 6].map((seed) => drawn(seed, 6));

describe("Lion", () => {
  /** Program 1 of arXiv 2302.06675, for one element. */
  function program1(
    p: number,
    g: readonly number[],
    lr: number,
    beta1: number,
    beta2: number,
    decay: number,
  ): number[] {
    let m = 0;
    return g.map((gt) => {
      const c = beta1 * m + (1 - beta1) * gt;
      const update = c > 0 ? 1 : c < 0 ? -1 : 0;
      m = beta2 * m + (1 - beta2) * gt;
      p = p - lr * (update + decay * p);
      return p;
    });
  }
  const columns = (rows: readonly (readonly number[])[], i: number) => rows.map((row) => row[i] ?? 0);

  test("[lion.step] [lion.mean] [lion.decay] five steps of the paper's program", () => {
    const options = { groups, learningRate: 0.03, betas: [0.8, 0.95], weightDecay: 0.2 } as const;
    const found = run(lion(options), p0, gs);
    for (const i of p0.keys()) {
      const expected = program1(p0[i] ?? 0, columns(gs, i), 0.03, 0.8, 0.95, 0.2);
      expect(columns(found, i)).toEqual(expected.map((x) => expect.closeTo(x, 13)));
    }
  });

  test("[lion.step] without decay every element moves by the learning rate, or not at all where the mean is 0", () => {
    const found = run(
      lion({ groups, learningRate: 0.25 }),
      [0, 0, 0, 0],
      [
        [1e-30, -7, 0, 3],
        [-1, 0, 0, -1e-9],
      ],
    );
    expect(found).toEqual([
      [-0.25, 0.25, 0, -0.25],
      [0, 0.5, 0, -0.5],
    ]);
    // scaling all gradients by a power of two changes nothing
    const scaled = gs.map((g) => g.map((x) => x * 2 ** 40));
    expect(run(lion({ groups, learningRate: 0.1 }), p0, scaled)).toEqual(
      run(lion({ groups, learningRate: 0.1 }), p0, gs),
    );
  });

  test("[lion.step] [lion.mean] the step uses the mean before it, and its own gradient with 1 − β₁", () => {
    // After the gradient 1 the mean is 0.01. The second step's sign is that of 0.9 · 0.01 − 0.1 · g.
    expect(
      run(
        lion({ groups, learningRate: 1 }),
        [0, 0],
        [
          [1, 1],
          [-0.0899, -0.0901],
        ],
      )[1],
    ).toEqual([-2, 0]);
  });

  test("[lion.decay] decoupled decay is divided by the optimiser's learning rate", () => {
    const options = { learningRate: 0.5, weightDecay: 0.01, decoupledWeightDecay: true };
    expect(run(lion({ groups, ...options }), [2], [[0]])).toEqual([[2 * (1 - 0.01)]]);
    expect(run(lion({ groups: [{ names: ["w"], learningRate: 0.25 }], ...options }), [2], [[0]])).toEqual([
      [2 * (1 - 0.005)],
    ]);
    expect(run(lion({ groups, ...options, decoupledWeightDecay: false }), [2], [[0]])).toEqual([
      [2 * (1 - 0.005)],
    ]);
  });

  test("[lion.step] the defaults are lion-pytorch's: rate 10⁻⁴, β 0.9 and 0.99, no decay", () => {
    const given = {
      groups,
      learningRate: 1e-4,
      betas: [0.9, 0.99] as const,
      weightDecay: 0,
      decoupledWeightDecay: false,
    };
    expect(run(lion({ groups }), p0, gs)).toEqual(run(lion(given), p0, gs));
    expect(run(lion({ groups }), [5], [[1]])).toEqual([[5 - 1e-4]]);
  });

  test("[lion.step] the rate is above 0 and decay rates are from 0 to 1, as in the release", () => {
    for (const wrong of [
      { learningRate: 0 },
      { betas: [0.9, 1.1] },
      { betas: [-0.1, 0.9] },
      { betas: [0.9] },
      { useTriton: true },
    ])
      expect(() => lion({ groups, ...wrong } as never)).toThrow();
    expect(refusal(() => lion({ groups, cautiousFactor: 0.5 } as never)).message).toContain("cautiousFactor");
    expect(() => lion({ groups, betas: [1, 1] })).not.toThrow();
  });
});

describe("StableAdamW", () => {
  const settings = {
    learningRate: 0.05,
    betas: [0.7, 0.8] as const,
    epsilon: 1e-3,
    weightDecay: 0.3,
    clipThreshold: 0.7,
  };
  /** Algorithm 2 of arXiv 2304.13013 in sums: means as weighted sums of all gradients so far, corrected for their start. */
  function algorithm2(start: readonly number[], rows: readonly (readonly number[])[]): number[][] {
    let p = [...start];
    return rows.map((g, at) => {
      const mean = (beta: number, power: number, i: number): number => {
        const seen = rows.slice(0, at + 1);
        const weights = seen.map((_, k) => beta ** (at - k));
        const total = weights.reduce((a, b) => a + b, 0);
        return seen.reduce((sum, row, k) => sum + ((weights[k] ?? 0) / total) * (row[i] ?? 0) ** power, 0);
      };
      const [m, v] = [p.map((_, i) => mean(0.7, 1, i)), p.map((_, i) => mean(0.8, 2, i))];
      const squares = g.map((x, i) => x ** 2 / Math.max(v[i] ?? 0, 1e-6));
      const r = Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
      const lr = 0.05 / Math.max(1, r / 0.7);
      p = p.map((x, i) => x * (1 - 0.05 * 0.3) - (lr * (m[i] ?? 0)) / (Math.sqrt(v[i] ?? 0) + 1e-3));
      return p;
    });
  }

  test("[stableadamw.means] [stableadamw.step] [stableadamw.clip] [stableadamw.decay] five steps of the paper's algorithm", () => {
    const rows = gs.map((g, i) => g.map((x) => x * ([1, 0.1, 8, 0.01, 2][i] ?? 0)));
    const [found, expected] = [run(stableAdamW({ groups, ...settings }), p0, rows), algorithm2(p0, rows)];
    expect(found).toEqual(expected.map((row) => row.map((x) => expect.closeTo(x, 12))));
  });

  test("[stableadamw.means] the first step is that of g / (|g| + ε)", () => {
    const [[a = 0, b = 0] = []] = run(
      stableAdamW({ groups, ...settings, weightDecay: 0, clipThreshold: 1 }),
      [0, 0],
      [[4, -0.5]],
    );
    expect([a, b]).toEqual([
      expect.closeTo((-0.05 * 4) / 4.001, 14),
      expect.closeTo((0.05 * 0.5) / 0.501, 14),
    ]);
  });

  test("[stableadamw.clip] a step after small gradients is bounded by the root mean square; the decay is not", () => {
    const small = Array.from({ length: 30 }, () => [0.01, -0.01]);
    const options = { groups, learningRate: 0.1, betas: [0.9, 0.99] as const, weightDecay: 0 };
    const moved = (clipThreshold: number): number => {
      const rows = run(stableAdamW({ ...options, clipThreshold }), [0, 0], [...small, [5, 5]]);
      return Math.abs((rows[30]?.[0] ?? 0) - (rows[29]?.[0] ?? 0));
    };
    // Without clipping, (1 − β̂₁) 5 / √((1 − β̂₂) 25) is far above 1.
    expect(moved(1e9)).toBeGreaterThan(2 * moved(1));
    expect(moved(1)).toBeCloseTo(2 * moved(0.5), 12);
    const kept = run(stableAdamW({ ...options, weightDecay: 0.5 }), [1], [[0]]);
    expect(kept).toEqual([[1 - 0.1 * 0.5]]);
  });

  test("[stableadamw.clip] a mean of squares below ε² counts as ε²", () => {
    // After one step m = g and v = g²; g / max(|g|, ε) = 0.5 is above the threshold 0.4, by the factor 1.25.
    const options = { groups, learningRate: 0.3, epsilon: 0.1, weightDecay: 0, clipThreshold: 0.4 };
    const [[found = 0] = []] = run(stableAdamW(options), [0], [[0.05]]);
    expect(found).toBeCloseTo(((-0.3 / 1.25) * 0.05) / (0.05 + 0.1), 14);
  });

  test("[stableadamw.clip] the mean is over one parameter: another one does not change its step", () => {
    const two = stableAdamW({ groups: [{ names: ["w", "u"] }], ...settings });
    const [p, q] = [vector(...p0), vector(1, 2)];
    for (const g of gs)
      two.step(
        new Map([
          ["w", p],
          ["u", q],
        ]),
        new Map([
          ["w", vector(...g)],
          ["u", vector(1e6, -1e-6)],
        ]),
      );
    expect(numbers(p)).toEqual(run(stableAdamW({ groups, ...settings }), p0, gs).at(-1));
  });

  test("[stableadamw.count] a step without a gradient counts", () => {
    const optimizer = stableAdamW({ groups: [{ names: ["w", "u"] }], ...settings, weightDecay: 0 });
    const [p, q] = [vector(0), vector(0)];
    const parameters = new Map([
      ["w", p],
      ["u", q],
    ]);
    optimizer.step(parameters, new Map([["w", vector(1)]]));
    optimizer.step(
      parameters,
      new Map([
        ["w", vector(1)],
        ["u", vector(1)],
      ]),
    );
    // The mean of u decays at its first step as at the second of all: m = 1 − β̂₁ with β̂ = β (1 − β) / (1 − β²) = β / (1 + β).
    const [m, v] = [1 - 0.7 / 1.7, 1 - 0.8 / 1.8];
    expect(numbers(optimizer.state().get("exp_avg.u") as Tensor)).toEqual([expect.closeTo(m, 14)]);
    const r = Math.sqrt(1 / v);
    expect(numbers(q)).toEqual([expect.closeTo((-0.05 / (r / 0.7)) * (m / (Math.sqrt(v) + 1e-3)), 14)]);
    expect(numbers(optimizer.state().get("step.u") as Tensor)).toEqual([2]);
  });

  test("[stableadamw.step] the defaults are StableAdamWUnfused's", () => {
    const given = {
      learningRate: 2e-3,
      betas: [0.9, 0.99] as const,
      epsilon: 1e-8,
      weightDecay: 0.2,
      clipThreshold: 1,
    };
    expect(run(stableAdamW({ groups }), p0, gs)).toEqual(run(stableAdamW({ groups, ...given }), p0, gs));
    // 0.002 along the sign, and a decay of 0.002 · 0.2
    expect(run(stableAdamW({ groups }), [1], [[3]])[0]?.[0]).toBeCloseTo(1 - 4e-4 - 2e-3, 10);
  });

  test("[optimizer.state] counts of steps that differ between parameters are refused", () => {
    const state = (steps: number) => {
      const fresh = stableAdamW({ groups: [{ names: ["w", "u"] }] });
      const parameters = new Map([
        ["w", vector(1)],
        ["u", vector(1)],
      ]);
      fresh.step(parameters, parameters);
      return new Map([...fresh.state(), ["step.u", vector(steps)] as const]);
    };
    const other = stableAdamW({ groups: [{ names: ["w", "u"] }] });
    expect(() => other.load(state(2))).toThrow("the same for all parameters");
    expect(other.state()).toEqual(new Map());
    other.load(state(1));
    expect(other.state().size).toBe(6);
  });
});
