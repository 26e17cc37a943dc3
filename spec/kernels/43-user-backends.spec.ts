// Backends that users write: what their kernels return is checked, and so are the members of the backend.
import { describe, expect, test } from "vitest";
import type { Backend } from "../../src/kernels/backend.ts";
import { reference } from "../../src/kernels/reference/index.ts";
import { replay, run } from "../../src/kernels/replay.ts";
import { RuleError } from "../../src/tensor/errors.ts";
import { einsum, rearrange, slice } from "../../src/tensor/ops/arrange.ts";
import { add, exp, mulScalar } from "../../src/tensor/ops/functions.ts";
import { scope } from "../../src/tensor/program/apply.ts";
import { record } from "../../src/tensor/program/record.ts";
import { type Tensor, tensor, type View } from "../../src/tensor/tensor.ts";

// Backends as JavaScript can make them.
type Loose = (...operands: readonly never[]) => unknown;
const mine = (ops: Readonly<Record<string, unknown>>, more: object = {}): Backend =>
  ({ ...reference("float64"), name: "mine", ops, ...more }) as Backend;

const x = tensor("i j", [
  [1, 2, 3],
  [4, 5, 6],
]);
const y = tensor("i j", [
  [10, 20, 30],
  [40, 50, 60],
]);
const wide = tensor(
  "i",
  Array.from({ length: 40 }, (_, i) => i),
);

const array = (data: unknown, shape: unknown, stride: unknown, offset: unknown = 0) => ({
  data,
  shape,
  stride,
  offset,
});
const six = () => Float64Array.of(11, 22, 33, 44, 55, 66);

/** The error of x + y where the kernel of `add` returns this, and of a program whose scope returns it. */
const problemOf = async (work: Promise<unknown>): Promise<RuleError> => {
  const error: unknown = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(RuleError);
  return error as RuleError;
};
const sum = (add: Loose) => run(mine({ add }), () => plus(x, y));
const plus = (a: Tensor, b: Tensor) => add(a, b);

const WRONG: readonly (readonly [string, () => unknown, string])[] = [
  ["undefined", () => undefined, "returned undefined;"],
  ["null", () => null, "returned null;"],
  ["a number", () => 5, "returned a number;"],
  ["a typed array", six, "returned a Float64Array;"],
  ["a list", () => [...six()], "returned a list;"],
  ["a tensor", () => x, "returned a Tensor;"],
  ["no strides", () => ({ data: six(), shape: [2, 3] }), "returned an object without stride, offset;"],
  ["another shape", () => array(six(), [3, 2], [2, 1]), "returned values of shape [3 2];"],
  ["fewer axes", () => array(six(), [6], [1]), "returned values of shape [6];"],
  ["a last axis more", () => array(six(), [2, 3, 1], [3, 1]), "returned values of shape [2 3 1];"],
  ["a stride more", () => array(six(), [2, 3], [3, 1, 1]), "with strides [3 1 1] from 0,"],
  ["more axes", () => array(six(), [1, 2, 3], [6, 3, 1]), "returned values of shape [1 2 3];"],
  [
    "too few values",
    () => array(six().slice(1), [2, 3], [3, 1]),
    "returned values of this shape with strides [3 1] from 0, which is not within its array of 5;",
  ],
  [
    "an offset beyond the end",
    () => array(six(), [2, 3], [3, 1], 1),
    "with strides [3 1] from 1, which is not within its array of 6;",
  ],
  ["an offset before the start", () => array(six(), [2, 3], [3, 1], -1), "with strides [3 1] from -1,"],
  ["strides before the start", () => array(six(), [2, 3], [-3, 1], 0), "with strides [-3 1] from 0,"],
  ["half an offset", () => array(new Float64Array(9), [2, 3], [3, 1], 0.5), "from 0.5,"],
  ["half a stride", () => array(new Float64Array(9), [2, 3], [2.5, 1]), "with strides [2.5 1] from 0,"],
  ["too few strides", () => array(six(), [2, 3], [1]), "with strides [1] from 0,"],
  [
    "strides in a typed array",
    () => array(six(), [2, 3], Int32Array.of(3, 1)),
    "an object with an Int32Array as stride;",
  ],
  [
    "a shape in a typed array",
    () => array(six(), Int32Array.of(2, 3), [3, 1]),
    "an object with an Int32Array as shape;",
  ],
  ["integers", () => array(Int32Array.from(six()), [2, 3], [3, 1]), "returned values in an Int32Array;"],
  ["a list of values", () => array([...six()], [2, 3], [3, 1]), "returned values in a list;"],
];

describe("[replay.returns] a kernel", () => {
  test.each(WRONG)("that returns %s is refused, as is a promise of it", async (_, result, words) => {
    for (const kernel of [result, async () => result()]) {
      const { message, rule, facts } = await problemOf(sum(kernel as Loose));
      expect(message).toContain('the kernel "add" of the backend "mine" returned ');
      expect(message).toContain(words);
      expect(message).toContain("must return values of shape [2 3], as { data, shape, stride, offset }");
      expect(rule).toBe("replay.returns");
      expect(facts).toMatchObject({ backend: "mine", kernel: "add" });
    }
  });

  test.each<[string, View]>([
    ["row-major", array(six(), [2, 3], [3, 1]) as View],
    ["in column-major order", array(Float64Array.of(11, 44, 22, 55, 33, 66), [2, 3], [1, 2]) as View],
    ["in float32", array(Float32Array.from(six()), [2, 3], [3, 1]) as View],
    ["within a larger array", array(Float64Array.of(0, ...six(), 0), [2, 3], [3, 1], 1) as View],
    ["from last to first", array(six().reverse(), [2, 3], [-3, -1], 5) as View],
  ])("may return values %s", async (_, result) => {
    for (const kernel of [() => result, async () => result])
      expect([...(await sum(kernel)).flat()]).toEqual([11, 22, 33, 44, 55, 66]);
  });

  test("may return a repeated value, and an array without elements", async () => {
    const same = array(Float64Array.of(7), [2, 3], [0, 0]) as View;
    expect([...(await sum(() => same)).flat()]).toEqual([7, 7, 7, 7, 7, 7]);
    const none = tensor("i j", [0, 3], new Float64Array(0));
    for (const strides of [
      [3, 1],
      [1, 5],
    ]) {
      const empty = array(new Float64Array(0), [0, 3], strides) as View;
      const out = await run(mine({ add: () => empty }), () => add(none, none));
      expect(out.shape).toEqual([0, 3]);
    }
  });

  test("that is no op's, or no function, is refused before anything runs", async () => {
    expect((await problemOf(run(mine({ Add: six }), () => plus(x, y)))).message).toMatch(
      /^the backend "mine" has a kernel for "Add", which is no op \(did you mean "add"\?\)/,
    );
    expect((await problemOf(run(mine({ add: [] }), () => plus(x, y)))).message).toMatch(
      /^the backend "mine" has a list as its kernel for "add"; it must be a function/,
    );
    for (const [norm, found] of [
      [() => x, "a function"],
      [{ takes: [["x"]] }, "an object"],
      [{ run: () => x }, "an object"],
      [null, "null"],
    ])
      expect((await problemOf(run(mine({}, { scopes: { norm } }), () => plus(x, y)))).message).toContain(
        `the backend "mine" has ${found} as its kernel for the scope "norm"; it must be an object with the list takes and the function run`,
      );
    expect([...(await run(mine({ add: undefined }), () => plus(x, y))).flat()]).toEqual([...six()]);
  });
});

test.each(["scopes", "ran"])("[options.values] a backend without %s is refused", async (member) => {
  const { [member]: _, ...others } = mine({}) as unknown as Record<string, unknown>;
  const work = run(others as unknown as Backend, () => plus(x, y));
  expect((await problemOf(work)).message).toContain(
    `run: backend is an object without ${member}; it must be`,
  );
});

test("[precision.known] a backend of the user has one of the known precisions", async () => {
  const work = run(mine({}, { precision: "float8" }), () => plus(x, y));
  expect((await problemOf(work)).message).toMatch(/^"float8" is not a precision; known are float64/);
});

describe("[replay.returns] a result in the memory of an operand", () => {
  /** Adds in place, and returns the array with this part of the operand's buffer. */
  const inPlace =
    (part: (data: View["data"]) => View["data"], operand = 0): Loose =>
    (_, ...operands: readonly View[]) => {
      const v = operands[operand] as View;
      return { ...v, data: part(v.data) };
    };

  test("is refused, whichever operand it is", async () => {
    for (const operand of [0, 1]) {
      const { message, facts } = await problemOf(sum(inPlace((data) => data, operand)));
      expect(message).toContain(
        `the kernel "add" of the backend "mine" returned values in the memory of operand ${operand + 1}; it must return them in an array of their own`,
      );
      expect(facts).toMatchObject({ backend: "mine", kernel: "add" });
    }
  });

  test("is refused where another array shares the buffer", async () => {
    const again = inPlace((data) => new Float64Array(data.buffer, data.byteOffset, data.length));
    const work = run(mine({ exp: again }), () => exp(wide));
    expect((await problemOf(work)).message).toContain("in the memory of operand 1");
    const part = inPlace((data) => data.subarray(0, 20));
    const half = run(mine({ exp: (_: never, v: never) => ({ ...(part(_, v) as View), stride: [0] }) }), () =>
      exp(wide),
    );
    expect((await problemOf(half)).message).toContain("in the memory of operand 1");
  });

  test("is accepted in another part of one large buffer, and in a buffer of its own", async () => {
    const doubles = Array.from({ length: 40 }, (_, i) => 2 * i);
    for (const [from, to] of [
      [0, 40],
      [40, 0],
    ] as const) {
      const arena = new Float64Array(80);
      arena.set(wide.flat(), from);
      const first = tensor("i", [40], arena.subarray(from, from + 40));
      const doubled = (_: object, { data, ...v }: View): View => {
        const out = arena.subarray(to, to + 40);
        for (const [i, value] of data.entries()) out[i] = 2 * value;
        return { ...v, data: out };
      };
      const out = await run(mine({ mulScalar: doubled }), () => mulScalar(first, 2));
      expect([...out.flat()]).toEqual(doubles);
    }
    const copied = (_: object, v: View): View => ({ ...v, data: v.data.map((value) => 2 * value) });
    const out = await run(mine({ mulScalar: copied }), () => mulScalar(wide, 2));
    expect([...out.flat()]).toEqual(doubles);
  });

  test("is what ops return that only change shape and strides", async () => {
    const slice1 = (_: object, v: View): View => ({ ...v, shape: [1, 3], offset: 3 });
    const out = await run(mine({ slice: slice1 }), () => slice(x, 0, 1, 2));
    expect([...out.flat()]).toEqual([4, 5, 6]);
    const turned = ({ data }: View): View => array(data, [3, 2], [1, 3]) as View;
    const transposed = await run(mine({ rearrange: (_: object, v: View) => turned(v) }), () =>
      rearrange("i j -> j i", x),
    );
    expect([...transposed.flat()]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe("[replay.returns] a fused kernel", () => {
  const one = () => scope("twice", { a: x }, {}, ({ a }) => add(a, a));
  const two = () => scope("both", { a: x }, {}, ({ a }) => ({ double: add(a, a), cube: exp(a) }));
  const fused = (name: string, kernel: Loose): Backend =>
    mine({}, { scopes: { [name]: { takes: [["a"]], run: kernel } } });

  test.each(WRONG)("that returns %s is refused", async (_, result, words) => {
    const { message, facts } = await problemOf(run(fused("twice", result), one));
    expect(message).toContain('the kernel "twice" of the backend "mine" returned ');
    expect(message).toContain(words.replace(/;$/, ' as its output "out";'));
    expect(facts).toMatchObject({ backend: "mine", kernel: "twice", output: "out" });
  });

  test("returns its one output alone or by name", async () => {
    const out = array(six(), [2, 3], [3, 1]);
    for (const result of [out, { out }])
      expect([
        ...(
          await run(
            fused("twice", async () => result),
            one,
          )
        ).flat(),
      ]).toEqual([...six()]);
  });

  test("with several outputs returns all of them by name", async () => {
    const good = array(six(), [2, 3], [3, 1]);
    const wants = "it must return an object with its outputs double, cube";
    for (const [result, words] of [
      [undefined, `returned undefined; ${wants}`],
      [good, `returned a single array; ${wants}`],
      [{ other: good }, `returned an object; ${wants}`],
      [{ double: good }, 'returned undefined as its output "cube"; it must return values of shape [2 3]'],
      [{ double: good, cube: Promise.resolve(good) }, 'returned a promise as its output "cube";'],
      [{ double: good, cube: x.data }, 'returned values in the memory of operand 1 as its output "cube";'],
    ] as const) {
      const { message } = await problemOf(
        run(
          fused("both", () => result),
          two,
        ),
      );
      expect(message).toContain(`the kernel "both" of the backend "mine" ${words}`);
    }
    const cube = array(six().reverse(), [2, 3], [3, 1]);
    const { double, cube: other } = await run(
      fused("both", () => ({ cube, double: good })),
      two,
    );
    expect([...double.flat()]).toEqual([11, 22, 33, 44, 55, 66]);
    expect([...other.flat()]).toEqual([66, 55, 44, 33, 22, 11]);
  });

  test("may leave out an output that nothing reads", async () => {
    const good = array(six(), [2, 3], [3, 1]);
    const p = record(() => two().double, { inputs: { x }, symbolic: true });
    const { outputs, kernels } = await replay(
      p,
      fused("both", () => ({ double: good })),
    );
    expect(kernels.fused).toBe(1);
    expect([...(outputs.out as Tensor).flat()]).toEqual([...six()]);
  });
});

test("[replay.returns] nothing of the caller is changed where a kernel is refused, and the next run is right", async () => {
  let calls = 0;
  const product = (_: object, a: View, b: View): unknown =>
    calls++ === 0 ? undefined : array(Float64Array.of(a.data.length, b.data.length), [2, 1], [1, 1]);
  const backend = mine({ einsum: product });
  const f = () => einsum("i j, k j -> i k", x, slice(y as Tensor, 0, 0, 1));
  expect((await problemOf(run(backend, f))).message).toContain('the kernel "einsum"');
  expect([...(await run(backend, f)).flat()]).toEqual([6, 6]);
  expect([...x.flat(), ...y.flat()]).toEqual([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]);
});

test("[replay.kernels] kernels in a Map or a list, of which none would run, are refused", async () => {
  const kernel = () => array(six(), [2, 3], [3, 1]);
  for (const [member, kernels, problem] of [
    ["ops", new Map([["add", kernel]]), "a Map as ops"],
    ["ops", [kernel], "a list as ops"],
    ["scopes", new Map(), "a Map as scopes"],
  ] as const) {
    const { message } = await problemOf(run(mine({}, { [member]: kernels }), () => plus(x, y)));
    expect(message).toContain(
      `the backend "mine" has ${problem}; it must be an object of kernels by their names`,
    );
  }
});
