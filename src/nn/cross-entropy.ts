// Cross-entropy of the next token, as models and training compute it.

import { RuleError } from "../tensor/errors.ts";
import { rearrange } from "../tensor/ops/arrange.ts";
import {
  detach,
  log,
  maxLast,
  mulScalar,
  pick,
  sub,
  sumAll,
  sumExp,
  where,
} from "../tensor/ops/functions.ts";
import { Bool, Int, Tensor } from "../tensor/tensor.ts";

/** A target that is ignored (torch's ignore_index). */
export const IGNORED = -100;

/** Cross-entropies in nats, for each target and over all of them. */
export interface CrossEntropy<P extends string> {
  /** −log p(target), or 0 where the target is ignored. */
  readonly perToken: Tensor<P>;
  /** Over the targets that are not ignored; the paper uses the sum, torch the mean. */
  readonly sum: Tensor<"">;
  readonly mean: Tensor<"">;
  /** The number of targets that are not ignored. */
  readonly counted: number;
}

/** Throws a RuleError for a target that is no class. Ignored targets become class 0, so that each row has an element to pick. [loss.memory] */
function classesOf(targets: Int, n: number): { readonly ids: Int; readonly counts: Uint8Array<ArrayBuffer> } {
  const given = targets.flat();
  for (const id of given)
    if (id !== IGNORED && (id < 0 || id >= n))
      throw new RuleError(
        `target ${id} is neither one of ${n} classes nor ${IGNORED}, which marks a target to ignore`,
        "loss.targets",
      );
  const ids = given.map((id) => (id === IGNORED ? 0 : id));
  return {
    ids: new Int(targets.shape, ids),
    counts: Uint8Array.from(given, (id) => Number(id !== IGNORED)),
  };
}

/**
 * −log softmax(logits)[target] = log Σ exp(logits) − logits[target] over the last axis. Throws a RuleError if shapes do not
 * match, a target is no class, or all targets are ignored.
 * Shapes: logits `... n`, targets `...` → perToken `...`; sum and mean are scalars.
 */
export function crossEntropy<P extends string>(
  logits: Tensor<`${P} n`>,
  targets: Int<NoInfer<P>>,
): CrossEntropy<P> {
  if (!(logits instanceof Tensor && targets instanceof Int))
    throw new RuleError("logits are a tensor, and targets are integers, as int() makes them", "loss.targets");
  const shape = logits.shape.slice(0, -1);
  if (shape.join(" ") !== targets.shape.join(" "))
    throw new RuleError(
      `logits [${logits.shape.join(" ")}] need targets [${shape.join(" ")}], not [${targets.shape.join(" ")}]`,
      "loss.targets",
    );
  const { ids, counts } = classesOf(targets, logits.shape.at(-1) ?? 0);
  const counted = counts.reduce((sum, one) => sum + one, 0);
  if (counted === 0) {
    throw new RuleError("all targets are ignored, so the mean is undefined", "loss.counted");
  }
  // Subtracting the largest logit of a row keeps exp from overflowing. It cancels, so it is detached.
  const top = detach(maxLast(logits)); // [loss.shift]
  const target = sub(pick(logits as Tensor, ids), rearrange("... 1 -> ...", top));
  const logSum = rearrange("... 1 -> ...", log(sumExp(logits, top))); // [loss.cross-entropy]
  const perToken: Tensor<P> = where(new Bool(targets.shape, counts), sub(logSum, target)); // [loss.cross-entropy] [loss.ignored]
  const sum = sumAll(perToken);
  return { perToken, sum, mean: mulScalar(sum, 1 / counted), counted };
}

/** The labels of the next tokens, as the language models of transformers shift them: the last position has none. */
export function nextLabels(labels: Int<"b l">): Int<"b l"> {
  const [, l = 0] = labels.shape;
  const given = labels.flat();
  const next = given.map((_, at) => (at % l === l - 1 ? IGNORED : (given[at + 1] ?? IGNORED))); // [labels.next]
  return new Int(labels.shape, next);
}
