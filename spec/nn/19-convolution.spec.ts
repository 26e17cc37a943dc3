// The executable half of 19-convolution.md. Expected values are loops over its formulas and, where a comment says so, torch 2.13.0.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { releaseMessage } from "../../src/conformance/releases/message.ts";
import { run } from "../../src/kernels/replay.ts";
import { simd } from "../../src/kernels/simd/index.ts";
import { Conv2d } from "../../src/nn/conv/conv2d.ts";
import { conv2d, maxPool2d, type Padding, type PlaneOptions, unfold } from "../../src/nn/conv/planes.ts";
import { stateDict } from "../../src/nn/state-dict.ts";
import { flat, type Shape, type Tensor, tensor } from "../../src/tensor/tensor.ts";
import { range, sum } from "../support/oracles/layers.ts";
import { weighted } from "../support/oracles/modules.ts";
import { listing, randomTensor, reader } from "../support/properties/arbitraries.ts";
import { expectClose, valuesOf, vjpEqualsFiniteDifferences } from "../support/properties/programs.ts";
import { refusal, shapeRefusal } from "../support/properties/refusals.ts";

/** The padding before an axis of n elements, and the number of windows, by the formulas of the chapter. */
function along(n: number, size: number, stride: number, padding: number | "same") {
  if (padding !== "same")
    return { before: padding, count: Math.floor((n + 2 * padding - size) / stride) + 1 };
  const count = Math.ceil(n / stride);
  return { before: Math.floor(Math.max((count - 1) * stride + size - n, 0) / 2), count };
}

interface Case {
  readonly plane: Shape;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: Padding;
  readonly seed: number;
}
/** Small planes, kernels no larger than the padded plane. */
const cases: fc.Arbitrary<Case> = fc
  .record({
    plane: fc.tuple(
      fc.nat(2),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 7 }),
    ),
    kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
    stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    padding: fc.oneof(fc.constant("same" as const), fc.nat(2), fc.tuple(fc.nat(2), fc.nat(2))),
    seed: fc.nat(99),
  })
  .filter(({ plane, kernel, padding }) =>
    kernel.every((size, i) => {
      const around = padding === "same" ? size : typeof padding === "number" ? padding : (padding[i] ?? 0);
      return (plane[2 + i] ?? 0) + 2 * around >= size;
    }),
  );

/** Windows by the formulas: their counts, and the element of one of them; `outside` lies around the plane. */
function windowsOf(x: Tensor, { plane: [, , h = 0, w = 0], kernel, stride, padding }: Case, outside: number) {
  const [top, left] = typeof padding === "object" ? padding : [padding, padding];
  const [down, across] = [along(h, kernel[0], stride[0], top), along(w, kernel[1], stride[1], left)];
  const get = reader(x.data);
  return {
    counts: [down.count, across.count] as const,
    at: (b: number, c: number, i: number, j: number, y: number, x: number): number => {
      const [row, column] = [i * stride[0] + y - down.before, j * stride[1] + x - across.before];
      return row < 0 || row >= h || column < 0 || column >= w ? outside : get(b, c, row, column);
    },
  };
}

test("[conv.windows] [conv.correlation] [conv.padding] [conv.same] conv2d equals the loop", () => {
  fc.assert(
    fc.property(cases, fc.integer({ min: 1, max: 3 }), (c, out) => {
      const x = randomTensor<"b c h w">(c.plane, c.seed);
      const weight = randomTensor<"o c y x">([out, c.plane[1] ?? 1, ...c.kernel], c.seed + 1);
      const { counts, at } = windowsOf(x, c, 0);
      const shape = [c.plane[0] ?? 0, out, ...counts];
      const k = reader(weight.data);
      const expected = listing(shape, ([b = 0, o = 0, i = 0, j = 0]) =>
        sum(c.plane[1] ?? 0, (channel) =>
          sum(c.kernel[0], (y) => sum(c.kernel[1], (x) => k(o, channel, y, x) * at(b, channel, i, j, y, x))),
        ),
      );
      const actual = conv2d(x, weight, { stride: c.stride, padding: c.padding });
      expect(actual.shape).toEqual(shape);
      expectClose(valuesOf(actual), expected, 1e-13);
    }),
    { numRuns: 150 },
  );
});

test("[conv.same] an odd row of padding comes after the plane", () => {
  // tf.nn.conv2d(strides=2, padding="SAME"): 4 columns under 3 need one of padding, which is the last
  const x = tensor("b c h w", [[[[1, 2, 3, 4]]]]);
  const ones = tensor("o c y x", [[[[1, 1, 1]]]]);
  expect(valuesOf(conv2d(x, ones, { stride: 2, padding: "same" }))).toEqual([6, 7]);
  expect(valuesOf(maxPool2d(x, { size: [1, 3], stride: 2, padding: "same" }))).toEqual([3, 4]);
  // torch.nn.functional.conv2d(x, torch.ones(1, 1, 1, 2), padding="same")
  const two = tensor("o c y x", [[[[1, 1]]]]);
  expect(valuesOf(conv2d(x, two, { padding: "same" }))).toEqual([3, 5, 7, 4]);
});

test("[conv.pool] maxPool2d equals the loop, on planes below zero too", () => {
  fc.assert(
    fc.property(cases, (c) => {
      const half = (size: number, i: number) => {
        const padding = typeof c.padding === "object" ? (c.padding[i] ?? 0) : c.padding;
        return padding === "same" || padding <= size / 2;
      };
      fc.pre(c.kernel.every(half));
      const x = randomTensor<"b c h w">(c.plane, c.seed, (u) => u - 2);
      const { counts, at } = windowsOf(x, c, -Infinity);
      const shape = [...c.plane.slice(0, 2), ...counts];
      const expected = listing(shape, ([b = 0, channel = 0, i = 0, j = 0]) =>
        Math.max(
          ...range(c.kernel[0]).flatMap((y) => range(c.kernel[1]).map((x) => at(b, channel, i, j, y, x))),
        ),
      );
      const actual = maxPool2d(x, { size: c.kernel, stride: c.stride, padding: c.padding });
      expect(actual.shape).toEqual(shape);
      expect(valuesOf(actual)).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});

describe("as torch 2.13.0 gives them", () => {
  const plane = tensor("b c h w", [[[[1, NaN, 3], [4, 5, 6], [7, 8, -9]]]]); // biome-ignore format: three rows

  test("[conv.pool] NaN in a window is its maximum, and the stride is the size", () => {
    expect(valuesOf(maxPool2d(plane, { size: 2 }))).toEqual([NaN]); // F.max_pool2d(plane, 2)
    expect(valuesOf(maxPool2d(plane, { size: 2, stride: 1 }))).toEqual([NaN, NaN, 8, 8]); // (plane, 2, 1)
    expect(valuesOf(maxPool2d(plane, { size: 3, stride: 2, padding: 1 }))).toEqual([NaN, NaN, 8, 8]); // (plane, 3, 2, 1)
  });

  test("[conv.unfold] unfold has torch's order of columns", () => {
    const x = tensor("b c h w", [1, 2, 2, 3], range(12));
    const columns = unfold(x, { size: 2 }); // F.unfold(torch.arange(12.).reshape(1, 2, 2, 3), 2)
    expect(columns.shape).toEqual([1, 8, 2]);
    expect(valuesOf(columns)).toEqual([0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11]);
    const padded = unfold(x, { size: [1, 2], stride: [1, 3], padding: [0, 1] }); // F.unfold(x, (1, 2), padding=(0, 1), stride=(1, 3))
    expect(valuesOf(padded)).toEqual([0, 2, 0, 5, 0, 0, 3, 0, 0, 8, 0, 11, 6, 0, 9, 0]);
  });
});

test("[conv.correlation] derivatives of a convolution equal finite differences", () => {
  const x = randomTensor<"b c h w">([2, 2, 4, 3], 1);
  const weight = randomTensor<"o c y x">([2, 2, 3, 2], 2);
  vjpEqualsFiniteDifferences(() => conv2d(x, weight, { stride: [2, 1], padding: 1 }), { x, weight });
  vjpEqualsFiniteDifferences(() => maxPool2d(x, { size: 3, stride: 2, padding: 1 }), { x });
});

test("[conv.uniform] Conv2d has a weight and a bias within ±1/√(in · H · W)", () => {
  const layer = new Conv2d(8, 200, { kernelSize: [2, 3] });
  expect([...stateDict(layer)].map(([key, t]) => [key, t.shape])).toEqual([
    ["weight", [200, 8, 2, 3]],
    ["bias", [200]],
  ]);
  const bound = 1 / Math.sqrt(48);
  for (const t of stateDict(layer).values()) {
    const largest = Math.max(...flat(t.data).map(Math.abs));
    expect(largest).toBeLessThanOrEqual(Math.fround(bound));
    expect(largest).toBeGreaterThan(0.97 * bound);
  }
  expect([...stateDict(new Conv2d(1, 1, { kernelSize: 1, bias: false })).keys()]).toEqual(["weight"]);
});

test("[conv.correlation] Conv2d adds its bias to each channel, and passes its options on", async () => {
  const layer = weighted(new Conv2d(2, 3, { kernelSize: 3, stride: 2, padding: "same" }), 1);
  const x = randomTensor<"b c h w">([2, 2, 9, 8], 3);
  const bias = valuesOf(layer.bias as Tensor);
  const plain = valuesOf(conv2d(x, layer.weight, { stride: 2, padding: "same" }));
  const expected = plain.map((y, i) => y + (bias[Math.floor(i / 20) % 3] ?? NaN)); // planes of 5 × 4
  expectClose(valuesOf(layer.forward(x)), expected, 1e-15);
  const backend = await simd();
  const replayed = await run(backend, () => maxPool2d(layer.forward(x), { size: 2, padding: 1 }), {
    model: layer,
    inputs: { x },
  });
  expectClose(valuesOf(replayed), valuesOf(maxPool2d(layer.forward(x), { size: 2, padding: 1 })), 1e-5);
  await backend.close();
});

describe("what does not fit is refused", () => {
  const x = randomTensor<"b c h w">([1, 2, 3, 3]);
  const kernel = randomTensor<"o c y x">([4, 3, 2, 2]);

  test("[conv.windows] planes, channels and kernels, in the words of the release", () => {
    expect(releaseMessage(shapeRefusal(() => conv2d(x, kernel)))).toBe(
      "RuntimeError: Given groups=1, weight of size [4, 3, 2, 2], expected input[1, 2, 3, 3] to have 3 channels, but got 2 channels instead",
    );
    const large = randomTensor<"o c y x">([1, 2, 4, 4]);
    const error = shapeRefusal(() => conv2d(x, large));
    expect(error.message).toContain(
      "planes of 3 × 3, padding included, are smaller than the kernel of 4 × 4",
    );
    expect(releaseMessage(error)).toBe(
      "RuntimeError: Calculated padded input size per channel: (3 x 3). Kernel size: (4 x 4). Kernel size can't be greater than actual input size",
    );
    for (const shape of [[2, 3, 3], [1, 2, 3], []]) {
      const flatter = randomTensor<"b c h w">(shape);
      expect(shapeRefusal(() => maxPool2d(flatter, { size: 1 })).message).toContain(
        "planes are [b c h w], not",
      );
      expect(shapeRefusal(() => unfold(flatter, { size: 1 })).message).toContain("planes are [b c h w], not");
    }
    expect(() => conv2d(x, null as never)).toThrow("operand 2 must be a tensor");
    expect(() => maxPool2d(null as never, { size: 2 })).toThrow("operand 1 must be a tensor");
  });

  test("[conv.pool] a padding of more than half of the size", () => {
    const error = refusal(() => maxPool2d(x, { size: 3, padding: 2 }));
    expect(error.message).toContain(
      "maxPool2d: padding is 2 and 2; it must be at most half of the size, 3 and 3",
    );
    expect(error.rule).toBe("conv.pool");
    expect(maxPool2d(x, { size: 2, padding: 1 }).shape).toEqual([1, 2, 2, 2]);
  });

  test("[options.values] sides are one or two whole numbers", () => {
    for (const stride of [[1], [1, 2, 3], [1, 0], ["1", 1], [NaN, 1]])
      expect(
        refusal(() => conv2d(x, randomTensor([1, 2, 1, 1]), { stride } as never as PlaneOptions)).message,
      ).toContain("conv2d: stride is a list of");
    expect(refusal(() => unfold(x, { size: 1, padding: "valid" as never })).message).toContain(
      'padding is "valid"; it must be a whole number from 0 to 16,777,216, or a height and a width, or "same"',
    );
  });
});
