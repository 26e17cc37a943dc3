// For every op: attributes, operands, and each element of the result by the definition of the op. The table is a
// mapped type over the op list, so that an op without an example does not compile.

import { apply } from "../../../src/tensor/ops/rules.ts";
import type { Each, OpName, Ops, SoftmaxEmptyRow } from "../../../src/tensor/ops/table.ts";
import type { Bool, Int, Shape, Tensor } from "../../../src/tensor/tensor.ts";
import { type At, stridedReader } from "../properties/arbitraries.ts";

/** Axis sizes of an example. Any of them may be 0. */
export interface Extent {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** Constructs the host data of an example, so that a test can choose its layout in memory. */
export interface Host {
  mask(shape: Shape): Bool;
  ids(shape: Shape, rows: number): Int;
}

export interface Example<K extends OpName> {
  readonly attrs: Ops[K]["attrs"];
  readonly inputs: Each<Ops[K]["in"], Shape>;
  /** Maps numbers from −1 to 1 to values where the op is defined and smooth. */
  readonly domain?: (x: number) => number;
  readonly shape: Shape;
  element(index: readonly number[], ...inputs: Each<Ops[K]["in"], At>): number;
}

type Examples = {
  readonly [K in OpName]: Readonly<Record<string, (n: Extent, host: Host) => Example<K>>>;
};

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sumOver = (n: number, f: (i: number) => number): number => range(n).reduce((s, i) => s + f(i), 0);
const positive = (x: number): number => 1.5 + x;
/** Away from 0, where the slope of relu jumps. */
const apart = (x: number): number => 2 * x + 0.1 * Math.sign(x);
const twice = (x: number): number => 2 * x;

/** erf x = 2/√π Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n+1)), Abramowitz and Stegun 7.1.5: accurate up to |x| = 2. */
function erfByTaylor(x: number): number {
  let [sum, power] = [0, x];
  for (let n = 0; n < 60; n++) {
    sum += power / (2 * n + 1);
    power *= (-x * x) / (n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
const cdf = (x: number): number => (1 + erfByTaylor(x / Math.sqrt(2))) / 2;
const pdf = (x: number): number => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

type Unary =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "sin"
  | "cos"
  | "tanh"
  | "sigmoid"
  | "gelu"
  | "geluGrad"
  | "relu"
  | "positive";
const one = (f: (x: number) => number, domain: (x: number) => number = twice) => ({
  "": ({ a, b }: Extent): Example<Unary | "detach"> => ({
    attrs: {},
    inputs: [[a, b]],
    domain,
    shape: [a, b],
    element: (i, x) => f(x(...i)),
  }),
});

const two = (f: (x: number, y: number) => number, domain: (x: number) => number = twice) => ({
  "": ({ a, b }: Extent): Example<"add"> => ({
    attrs: {},
    inputs: [
      [a, b],
      [a, b],
    ],
    domain,
    shape: [a, b],
    element: (i, x, y) => f(x(...i), y(...i)),
  }),
});

/** e^x / Σ e^x over the allowed entries of a row, without subtracting the maximum. */
const softmaxOf =
  (emptyRow: SoftmaxEmptyRow, masked: boolean) =>
  ({ a, b, c }: Extent, host: Host): Example<"softmax"> => {
    const mayAttend = masked ? host.mask([a, b, c]) : null;
    const allowed: At = mayAttend ? stridedReader(mayAttend) : () => 1;
    const empty = { zero: 0, uniform: 1 / c, nan: Number.NaN };
    return {
      attrs: { mayAttend, emptyRow },
      inputs: [[a, b, c]],
      shape: [a, b, c],
      element: ([i = 0, j = 0, k = 0], x) => {
        const entries = range(c).filter((s) => allowed(i, j, s) === 1);
        if (entries.length === 0) return empty[emptyRow];
        const total = entries.reduce((s, at) => s + Math.exp(x(i, j, at)), 0);
        return allowed(i, j, k) === 1 ? Math.exp(x(i, j, k)) / total : 0;
      },
    };
  };

export const examples: Examples = {
  add: two((x, y) => x + y),
  sub: two((x, y) => x - y),
  mul: two((x, y) => x * y),
  div: two((x, y) => x / y, positive),
  equal: {
    ...two((x, y) => Number(x === y)),
    "of whole numbers": (n) =>
      two(
        (x, y) => Number(x === y),
        (x) => Math.round(x),
      )[""](n),
  },
  neg: one((x) => -x),
  exp: one(Math.exp),
  log: one(Math.log, positive),
  sqrt: one(Math.sqrt, positive),
  sin: one(Math.sin),
  cos: one(Math.cos),
  tanh: one((x) => (Math.exp(x) - Math.exp(-x)) / (Math.exp(x) + Math.exp(-x))),
  sigmoid: one((x) => 1 / (1 + Math.exp(-x))),
  gelu: one((x) => x * cdf(x)),
  geluGrad: one((x) => cdf(x) + x * pdf(x)),
  relu: one((x) => (Number.isNaN(x) ? x : Math.max(x, 0)), apart),
  positive: one((x) => Number(x > 0), apart),
  mulScalar: { "": (n) => ({ ...one((x) => 0.3 * x)[""](n), attrs: { by: 0.3 } }) },
  addScalar: { "": (n) => ({ ...one((x) => x + 0.3)[""](n), attrs: { by: 0.3 } }) },
  where: {
    "": ({ a, b }, host) => {
      const keep = host.mask([a, b]);
      const kept = stridedReader(keep);
      return {
        attrs: { keep, otherwise: 0.7 },
        inputs: [[a, b]],
        shape: [a, b],
        element: ([i = 0, j = 0], x) => (kept(i, j) === 1 ? x(i, j) : 0.7),
      };
    },
  },
  unbroadcast: {
    "leading axis": ({ a, b }) => ({
      attrs: { shape: [b] },
      inputs: [[a, b]],
      shape: [b],
      element: ([j = 0], x) => sumOver(a, (i) => x(i, j)),
    }),
    "size 1": ({ a, b, c }) => ({
      attrs: { shape: [a, 1, c] },
      inputs: [[a, b, c]],
      shape: [a, 1, c],
      element: ([i = 0, , k = 0], x) => sumOver(b, (j) => x(i, j, k)),
    }),
    everything: ({ a, b }) => ({
      attrs: { shape: [] },
      inputs: [[a, b]],
      shape: [],
      element: (_, x) => sumOver(a, (i) => sumOver(b, (j) => x(i, j))),
    }),
  },
  maxTo: {
    "last axis": ({ a, b }) => ({
      attrs: { shape: [a, 1] },
      inputs: [[a, b]],
      shape: [a, 1],
      element: ([i = 0], x) => Math.max(...range(b).map((j) => x(i, j))),
    }),
  },
  expand: {
    "leading axis": ({ a, b }) => ({
      attrs: { shape: [a, b] },
      inputs: [[b]],
      shape: [a, b],
      element: ([, j = 0], x) => x(j),
    }),
    "size 1": ({ a, b, c }) => ({
      attrs: { shape: [a, b, c] },
      inputs: [[b, 1]],
      shape: [a, b, c],
      element: ([, j = 0], x) => x(j, 0),
    }),
  },
  sumExp: {
    "": ({ a, b, c }) => ({
      attrs: {},
      inputs: [
        [a, b, c],
        [a, b, 1],
      ],
      shape: [a, b, 1],
      element: ([i = 0, j = 0], x, shift) => sumOver(c, (k) => Math.exp(x(i, j, k) - shift(i, j, 0))),
    }),
  },
  softmax: {
    "": softmaxOf("nan", false),
    "masked, empty rows zero": softmaxOf("zero", true),
    "masked, empty rows uniform": softmaxOf("uniform", true),
    "masked, empty rows nan": softmaxOf("nan", true),
  },
  einsum: {
    product: ({ a, b, c }) => ({
      attrs: { pattern: "i k, k j -> i j" },
      inputs: [
        [a, b],
        [b, c],
      ],
      shape: [a, c],
      element: ([i = 0, j = 0], x, y) => sumOver(b, (k) => x(i, k) * y(k, j)),
    }),
    "product of rows, batched": ({ a, b, c }) => ({
      attrs: { pattern: "n i k, n j k -> j n i" },
      inputs: [
        [2, a, b],
        [2, c, b],
      ],
      shape: [c, 2, a],
      element: ([j = 0, n = 0, i = 0], x, y) => sumOver(b, (k) => x(n, i, k) * y(n, j, k)),
    }),
    "linear layer": ({ a, b, c }) => ({
      attrs: { pattern: "... i, o i -> ... o" },
      inputs: [
        [a, 2, b],
        [c, b],
      ],
      shape: [a, 2, c],
      element: ([m = 0, n = 0, o = 0], x, w) => sumOver(b, (i) => x(m, n, i) * w(o, i)),
    }),
    outer: ({ a, b }) => ({
      attrs: { pattern: "i, j -> j i" },
      inputs: [[a], [b]],
      shape: [b, a],
      element: ([j = 0, i = 0], x, y) => x(i) * y(j),
    }),
    inner: ({ a, b }) => ({
      attrs: { pattern: "i j, j i -> " },
      inputs: [
        [a, b],
        [b, a],
      ],
      shape: [],
      element: (_, x, y) => sumOver(a, (i) => sumOver(b, (j) => x(i, j) * y(j, i))),
    }),
  },
  rearrange: {
    permute: ({ a, b, c }) => ({
      attrs: { pattern: "a b c -> c a b", sizes: { a, b, c } },
      inputs: [[a, b, c]],
      shape: [c, a, b],
      element: ([k = 0, i = 0, j = 0], x) => x(i, j, k),
    }),
    "split and join": ({ a, b, c }) => ({
      attrs: { pattern: "b l (h k) -> 1 (h l) b k", sizes: { b: a, l: b, h: 2, k: c } },
      inputs: [[a, b, 2 * c]],
      shape: [1, 2 * b, a, c],
      element: ([, hl = 0, i = 0, k = 0], x) => x(i, hl % b, Math.floor(hl / b) * c + k),
    }),
  },
  repeat: {
    "new axes": ({ a, b, c }) => ({
      attrs: { pattern: "r d -> b r n d", sizes: { b: a, r: b, n: 2, d: c } },
      inputs: [[b, c]],
      shape: [a, b, 2, c],
      element: ([, r = 0, , d = 0], x) => x(r, d),
    }),
    "into a joined axis": ({ a, b, c }) => ({
      attrs: { pattern: "l m -> l (m r)", sizes: { l: a, m: b, r: c } },
      inputs: [[a, b]],
      shape: [a, b * c],
      element: ([l = 0, mr = 0], x) => x(l, Math.floor(mr / c)),
    }),
  },
  sum: {
    "middle axis": ({ a, b, c }) => ({
      attrs: { pattern: "b l d -> d b", sizes: { b: a, l: b, d: c } },
      inputs: [[a, b, c]],
      shape: [c, a],
      element: ([k = 0, i = 0], x) => sumOver(b, (j) => x(i, j, k)),
    }),
    "part of a joined axis": ({ a, b, c }) => ({
      attrs: { pattern: "(h k) d -> k 1", sizes: { h: a, k: b, d: c } },
      inputs: [[a * b, c]],
      shape: [b, 1],
      element: ([k = 0], x) => sumOver(a, (h) => sumOver(c, (d) => x(h * b + k, d))),
    }),
  },
  concat: {
    three: ({ a, b, c }) => ({
      attrs: { axis: 1 },
      inputs: [
        [a, b, 2],
        [a, 1, 2],
        [a, c, 2],
      ],
      shape: [a, b + 1 + c, 2],
      element: ([i = 0, j = 0, k = 0], x, y, z) =>
        (j < b ? x?.(i, j, k) : j === b ? y?.(i, 0, k) : z?.(i, j - b - 1, k)) ?? Number.NaN,
    }),
  },
  slice: {
    "": ({ a, b, c }) => ({
      attrs: { axis: 1, from: 1, to: 1 + b },
      inputs: [[a, b + 2, c]],
      shape: [a, b, c],
      element: ([i = 0, j = 0, k = 0], x) => x(i, j + 1, k),
    }),
  },
  pad: {
    "": ({ a, b, c }) => ({
      attrs: { axis: 1, before: 1, after: 2 },
      inputs: [[a, b, c]],
      shape: [a, b + 3, c],
      element: ([i = 0, j = 0, k = 0], x) => (j >= 1 && j < 1 + b ? x(i, j - 1, k) : 0),
    }),
  },
  windows: {
    "overlapping, with a remainder": ({ a, b, c }) => ({
      attrs: { axis: 1, size: 3, step: 2 },
      inputs: [[a, 2 * b + 4, c]],
      shape: [a, b + 1, c, 3],
      element: ([i = 0, j = 0, k = 0, m = 0], x) => x(i, 2 * j + m, k),
    }),
    "apart from each other": ({ a, b }) => ({
      attrs: { axis: 1, size: 2, step: 3 },
      inputs: [[a, 3 * b + 2]],
      shape: [a, b + 1, 2],
      element: ([i = 0, j = 0, m = 0], x) => x(i, 3 * j + m),
    }),
    "of any size": ({ a, b, c }) => ({
      attrs: { axis: 0, size: c, step: 1 },
      inputs: [[b + c, a]],
      shape: [b + 1, a, c],
      element: ([j = 0, i = 0, m = 0], x) => x(j + m, i),
    }),
  },
  overlap: {
    "with a remainder": ({ a, b, c }) => ({
      attrs: { axis: 1, step: 2, length: 2 * b + 4 },
      inputs: [[a, b + 1, c, 3]],
      shape: [a, 2 * b + 4, c],
      element: ([i = 0, t = 0, k = 0], x) =>
        sumOver(b + 1, (j) => sumOver(3, (m) => (2 * j + m === t ? x(i, j, k, m) : 0))),
    }),
    "of windows apart from each other": ({ a, b }) => ({
      attrs: { axis: 1, step: 3, length: 3 * b + 4 },
      inputs: [[a, b + 1, 2]],
      shape: [a, 3 * b + 4],
      element: ([i = 0, t = 0], x) =>
        sumOver(b + 1, (j) => sumOver(2, (m) => (3 * j + m === t ? x(i, j, m) : 0))),
    }),
  },
  gather: {
    "": ({ a, b, c }, host) => {
      const ids = host.ids([b, 2], a + 1);
      const id = stridedReader(ids);
      return {
        attrs: { ids },
        inputs: [[a + 1, c]],
        shape: [b, 2, c],
        element: ([i = 0, j = 0, k = 0], table) => table(id(i, j), k),
      };
    },
    "rows of two axes": ({ a, b, c }, host) => {
      const ids = host.ids([a], 3);
      const id = stridedReader(ids);
      return {
        attrs: { ids },
        inputs: [[3, b, c]],
        shape: [a, b, c],
        element: ([i = 0, j = 0, k = 0], table) => table(id(i), j, k),
      };
    },
  },
  scatter: {
    "": ({ a, b, c }, host) => {
      const ids = host.ids([b, 2], a + 1);
      const id = stridedReader(ids);
      return {
        attrs: { ids, rows: a + 1 },
        inputs: [[b, 2, c]],
        shape: [a + 1, c],
        element: ([r = 0, k = 0], x) =>
          sumOver(b, (i) => sumOver(2, (j) => (id(i, j) === r ? x(i, j, k) : 0))),
      };
    },
    "rows of two axes": ({ a, b, c }, host) => {
      const ids = host.ids([a], 3);
      const id = stridedReader(ids);
      return {
        attrs: { ids, rows: 3 },
        inputs: [[a, b, c]],
        shape: [3, b, c],
        element: ([r = 0, j = 0, k = 0], x) => sumOver(a, (i) => (id(i) === r ? x(i, j, k) : 0)),
      };
    },
  },
  pick: {
    "": ({ a, b, c }, host) => {
      const ids = host.ids([a, b], c + 1);
      const id = stridedReader(ids);
      return {
        attrs: { ids },
        inputs: [[a, b, c + 1]],
        shape: [a, b],
        element: ([i = 0, j = 0], x) => x(i, j, id(i, j)),
      };
    },
  },
  place: {
    "": ({ a, b, c }, host) => {
      const ids = host.ids([a, b], c + 1);
      const id = stridedReader(ids);
      return {
        attrs: { ids, width: c + 1 },
        inputs: [[a, b]],
        shape: [a, b, c + 1],
        element: ([i = 0, j = 0, k = 0], x) => (k === id(i, j) ? x(i, j) : 0),
      };
    },
  },
  detach: one((x) => x),
  tap: { "": (n) => ({ ...one((x) => x)[""](n), attrs: { name: "spec" } }) },
};

/** An example whose op is not known statically. */
export interface AnyExample {
  readonly attrs: object;
  readonly inputs: readonly Shape[];
  readonly domain?: (x: number) => number;
  readonly shape: Shape;
  element(index: readonly number[], ...inputs: At[]): number;
}
export interface Row {
  readonly title: string;
  readonly op: OpName;
  readonly make: (n: Extent, host: Host) => AnyExample;
}

/** One row for each example. */
export const rows: readonly Row[] = Object.entries(examples).flatMap(([op, variants]) =>
  Object.entries(variants).map(([name, make]) => ({
    title: name ? `${op}, ${name}` : op,
    op: op as OpName,
    make: make as Row["make"],
  })),
);

/** `apply` for an op that is not known statically. */
export const applyAny = apply as unknown as (op: OpName, attrs: object, ...inputs: Tensor[]) => Tensor;
