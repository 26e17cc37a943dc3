// The equations of papers as naive loops over plain numbers, with which modules are compared. Written from the papers, as cited
// at each function, independently of src and without regard to speed. The loops of Flamingo, and the layers that it shares with other
// models, are a page to read: docs/examples/flamingo-as-loops.mjs. Here is what the loops of the other models need besides.
import {
  everything,
  type Mat,
  attention as multiHeadAttention,
  type Nested,
  type Vec,
  type Visibility,
  type Weights,
} from "../../../docs/examples/flamingo-as-loops.mjs";

export * from "../../../docs/examples/flamingo-as-loops.mjs";

export function weight(w: Weights, key: string): Nested {
  const value = w[key];
  if (value === undefined) throw new Error(`the loop needs a weight "${key}"`);
  return value;
}
export const vec = (w: Weights, key: string): Vec => weight(w, key) as Vec;
export const mat = (w: Weights, key: string): Mat => weight(w, key) as Mat;

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
/** An element, or NaN outside of the list. */
export const at = (x: Vec, i: number): number => x[i] ?? Number.NaN;
export const row = (x: Mat, i: number): Vec => x[i] ?? [];
export function sum(n: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < n; i++) total += term(i);
  return total;
}
export const columns = (x: Mat, from: number, to: number): Mat => x.map((r) => r.slice(from, to));

/** Attention with one head. */
export const attention = (q: Mat, k: Mat, v: Mat, visibility: Visibility = everything): Mat =>
  multiHeadAttention(q, k, v, 1, 1, visibility);
/** Attention with heads in adjacent columns; all may share one head of keys and values. */
export const multiHead = (
  q: Mat,
  k: Mat,
  v: Mat,
  heads: number,
  keyHeads: number,
  visibility: Visibility = everything,
): Mat => multiHeadAttention(q, k, v, heads, keyHeads, visibility);
