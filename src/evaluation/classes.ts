// Ensembles of rank classification: orders of the demonstrations, whose scores are averaged, and probabilities
// (open_flamingo/eval/evaluate.py, evaluate_classification).
import { softmaxOf } from "../generation/choose.ts";
import { checkValue, count } from "../nn/options.ts";
import { checkGiven } from "../tensor/given.ts";
import { generator, permutation } from "../tensor/random.ts";

/** The largest number of orders, as in the release: 3!. */
const MOST_ORDERS = 6;

/** Orders of n demonstrations for an ensemble, n! but at most 6. Each is drawn, so that one may occur twice. */
export function ensembleOrders(n: number, seed: number): number[][] {
  checkValue("ensembleOrders", "n", n, count);
  const random = generator(seed, "orders of demonstrations");
  let orders = 1;
  for (let i = 2; i <= n && orders < MOST_ORDERS; i++) orders *= i;
  return Array.from({ length: orders }, () => [...permutation(n, random)]); // [evaluate.ensemble]
}

/**
 * The mean of the log-probabilities of classes over orders of the demonstrations, [order][class]: `ensembled([[-1, -2], [-3, -2]])` is
 * [-2, -2]. `rankClassifications` gives those of one order of `ensembleOrders`.
 */
export function ensembled(orders: readonly (readonly number[])[]): number[] {
  checkGiven("ensembled", { orders }, "a list");
  return (orders[0] ?? []).map(
    (_, at) => orders.reduce((sum, row) => sum + (row[at] ?? 0), 0) / orders.length,
  ); // [evaluate.ensemble]
}

/** The probability of each class among all of them, given their log-probabilities. */
export function classProbabilities(logprobs: readonly number[]): number[] {
  checkGiven("classProbabilities", { logprobs }, "a list");
  return Array.from(softmaxOf(Float64Array.from(logprobs))); // [evaluate.class-probabilities]
}
