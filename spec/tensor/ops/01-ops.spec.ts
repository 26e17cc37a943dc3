// The executable half of 01-ops.md: every op against a loop over its definition, for random sizes (0 among them), random
// views and NaN. The definitions are in support/oracles/ops.ts.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { EXACT } from "../../../src/tensor/ops/rules.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import {
  type AnyExample,
  applyAny,
  type Extent,
  type Host,
  type Row,
  rows,
} from "../../support/oracles/ops.ts";
import {
  copyOf,
  copyOfBool,
  copyOfInt,
  type Layout,
  laidOutTensor,
  layouts,
  listing,
  plain,
  randomIds,
  randomMask,
  reader,
} from "../../support/properties/arbitraries.ts";
import { expectClose, expectSame, valuesOf } from "../../support/properties/programs.ts";

const extent = (min: number, max: number): fc.Arbitrary<Extent> => {
  const n = fc.integer({ min, max });
  return fc.record({ a: n, b: n, c: n });
};
const seeds = fc.nat({ max: 999 });

/** Masks and ids with the given layout in memory. */
const host = (seed: number, layout: Layout = plain): Host => ({
  mask: (shape) => randomMask(shape, seed, layout),
  ids: (shape, n) => randomIds(shape, n, seed, layout),
});

const copied = ({ mask, ids }: Host): Host => ({
  mask: (shape) => copyOfBool(mask(shape)),
  ids: (shape, n) => copyOfInt(ids(shape, n)),
});

const operands = (example: AnyExample, seed: number, layout: Layout = plain, kind?: typeof Float32Array) =>
  example.inputs.map((shape, i) => laidOutTensor(shape, layout, seed + i, example.domain, kind));

const isExact = (op: Row["op"]): boolean => EXACT.has(op);

/** Compares shape and elements of the result with the definition. */
function equalsDefinition(op: Row["op"], example: AnyExample, inputs: readonly Tensor[]): void {
  const out = applyAny(op, example.attrs, ...inputs);
  expect(out.shape).toEqual(example.shape);
  const at = inputs.map((t) => reader(t.data));
  const expected = listing(example.shape, (i) => example.element(i, ...at));
  expectClose(valuesOf(out), expected, isExact(op) ? 0 : 1e-13);
}

const check = <T extends [unknown, ...unknown[]]>(
  arbitraries: { [I in keyof T]: fc.Arbitrary<T[I]> },
  law: (...values: T) => void,
) => fc.assert(fc.property<T>(...arbitraries, law), { numRuns: 40 });

describe.each(rows)("$title", ({ op, make }) => {
  test("[ops.definition] every element equals the definition", () => {
    check([extent(0, 5), seeds], (n, seed) => {
      const example = make(n, host(seed));
      equalsDefinition(op, example, operands(example, seed));
    });
  });

  test("[ops.empty] results for axes of size 0 equal the definition", () => {
    check([extent(0, 1), fc.constantFrom("a", "b", "c"), seeds], (n, none, seed) => {
      const example = make({ ...n, [none]: 0 }, host(seed));
      equalsDefinition(op, example, operands(example, seed));
    });
  });

  test("[ops.views] views give the results of copies, bit for bit", () => {
    check([extent(0, 4), layouts, layouts, seeds], (n, layout, hostLayout, seed) => {
      const inputs = operands(make(n, host(seed)), seed, layout);
      const masks = make(n, host(seed, hostLayout)); // masks and ids are views too
      equalsDefinition(op, masks, inputs);
      const copies = inputs.map(copyOf);
      const rowMajor = make(n, copied(host(seed, hostLayout)));
      expectSame(applyAny(op, masks.attrs, ...inputs), applyAny(op, rowMajor.attrs, ...copies));
    });
  });

  test("[ops.float64] operations on float32 operands are computed in float64", () => {
    check([extent(1, 3), seeds], (n, seed) => {
      const example = make(n, host(seed));
      const inputs = operands(example, seed, plain, Float32Array);
      equalsDefinition(op, example, inputs);
      expectSame(applyAny(op, example.attrs, ...inputs), applyAny(op, example.attrs, ...inputs.map(copyOf)));
    });
  });

  test("[ops.nan] a NaN reaches exactly the elements that depend on it", () => {
    check([extent(1, 4), seeds, fc.nat()], (n, seed, where) => {
      const example = make(n, host(seed));
      const inputs = operands(example, seed);
      const changed = inputs[where % inputs.length] as Tensor;
      const values = changed.data.data;
      values[where % values.length] = Number.NaN;
      equalsDefinition(op, example, inputs);
    });
  });

  test("[ops.fresh] operands and host data are not changed", () => {
    check([extent(0, 4), layouts, seeds], (n, layout, seed) => {
      const example = make(n, host(seed, layout));
      const inputs = operands(example, seed, layout);
      const before = structuredClone({ attrs: example.attrs, data: inputs.map((t) => t.data.data) });
      applyAny(op, example.attrs, ...inputs);
      expect({ attrs: structuredClone(example.attrs), data: inputs.map((t) => t.data.data) }).toEqual(before);
    });
  });
});
