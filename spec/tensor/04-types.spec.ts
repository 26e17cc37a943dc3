// The executable half of 04-types.md. tsc must reject every line below an "@ts-expect-error" and accept all others. These
// functions are not called, since the tensors are only declared.
import { expect, test } from "vitest";
import { attention } from "../../src/nn/attention/attention.ts";
import { FeedForward } from "../../src/nn/feed-forward.ts";
import { Linear } from "../../src/nn/linear.ts";
import { LayerNorm } from "../../src/nn/norms/layer-norm.ts";
import { concat, einsum, rearrange, repeat, sum, unbind } from "../../src/tensor/ops/arrange.ts";
import { add, gather, maskedSoftmax, where } from "../../src/tensor/ops/functions.ts";
import { named, shapes } from "../../src/tensor/pattern.ts";
import { type Bool, Int, type Tensor } from "../../src/tensor/tensor.ts";
import { randomTensor } from "../support/properties/arbitraries.ts";

declare const x: Tensor<"b l d">;
declare const q: Tensor<"b h l k">;
declare const k: Tensor<"b h s k">;
declare const values: Tensor<"b h s e">;
declare const media: Tensor<"b m s d">;
declare const latents: Tensor<"b m r d">;
declare const bare: Tensor;
declare const mask: Bool<"b l m">;
declare const ids: Int<"b l">;
declare const table: Tensor<"v d">;
declare const toQ: Linear<"d", "(h k)">;

function patterns(): unknown[] {
  const scores: Tensor<"b h l s"> = einsum("b h l k, b h s k -> b h l s", q, k);
  // @ts-expect-error operands swapped
  einsum("b h l k, b h s k -> b h l s", k, q);
  const turned: Tensor<"b h k l"> = einsum("b h l k -> b h k l", q);
  // @ts-expect-error one operand with other axes
  einsum("b h s k -> b h k s", q);
  // @ts-expect-error the wrong order of axes
  rearrange("b d l -> b l d", x);
  // @ts-expect-error no arrow
  rearrange("b l d", x);
  const computed: string = ["b l d", "b d l"].join(" -> ");
  // @ts-expect-error a pattern is a literal, not a computed string
  rearrange(computed, x);
  const split: Tensor<"b h l k"> = rearrange("b l (h k) -> b h l k", toQ.forward(x), { h: 8 });
  // @ts-expect-error a misspelt size
  rearrange("b l (h k) -> b h l k", toQ.forward(x), { heads: 8 });
  // @ts-expect-error a size for an axis that the pattern lacks
  rearrange("b l d -> b l d", x, { n: 8 });
  const joined: Tensor<"b m j d"> = concat("b m s d, b m r d -> b m j d", media, latents);
  // @ts-expect-error operands in the wrong order
  concat("b m s d, b m r d -> b m j d", latents, media);
  const rows: Tensor<"b l"> = sum("b l d -> b l", x);
  // @ts-expect-error the sum has other axes
  const wrong: Tensor<"b d"> = sum("b l d -> b l", x);
  const visible: Bool<"b h l (m r)"> = repeat("b l m -> b h l (m r)", mask, { h: 2, r: 3 });
  // @ts-expect-error a mask stays a mask
  const floats: Tensor<"b h l m"> = repeat("b l m -> b h l m", mask, { h: 2 });
  const many: Int<"b l n"> = repeat("b l -> b l n", ids, { n: 2 });
  const [key, value] = unbind(rearrange("b l (n h k) -> n b h l k", named("b l (n h k)", bare), { n: 2 }));
  const same: Tensor<"b h l k"> = add(key, value);
  return [scores, turned, split, joined, rows, wrong, visible, floats, many, same];
}

function operands(): unknown[] {
  const sum: Tensor<"b l d"> = add(x, x);
  // @ts-expect-error tensors with other names do not add
  add(q, k);
  // @ts-expect-error mask and scores must have the same axes
  maskedSoftmax(q, mask, { emptyRow: "zero" });
  // @ts-expect-error an unknown kind of empty row
  maskedSoftmax(named("b l m", bare), mask, { emptyRow: "none" });
  // @ts-expect-error mask and tensor must have the same axes
  where(mask, x);
  const rows: Tensor<"b l d"> = gather(table, ids);
  // @ts-expect-error floats are not ids
  gather(table, x);
  // @ts-expect-error ids are not floats
  add(ids, ids);
  // @ts-expect-error masks are not ids
  gather(table, mask);
  return [sum, rows];
}

function bareTensors(): unknown[] {
  // A bare tensor matches every pattern. Ranks and sizes are still checked at run time.
  const left: Tensor<"b l d"> = add(x, bare);
  const anything: Tensor<"q q q"> = bare;
  const out: Tensor<"b l (h k)"> = toQ.forward(bare);
  const split = rearrange("b l (h k) -> b h l k", toQ.forward(bare), { h: 2 });
  // A letter that occurs on the right only is an error at run time, [notation.origin], not in tsc.
  const invented: Tensor<"b l z"> = rearrange("b l d -> b l z", x);
  return [left, anything, out, split, invented];
}

function modules(): unknown[] {
  const named: Tensor<"b l (h k)"> = toQ.forward(x);
  // @ts-expect-error Linear takes d, not k
  toQ.forward(q);
  // @ts-expect-error this Linear returns other axes
  const other: Tensor<"b l k"> = toQ.forward(x);
  const made: Linear<"d", "f"> = new Linear("d -> f", 4, 8);
  // @ts-expect-error the pattern of a Linear names its input and its output
  new Linear("d", 4, 8);
  const normal: Tensor<"b l d"> = new LayerNorm(3).forward(x);
  const fed: Tensor<"b m r d"> = new FeedForward({ dim: 4 }).forward(latents);
  const attended: Tensor<"b h l k"> = attention({}, q, k, k, { mayAttend: null, emptyRow: "nan" });
  // @ts-expect-error values have the axes of the keys
  attention({}, q, k, q, { mayAttend: null, emptyRow: "nan" });
  const wide: Tensor<"b h l e"> = attention({}, q, k, values, { mayAttend: null, emptyRow: "nan" });
  // @ts-expect-error the result has the width of the values
  const narrow: Tensor<"b h l k"> = attention({}, q, k, values, { mayAttend: null, emptyRow: "nan" });
  return [named, other, made, normal, fed, attended, wide, narrow];
}

function sizes(): number {
  const { b, l, m } = shapes("Types", { x: [x, "b l d"], mask: [mask, "b l m"] });
  // @ts-expect-error no such axis
  const { z } = shapes("Types", { x: [x, "b l d"] });
  // @ts-expect-error the pattern must equal the type of the argument
  shapes("Types", { x: [x, "b d l"] });
  return b + l + m + z;
}

test("[types.patterns] axis names exist in types only, and in patterns at run time", () => {
  const x = randomTensor<"b l d">([2, 3, 4]);
  const [row]: Tensor<"l d">[] = unbind(x);
  const { b, l, d } = shapes("Types", { x: [x, "b l d"] });
  expect([b, l, d, row?.shape]).toEqual([2, 3, 4, [3, 4]]);
  expect(Object.keys(x)).toEqual(["shape"]); // no field has the names
  const checkedByTsc = [patterns, operands, bareTensors, modules, sizes];
  expect(checkedByTsc.map((f) => f.length)).toEqual([0, 0, 0, 0, 0]); // they are checked by tsc, and not called
  expect("axes" in x || "axes" in new Int<"i">([0], new Int32Array(0))).toBe(false);
});
