// The executable half of 00-notation.md: patterns, the sizes that they bind, and the format of errors.
import { describe, expect, test } from "vitest";
import { ShapeError } from "../../src/tensor/errors.ts";
import { concat, einsum, rearrange, repeat, sum } from "../../src/tensor/ops/arrange.ts";
import { axesOf, named, shapes } from "../../src/tensor/pattern.ts";
import { type Any, bool, int, type Tensor } from "../../src/tensor/tensor.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";

/** The functions without their types, for patterns that tsc would reject. */
const dynamic = { einsum, rearrange, repeat, sum, concat, shapes, named } as Any;
const x = randomTensor<"b l d">([2, 3, 8]);
const bare: Tensor = x;

describe("patterns", () => {
  test("[notation.pattern] names, joined axes, 1 and the ellipsis", () => {
    expect(axesOf("b l (h k)")).toEqual([["b"], ["l"], ["h", "k"]]);
    expect(axesOf("b 1 () d2")).toEqual([["b"], [], [], ["d2"]]);
    expect(axesOf("... d")).toEqual([["..."], ["d"]]);
    expect(axesOf("")).toEqual([]);
  });

  test.each([
    "b (l d",
    "b l) d",
    "b ((l) d)",
    "2 l d",
    "b-l d",
    "b l d b",
    "(b l) b d",
    "... ... d",
    "b l *",
  ])("[notation.pattern] %s is not a valid pattern", (side) => {
    expect(() => axesOf(side)).toThrow(ShapeError);
    expect(() => dynamic.rearrange(`${side} -> b`, x)).toThrow(/\[notation\.pattern\]/);
    expect(() => dynamic.shapes("Here", { x: [x, side] })).toThrow(
      /is not a valid pattern|names an axis twice/,
    );
  });

  test.each(["b l d", "b l d => d l b", "b l d->d l b", "b -> l -> d"])(
    "[notation.pattern] %s does not have exactly one arrow",
    (p) => {
      expect(() => dynamic.rearrange(p, x)).toThrow(
        /needs one arrow: "before -> after" {2}\[notation\.pattern\]/,
      );
    },
  );

  test("[notation.pattern] an ellipsis matches any number of leading axes", () => {
    for (const shape of [[8], [3, 8], [2, 3, 8], [5, 2, 3, 8]]) {
      const out = rearrange("... (h k) -> ... k h", randomTensor(shape), { h: 2 });
      expect(out.shape).toEqual([...shape.slice(0, -1), 4, 2]);
      expect(sum("... d -> ...", randomTensor(shape)).shape).toEqual(shape.slice(0, -1));
    }
    expect(() => rearrange("... l d -> ... d l", randomTensor([8]))).toThrow(ShapeError);
  });

  test("[notation.concat] anything but one new name at one position is an error", () => {
    const y = randomTensor([2, 3, 8]);
    const wrong = [
      "b l d, b l d -> b l d",
      "b l d, b r d -> b r d",
      "b l d, b r d -> b (l r) d",
      "b l d, b r d -> b (j k) d",
      "b l d, b r d -> b 1 d",
      "b l d, b r d -> b j",
      "b l d, b r d -> j b d",
      "b l d, r b d -> b j d",
      "b l d, b r d -> j m d",
      "b l (h k), b r d -> b j (h k)",
      "b (l h) d, b r d -> b h d",
    ];
    for (const p of wrong)
      expect(() => dynamic.concat(p, x, y)).toThrow(/exactly one axis.*\[notation\.concat\]/);
    expect(() => concat("b l d, b r d -> b j d", x, randomTensor([2, 3, 7]))).toThrow(
      /axis "d" disagrees: 7, was 8/,
    );
  });
});

test("[notation.operands] a pattern names as many operands as there are", () => {
  for (const [f, pattern, ...operands] of [
    ["rearrange", "b, l d -> b", x],
    ["repeat", "b, l d -> b", x],
    ["sum", "b l d, b -> b", x],
    ["concat", "b l d -> b l d", x, x],
    ["concat", "b l d, b r d, b s d -> b j d", x, x],
    ["einsum", "b l d, l d -> b", x],
  ] as const)
    expect(() => dynamic[f](pattern, ...operands)).toThrow(
      /in \w+\("b.*"\): the pattern names [123] operands, got [12] {2}\[notation\.operands\]/,
    );
});

describe("sizes", () => {
  test("[notation.unify] a letter has one size, and a joined axis is the product of its parts", () => {
    expect(rearrange("b l (h k) -> b h l k", bare, { h: 2 }).shape).toEqual([2, 2, 3, 4]);
    expect(() => rearrange("b l (h k) -> b h l k", bare, { h: 3 })).toThrow(
      /axis "h k" of size 8 is not a multiple of 3/,
    );
    expect(() => rearrange("b l (h k) -> b h l k", bare, { h: 2, k: 3 })).toThrow(
      /axis "h k" disagrees: 8, was 6/,
    );
    expect(() => rearrange("b l (h k) -> b h l k", bare)).toThrow(
      /the sizes of h and k are ambiguous: give one/,
    );
    expect(() => rearrange("b l d -> b d l", x, { l: 4 })).toThrow(/axis "l" disagrees: 3, was 4/);
    expect(() => dynamic.rearrange("b l -> l b", x)).toThrow(/"b l" has 2 axes, the shape 3/);
    expect(() => dynamic.rearrange("b 1 d -> b d", x)).toThrow(/axis "1" disagrees: 3, was 1/);
    expect(() => dynamic.rearrange("b l -> l b", x)).toThrow(
      /in rearrange\("b l -> l b"\): .*\[2 3 8\].*\[notation\.unify\]/,
    );
  });

  test("[notation.origin] every axis on the right is on the left or has a given size, and none is dropped", () => {
    const origin = (f: () => unknown, message: RegExp) => {
      expect(f).toThrow(ShapeError);
      expect(f).toThrow(message);
      expect(f).toThrow("[notation.origin]");
    };
    origin(
      () => dynamic.rearrange("b l d -> b l z", x),
      /axis "d" is on one side only: sum drops axes, repeat adds them/,
    );
    origin(() => dynamic.rearrange("b l d -> b l d z", x), /axis "z" is on one side only/);
    origin(() => dynamic.rearrange("b l d -> b l d z", x, { z: 2 }), /axis "z" is on one side only/);
    origin(() => dynamic.rearrange("b l d -> b l", x), /axis "d" is on one side only/);
    origin(() => dynamic.repeat("b l d -> b l", x), /axis "d" is on one side only/);
    origin(() => dynamic.repeat("b l d -> b l d z", x), /axis "z" has no size/);
    origin(() => dynamic.sum("b l d -> b z", x), /axis "z" is on one side only/);
  });

  test("[notation.size] sizes are given for axes of the pattern", () => {
    for (const [f, pattern, sizes, message] of [
      [
        "rearrange",
        "b l (h k) -> b h l k",
        { h: 2, heads: 2 },
        /heads = 2 is not a size: .* axes of the pattern/,
      ],
      ["repeat", "b l d -> b l d n", { n: 2, m: 3 }, /m = 3 is not a size/],
      ["repeat", "... d -> ... d n", { n: 2, "...": 2 }, /\.\.\. = 2 is not a size/],
      ["rearrange", "b l d -> l b d", 3, /sizes = 3 is not a size/],
      ["rearrange", "b l d -> l b d", null, /sizes = null is not a size/],
      ["rearrange", "sizes l d -> l sizes d", 2, /the sizes = 2 is not a size/],
      ["rearrange", "b l d -> l b d", () => 2, /the sizes = .* is not a size/],
    ] as const) {
      expect(() => dynamic[f](pattern, x, sizes)).toThrow(ShapeError);
      expect(() => dynamic[f](pattern, x, sizes)).toThrow(message);
      expect(() => dynamic[f](pattern, x, sizes)).toThrow("[notation.size]");
    }
  });

  test.each([-1, 1.5, Number.NaN, Infinity, undefined])("[notation.size] %d is not a size", (n) => {
    expect(() => dynamic.repeat("b l d -> b l d n", x, { n })).toThrow(
      /n = .* is not a size.*\[notation\.size\]/,
    );
    expect(() => dynamic.rearrange("b l (h k) -> b h l k", x, { h: n })).toThrow(/\[notation\.size\]/);
  });

  test("[notation.size] 0 is a size", () => {
    expect(repeat("b l d -> n b l d", x, { n: 0 }).shape).toEqual([0, 2, 3, 8]);
    expect(rearrange("b l (h k) -> b h l k", randomTensor([2, 3, 0]), { h: 4 }).shape).toEqual([2, 4, 3, 0]);
  });
});

describe("shapes", () => {
  const fails = (f: () => unknown): string => {
    try {
      f();
    } catch (error) {
      expect(error).toBeInstanceOf(ShapeError);
      return String(error);
    }
    throw new Error("nothing was thrown");
  };
  const t = (...shape: number[]): Tensor<Any> => randomTensor(shape);

  test("[notation.unify] returns the sizes of all letters", () => {
    const mayAttend = bool("b l m", [[[true, false]]]);
    const args = { x: [t(1, 1, 6), "b l (h k)"], mayAttend: [mayAttend, "b l m"], w: [t(3, 5), "h o"] };
    expect(dynamic.shapes("Here", { w: args.w, x: args.x, mayAttend: args.mayAttend })).toEqual({ b: 1, l: 1, h: 3, k: 2, m: 2, o: 5 }); // biome-ignore format: one line
    expect(shapes("Here", { x: [x, "b l d"] })).toEqual({ b: 2, l: 3, d: 8 });
    expect(shapes("Here", { x: [t(), ""] })).toEqual({});
    for (const x of [null, undefined])
      expect(() => dynamic.shapes("Here", { x: [x, "b l"] })).toThrow(
        "x is missing; give a tensor with the axes b l",
      );
  });

  test("[notation.unify] an error lists every argument with its bindings, and the argument that it disagrees with", () => {
    expect(
      fails(() =>
        shapes("MaskedCrossAttention", { x: [t(2, 7, 16), "b l d"], media: [t(3, 2, 4, 16), "b m r e"] }),
      ),
    ).toBe(
      [
        'ShapeError: in MaskedCrossAttention: axis "b" disagrees: 3, was 2  [notation.unify]',
        "  x      b l d    2 7 16    b=2 l=7 d=16",
        '  media  b m r e  3 2 4 16  b=3 m=2 r=4 e=16  <- axis "b" disagrees: 3, was 2',
      ].join("\n"),
    );
  });

  test("[notation.unify] an argument that is no array is named with its axes", () => {
    for (const [given, problem] of [
      [undefined, "missing"],
      [null, "missing"],
      [3, "no array"],
      [[[1, 2]], "no array"],
      [{}, "no array"],
      [{ shape: 2 }, "no array"],
    ])
      expect(fails(() => shapes("Here", { x: [t(2), "b"], media: [given as never, "b m"] }))).toBe(
        `ShapeError: in Here: media is ${problem}; give a tensor with the axes b m  [notation.unify]`,
      );
  });

  test("[notation.unify] other mistakes are reported in the same format", () => {
    expect(fails(() => shapes("Here", { x: [t(2, 7), "b l d"], ids: [int("b", [1, 2, 3]), "b"] }))).toBe(
      [
        'ShapeError: in Here: "b l d" has 3 axes, the shape 2  [notation.unify]',
        '  x    b l d  2 7  b=2 l=7  <- "b l d" has 3 axes, the shape 2',
        "  ids  b      3    b=3",
      ].join("\n"),
    );
    expect(
      fails(() => shapes("Here", { x: [t(2, 3), "h l"], w: [t(2, 9), "l (h k)"], y: [t(4, 1), "k l"] })),
    ).toBe(
      [
        'ShapeError: in Here: axis "l" disagrees: 2, was 3  [notation.unify]',
        "  x  h l      2 3  h=2 l=3",
        '  w  l (h k)  2 9  l=2  <- axis "l" disagrees: 2, was 3',
        '  y  k l      4 1  k=4 l=1  <- axis "l" disagrees: 1, was 3',
      ].join("\n"),
    );
    const joined = fails(() => shapes("Here", { x: [t(2, 3), "h l"], w: [t(3, 9), "l (h k)"] }));
    expect(joined).toMatch(
      /^ShapeError: in Here: axis "h k" of size 9 is not a multiple of 2 +\[notation\.unify\]\n/,
    );
    expect(joined).toMatch(
      / {2}w {2}l \(h k\) {2}3 9 {2}l=3 {2}<- axis "h k" of size 9 is not a multiple of 2$/,
    );
  });

  test("[notation.named] returns the same object, and checks the number of axes only", () => {
    expect(named("p q r", x)).toBe(x);
    expect(() => named("p q", x)).toThrow(/in named\("p q"\): the shape is \[2 3 8\] {2}\[notation\.named\]/);
    expect(() => named("p", bool("a b", [[true]]))).toThrow(ShapeError);
    expect(() => named("p q", undefined as never)).toThrow("give a tensor with the axes named here");
    expect(named("(h k) l d", x).shape).toEqual([2, 3, 8]);
  });
});
