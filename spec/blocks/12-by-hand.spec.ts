// The numbers of docs/guides/13-by-hand.md: each line's arithmetic is computed from the page, and each result is compared with the loops,
// with the module and with its derivatives. The page was written with a calculator and numpy, not from the output of src.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { gelu, linear, type Mat, norm, type Weights } from "../../docs/examples/flamingo-as-loops.mjs";
import { GatedCrossAttentionBlock } from "../../src/blocks/gated-cross-attention-block.ts";
import { type Convention, conventions } from "../../src/masks/conventions/conventions.ts";
import { stateDict } from "../../src/nn/state-dict.ts";
import { gradientOf, gradients } from "../../src/tensor/autodiff/gradients.ts";
import { einsum } from "../../src/tensor/ops/arrange.ts";
import { add, softmax, sumAll, where } from "../../src/tensor/ops/functions.ts";
import { evaluate } from "../../src/tensor/program/evaluate.ts";
import { record } from "../../src/tensor/program/record.ts";
import { bool, flat, type Tensor, tensor, view } from "../../src/tensor/tensor.ts";

const page = readFileSync(new URL("../../docs/guides/13-by-hand.md", import.meta.url), "utf8");
const blocks = (language: string) =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, of]) => of === language)
    .map(([, , text]) => text ?? "");

interface Line {
  readonly name: string;
  /** Arithmetic, or null where the page states a result alone. */
  readonly arithmetic: string | null;
  readonly result: string;
}
const lines: readonly Line[] = blocks("text")
  .flatMap((text) => text.trim().split("\n"))
  .map((line) => {
    const [name = "", ...rest] = line.split(" = ");
    return { name, arithmetic: rest.length > 1 ? (rest[0] ?? "") : null, result: rest.at(-1) ?? "" };
  });
const given: Weights & { readonly y: Mat; readonly x: Mat } = JSON.parse(blocks("json")[0] ?? "");

const value = (text: string): number => Number(text.replace("−", "-"));

/** A sum of products and quotients of numbers, parentheses, and the functions exp, tanh and Φ. */
function computed(text: string): number {
  const words = text.replaceAll("−", "-").match(/\d+(?:\.\d+)?|exp|tanh|Φ|[-+·/()]/g) ?? [];
  const functions: Record<string, (x: number) => number> = {
    exp: Math.exp,
    tanh: Math.tanh,
    Φ: (x) => gelu(x) / x,
  };
  let at = 0;
  const atom = (): number => {
    const word = words[at++] ?? "";
    if (word === "-") return -atom();
    if (word in functions) return functions[word]?.(atom()) ?? Number.NaN;
    if (word !== "(") return Number(word);
    const inside = sum();
    at++;
    return inside;
  };
  const product = (): number => {
    let total = atom();
    while (words[at] === "·" || words[at] === "/")
      total = words[at++] === "·" ? total * atom() : total / atom();
    return total;
  };
  const sum = (): number => {
    let total = product();
    while (words[at] === "+" || words[at] === "-") total += words[at++] === "+" ? product() : -product();
    return total;
  };
  return sum();
}

test("the arithmetic of every line of the page gives its result", () => {
  expect(lines.length).toBe(58);
  expect(computed("(1 − tanh(0.5)·2)/4 + 3·(−1)")).toBeCloseTo((1 - Math.tanh(0.5) * 2) / 4 - 3, 12);
  // numbers on the left are rounded to four decimals, so that the fourth of a result may differ by one
  for (const { name, arithmetic, result } of lines.filter((line) => line.arithmetic !== null)) {
    const off = Math.abs(computed(arithmetic ?? "") - value(result));
    expect([name, off < 1.6e-4]).toEqual([name, true]);
  }
});

/** The module with the page's weights, its named activations, its result and the derivatives of the sum of its outputs. */
function module(convention: Convention) {
  const block = new GatedCrossAttentionBlock({
    dim: 2,
    dimMedia: 2,
    heads: 1,
    dimHead: 1,
    ffMult: 1,
    convention,
  });
  for (const [name, weight] of stateDict(block)) {
    const numbers = name in given ? [given[name]].flat(3) : flat(weight.data); // the norms keep 1 and 0
    weight.assign(view(Float64Array.from(numbers as number[]), weight.shape));
  }
  const [y, x] = [
    tensor("b l d", [1, 2, 2], given.y.flat()),
    tensor("b m r e", [1, 1, 2, 2], given.x.flat()),
  ];
  const forward = () => {
    const out = block.forward(y, x, { mediaLocations: bool("b l", [[false, true]]) });
    return { out, loss: sumAll(out) };
  };
  const program = record(forward, { model: block, inputs: { y, x } });
  const { outputs, taps } = evaluate(program);
  const wrt = ["y", "x", "attn_gate", "attn.to_q.weight", "attn.to_kv.weight", "attn.to_out.weight"];
  const slopes = evaluate(gradients(program, "loss", wrt)).outputs;
  const numbers = (t: Tensor | undefined): number[] => (t ? [...flat(t.data)] : []);
  return {
    taps: (name: string) => numbers(taps[name]),
    out: numbers(outputs.out),
    slope: (name: string) => numbers(slopes[gradientOf(name)]),
  };
}

/** The page's names and what they are in the module, or in the loops where the module has no activation of that name. */
function quantities(convention: Convention): Record<string, number | undefined> {
  const { taps, out, slope } = module(convention);
  const two = (name: string, all: readonly number[]) =>
    Object.fromEntries(all.map((v, i) => [`${name}[${Math.floor(i / 2)}][${i % 2}]`, v]));
  const one = (name: string, all: readonly number[]) =>
    Object.fromEntries(all.map((v, i) => [`${name}[${i}]`, v]));
  const part = (name: string): Weights => ({ weight: given[name] ?? [] });
  const plain: Weights = { weight: [1, 1], bias: [0, 0] };
  const kv = given.x.map((latent) => linear(part("attn.to_kv.weight"), latent));
  const [gateAttn, gateFf] = [Math.tanh(0.5), Math.tanh(1)];
  const attended = taps("attn");
  const z = given.y.flat().map((v, i) => v + gateAttn * (attended[i] ?? Number.NaN));
  const [values, dWv] = [kv.map((r) => r[1] ?? 0), slope("attn.to_kv.weight").slice(2)]; // x is the identity, so dW_v = dv
  const dHead = gateAttn * 1.5;
  return {
    ...one(
      "q",
      given.y.map((token) => linear(part("attn.to_q.weight"), norm(plain, token))[0] ?? 0),
    ),
    ...one(
      "k",
      kv.map((r) => r[0] ?? 0),
    ),
    ...one("v", values),
    ...two("s", taps("attn.scores")),
    ...two("a", taps("attn.attn")),
    ...one("head", taps("attn.out")),
    ...two("o", attended),
    ...two("z", z),
    ...two("ff", taps("ff")),
    ...two("out", out),
    gate_attn: gateAttn,
    gate_ff: gateFf,
    ...two("do", [gateAttn, gateAttn, gateAttn, gateAttn]),
    "dhead[1]": dHead,
    dgate_attn: (slope("attn_gate")[0] ?? 0) / (1 - gateAttn ** 2),
    dattn_gate: slope("attn_gate")[0],
    ...one("dv", dWv),
    ...Object.fromEntries(values.map((v, j) => [`da[1][${j}]`, v * dHead])),
    mean: values.reduce((sum, v, j) => sum + v * dHead * (taps("attn.attn")[2 + j] ?? 0), 0),
    "ds[1][0]": -(slope("attn.to_kv.weight")[0] ?? 0), // dk = ds·q, q[1] = −1, and x is the identity, so that dW_k = dk
    "ds[1][1]": -(slope("attn.to_kv.weight")[1] ?? 0),
    "dq[1]": slope("attn.to_q.weight")[1],
    ...one("dWq", slope("attn.to_q.weight")),
  };
}

const isNear = (a: number | undefined, b: number): boolean => a !== undefined && Math.abs(a - b) < 6e-5;

test("every result of the page is that of the module, its activations and its derivatives", () => {
  const released = conventions["flamingo-pytorch@0.1.2 all-previous"];
  const [zero, uniform] = [quantities(conventions.immediate), quantities(released)];
  for (const { name, result } of lines) {
    const actual = name.startsWith("uniform ") ? uniform[name.slice("uniform ".length)] : zero[name];
    expect([name, result, isNear(actual, value(result)) ? "is near" : actual]).toEqual([
      name,
      result,
      "is near",
    ]);
  }
});

test("the table of empty rows: zero, zeroed after the softmax, uniform and NaN", () => {
  const [zero, zeroed, uniform, nan] = [
    conventions.immediate,
    conventions["flamingo-pytorch@0.1.2 immediate"],
    conventions["flamingo-pytorch@0.1.2 all-previous"],
    { ...conventions.immediate, emptyRow: "nan" } as Convention,
  ].map(module);
  const names = ["y", "x", "attn_gate", "attn.to_q.weight", "attn.to_kv.weight", "attn.to_out.weight"];
  for (const name of names) {
    expect([name, zeroed?.slope(name)]).toEqual([name, zero?.slope(name)]);
    // as torch 2.13 computes it with masked_fill(−∞): all but the weights of the query
    expect([name, nan?.slope(name).some(Number.isNaN)]).toEqual([name, name !== "attn.to_q.weight"]);
  }
  expect(nan?.slope("attn.to_kv.weight").map(Number.isNaN)).toEqual([false, false, true, true]); // keys, values
  expect(zeroed?.out).toEqual(zero?.out);
  expect([zero, zeroed, uniform].map((one) => one?.taps("attn.attn").slice(0, 2))).toEqual([
    [0, 0],
    [0, 0],
    [0.5, 0.5],
  ]);
  expect([zero, uniform, nan].map((one) => one?.taps("attn.out")[0])).toEqual([0, 3, Number.NaN]);
  const share =
    uniform?.slope("attn.to_kv.weight").map((v, i) => v - (zero?.slope("attn.to_kv.weight")[i] ?? 0)) ?? [];
  expect(share.slice(0, 2)).toEqual([0, 0]); // no share of dk, hence none of ds[0]: q[0] is 1
  expect(share.slice(2).every((v) => isNear(v, 0.3466))).toBe(true);
  expect(page).toContain(
    "| uniform (flamingo-pytorch, all previous images) | ½, ½ | 3 | 0 | 0.3466, 0.3466 |",
  );
  expect(uniform?.slope("attn.to_q.weight")).toEqual(zero?.slope("attn.to_q.weight"));
});

/** Which projections of a cross-attention have a NaN gradient, where row 0 allows no key and is replaced by zeros at one of three places. */
function nanGradients(place: string, filled: boolean): string {
  const names = ["W_q", "W_k", "W_v", "W_o"] as const;
  const weights = names.map((_, i) => tensor("a c", [2, 2], [1, 0.5, -i, 2]));
  const [y, x] = [tensor("l a", [2, 2], [3, 1, 1, 3]), tensor("s a", [2, 2], [1, 0, 0, 1])];
  const allowed = bool("l s", [
    [false, false],
    [true, true],
  ]);
  const minusInfinity = tensor("l s", [2, 2], [-Infinity, -Infinity, 0, 0]);
  const forward = () => {
    const [wq, wk, wv, wo] = weights as [Tensor, Tensor, Tensor, Tensor];
    const repaired = (here: string, row: Tensor): Tensor => (here === place ? where(allowed, row, 0) : row);
    const [q, k, v] = [wq, wk, wv].map((w, i) => einsum("n a, a c -> n c", (i === 0 ? y : x) as Tensor, w));
    const scores = einsum("l c, s c -> l s", q as Tensor, k as Tensor);
    const masked = filled ? where(allowed, scores, -Infinity) : add(scores, minusInfinity);
    const attn = repaired("the weights of the row", softmax(masked));
    const heads = repaired("the result of its heads", einsum("l s, s c -> l c", attn, v as Tensor));
    const out = repaired("the result of the output projection", einsum("l c, c d -> l d", heads, wo));
    return { loss: sumAll(out) };
  };
  const inputs = Object.fromEntries(names.map((name, i) => [name, weights[i] as Tensor]));
  const slopes = evaluate(gradients(record(forward, { inputs }), "loss", [...names])).outputs;
  const spoiled = (name: string) => [...flat((slopes[gradientOf(name)] as Tensor).data)].some(Number.isNaN);
  return names.filter(spoiled).join(", ") || "none";
}

// torch 2.13.0 gives the same table
test("guide 20 lists the projections whose gradients stay NaN when an empty row is replaced by zeros after the softmax", () => {
  const guide = readFileSync(new URL("../../docs/guides/20-masks.md", import.meta.url), "utf8");
  const table = guide.split("<!-- nan-gradients -->")[1]?.trim().split("\n\n")[0] ?? "";
  const rows = table
    .split("\n")
    .slice(2)
    .map((row) => row.replaceAll("`", "").split("|").slice(1, -1));
  expect(rows.length).toBe(3);
  for (const [place = "", filled, added] of rows.map((row) => row.map((cell) => cell.trim())))
    expect([place, filled, added]).toEqual([place, nanGradients(place, true), nanGradients(place, false)]);
});
