// The softmax and its mask: mutants 15, 16, 29.
import { div, exp, expand, maskedSoftmax, softmax, sumLast, where } from "../../../tensor/ops/functions.ts";
import { apply } from "../../../tensor/ops/rules.ts";
import type { Mask } from "../../../tensor/ops/table.ts";
import { Bool, type Tensor } from "../../../tensor/tensor.ts";
import { type Change, changing, type Mutant } from "../mutant.ts";
import { type Attention, attentions, boolOf } from "../pattern-matchers.ts";

/** True in the rows of scores that may attend to something. */
function attending(shape: readonly number[], mayAttend: Mask): Bool {
  const keys = shape.at(-1) ?? 1;
  const allowed = boolOf(mayAttend).flat();
  const row = (i: number) => allowed.subarray(i - (i % keys), i - (i % keys) + keys);
  return new Bool(
    shape,
    allowed.map((_, i) => Number(row(i).includes(1))),
  );
}

/** A softmax without a mask, after masked scores are filled with this value; rows that attend to nothing stay 0 where they are. */
const filling = (fill: number) =>
  changing(({ program }) =>
    attentions(program).flatMap(({ masked, softmax: { id, attrs } }): Change[] => {
      if (!masked) return [];
      const keep = boolOf(masked.attrs.keep);
      const { mayAttend, emptyRow } = attrs;
      const emptied = (x: Tensor) =>
        mayAttend && emptyRow === "zero" ? where(attending(x.shape, mayAttend), softmax(x)) : softmax(x);
      return [
        [masked.id, (x) => where(keep, x, fill)],
        [id, emptied],
      ];
    }),
  );

/** Every score is finite and above a limit. */
const scoresAbove = (limit: number) => (taps: Readonly<Record<string, Tensor>>) =>
  Object.entries(taps).every(
    ([name, t]) => !/(^|\.)scores(@\d+)?$/.test(name) || t.flat().every((x) => x > limit),
  );

const swapLast = (xs: readonly number[]): number[] => [...xs.slice(0, -2), ...xs.slice(-2).reverse()];

function transposed(x: Tensor): Tensor {
  const names = x.shape.map((_, i) => `~${i}`);
  const sizes = Object.fromEntries(x.shape.map((n, i) => [`~${i}`, n]));
  const swapped = [...names.slice(0, -2), ...names.slice(-2).reverse()];
  return apply("rearrange", { pattern: `${names.join(" ")} -> ${swapped.join(" ")}`, sizes }, x);
}

/** The softmax over the queries instead of the keys. */
function alongQueries(x: Tensor, mask: Mask | null): Tensor {
  if (!mask) return transposed(softmax(transposed(x)));
  const swapped = new Bool(swapLast(mask.shape), mask.data, swapLast(mask.stride), mask.offset);
  return transposed(maskedSoftmax(transposed(x), swapped, { emptyRow: "uniform" }));
}

/** exp x / Σ exp x without shifting x; empty rows are left as they are. */
function unshifted(x: Tensor, { mayAttend, emptyRow }: Attention["softmax"]["attrs"]): Tensor {
  const weights = mayAttend ? where(boolOf(mayAttend), exp(x)) : exp(x);
  const normal = div(weights, expand(sumLast(weights), weights));
  if (!mayAttend) return normal;
  const keys = x.shape.at(-1) ?? 1;
  return where(attending(x.shape, mayAttend), normal, emptyRow === "uniform" ? 1 / keys : 0);
}

const inEach = (change: (x: Tensor, attention: Attention) => Tensor) =>
  changing(({ program }) => attentions(program).map((a): Change => [a.softmax.id, (x) => change(x, a)]));

export const softmaxes: readonly Mutant[] = [
  {
    id: "nan-rows",
    number: 15,
    title: "Rows that may attend nothing are −∞ − −∞ = NaN",
    seenIn: "burn #4694, iree #24175, rten #1321, mlx #2395, onnx #8068",
    needs: "a row that may attend nothing and is not zeroed",
    apply: inEach((x) => softmax(x)),
  },
  {
    id: "fill-10",
    number: 16,
    title: "Masked scores are −10: small, not gone",
    seenIn: "ports in half precision",
    needs: "a mask",
    apply: filling(-10),
  },
  {
    id: "fill-100",
    number: 16,
    title: "Masked scores are −100",
    seenIn: "ports in half precision",
    needs: "scores below −50",
    apply: filling(-100),
    equivalent: {
      proof: "scores above −50 leave a masked key at most e^(−100 + 50) = 2e-22 of the row's largest weight",
      where: scoresAbove(-50),
    },
  },
  {
    id: "fill-10000",
    number: 16,
    title: "Masked scores are −10,000",
    seenIn: "DeepMind's Perceiver, in float16",
    needs: "scores below −9,950",
    apply: filling(-1e4),
    equivalent: {
      proof:
        "scores above −9,950 leave a masked key at most e^(−10,000 + 9,950) = 2e-22 of the row's largest weight",
      where: scoresAbove(-9950),
    },
  },
  {
    id: "softmax-over-queries",
    number: 29,
    title: "The softmax runs over the queries",
    seenIn: "ports with another default axis",
    needs: "any attention",
    apply: inEach((x, { softmax: { attrs } }) => alongQueries(x, attrs.mayAttend)),
  },
  {
    id: "softmax-unshifted",
    number: 29,
    title: "The softmax does not subtract the largest score",
    seenIn: "ports that write exp(x) / Σ exp(x)",
    needs: "scores above 88, in float32",
    apply: inEach((x, { softmax: { attrs } }) => unshifted(x, attrs)),
    precision: "float32",
  },
];
