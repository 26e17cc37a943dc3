// The executable half of 79-runs.md.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { meanWithInterval, rocAucWithInterval } from "../../../src/evaluation/runs/interval.ts";
import { drawnShots } from "../../../src/evaluation/runs/shots.ts";
import { generator } from "../../../src/tensor/random.ts";
import { refusal } from "../../support/properties/refusals.ts";

describe("demonstrations", () => {
  test("[shots.others] [shots.seed] different ones, without the example, the same for the same seed and number", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.nat(20),
        fc.nat(1000),
        fc.nat(1000),
        (size, wanted, seed, example) => {
          const own = example % 2 === 0 ? example % size : null;
          const shots = Math.min(wanted, size - (own === null ? 0 : 1));
          const drawn = drawnShots(size, { shots, seed, example, own });
          expect(new Set(drawn).size).toBe(shots);
          expect(drawn.every((at) => at >= 0 && at < size && at !== own)).toBe(true);
          expect(drawnShots(size, { shots, seed, example, own })).toEqual(drawn);
        },
      ),
    );
    const of = (seed: number, example: number) => drawnShots(1000, { shots: 5, seed, example, own: null });
    expect(of(1, 0)).not.toEqual(of(2, 0));
    expect(of(1, 0)).not.toEqual(of(1, 1));
  });

  test("[shots.others] all are equally probable", () => {
    const [size, n] = [8, 4000];
    const counts = new Array<number>(size).fill(0);
    for (let example = 0; example < n; example++)
      for (const at of drawnShots(size, { shots: 2, seed: 3, example, own: 7 }))
        counts[at] = (counts[at] ?? 0) + 1;
    expect(counts[7]).toBe(0);
    const p = 2 / 7;
    for (const count of counts.slice(0, 7))
      expect(Math.abs(count - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
  });

  test("[shots.enough] more than there are, are refused", () => {
    const draw = (size: number, own: number | null) =>
      refusal(() => drawnShots(size, { shots: 3, seed: 1, example: 0, own }));
    expect(draw(2, null).message).toContain("3 demonstrations are asked for, and there are 2;");
    expect(draw(3, 1).message).toContain("there are 2 beside the example itself");
  });
});

describe("intervals", () => {
  test("[interval.bootstrap] quantiles of means of resamples, by loops over the same draws", () => {
    const scores = [0.2, 1, 0, 0.5, 0.9, 0.1, 0.7];
    const { uniform } = generator(4, "bootstrap");
    const means: number[] = [];
    for (let i = 0; i < 21; i++) {
      const drawn = scores.map(() => scores[Math.floor(uniform() * scores.length)] ?? 0);
      means.push(drawn.reduce((sum, x) => sum + x, 0) / scores.length);
    }
    means.sort((a, b) => a - b);
    // 21 means: the quantile of 0.1 is the one of index 2, that of 0.9 the one of index 18.
    const { low, high, mean, n } = meanWithInterval(scores, { level: 0.8, resamples: 21, seed: 4 });
    expect(low).toBeCloseTo(means[2] ?? 0, 12);
    expect(high).toBeCloseTo(means[18] ?? 0, 12);
    expect([mean, n]).toEqual([scores.reduce((sum, x) => sum + x, 0) / 7, 7]);
  });

  test("[interval.bootstrap] intervals hold the mean of the source about as often as they say", () => {
    const [p, n, runs] = [0.3, 100, 300];
    let held = 0;
    for (let run = 0; run < runs; run++) {
      const { uniform } = generator(run, "scores");
      const scores = Array.from({ length: n }, () => Number(uniform() < p));
      const { low, high } = meanWithInterval(scores, { seed: run, resamples: 400 });
      if (low <= p && p <= high) held++;
    }
    expect(held / runs).toBeGreaterThan(0.9);
    expect(held / runs).toBeLessThan(0.985);
  });

  test("[interval.roc-auc] resamples have positive and negative examples, by loops over the same draws", () => {
    const [scores, labels] = [
      [0.1, 0.9, 0.4, 0.4],
      [false, true, true, false],
    ];
    const { uniform } = generator(6, "bootstrap");
    const areas: number[] = [];
    while (areas.length < 11) {
      const at = scores.map(() => Math.floor(uniform() * 4));
      let [pairs, won] = [0, 0];
      for (const i of at)
        for (const j of at)
          if (labels[i] && !labels[j]) {
            pairs++;
            won += Number((scores[i] ?? 0) > (scores[j] ?? 0)) + Number(scores[i] === scores[j]) / 2;
          }
      if (pairs > 0) areas.push(won / pairs);
    }
    areas.sort((a, b) => a - b);
    const { mean, low, high } = rocAucWithInterval(scores, labels, { level: 0.8, resamples: 11, seed: 6 });
    expect(mean).toBe(3.5 / 4);
    expect(low).toBeCloseTo(areas[1] ?? 0, 12);
    expect(high).toBeCloseTo(areas[9] ?? 0, 12);
  });

  test("[interval.seed] the same scores have the same interval, unless the seed is another", () => {
    const scores = Array.from({ length: 50 }, (_, i) => Math.sin(i));
    expect(meanWithInterval(scores)).toEqual(meanWithInterval(scores));
    expect(meanWithInterval(scores, { seed: 1 }).low).not.toBe(meanWithInterval(scores, { seed: 2 }).low);
    expect(meanWithInterval([0.5])).toEqual({ mean: 0.5, low: 0.5, high: 0.5, n: 1 });
  });

  test("[interval.bootstrap] no score, and scores that are no numbers, are refused", () => {
    for (const bad of [[], [1, Number.NaN], [Number.POSITIVE_INFINITY]])
      expect(refusal(() => meanWithInterval(bad)).message).toContain("at least one finite number");
    expect(refusal(() => meanWithInterval([1], { level: 1 })).message).toContain("level");
  });
});
