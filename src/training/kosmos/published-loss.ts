// The loss of train_kosmos.py in bjoernpl/KOSMOS_reimplementation at 4300dc6, as that file computes it. It is not the loss of the next token, for
// which there is `Kosmos.loss`; it stands here to be compared with it.
import { checkValue, count } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";
import { concat, rearrange, repeat, slice } from "../../tensor/ops/arrange.ts";
import {
  add,
  detach,
  log,
  maxLast,
  mulScalar,
  pick,
  sub,
  sumAll,
  sumExp,
} from "../../tensor/ops/functions.ts";
import { named, shapes } from "../../tensor/pattern.ts";
import { Int, type Tensor } from "../../tensor/tensor.ts";

/**
 * torch's CrossEntropyLoss takes axis 1 of logits [b t n] as classes, and that is time: the softmax of each logit is over the positions of the
 * text. `logits` are those of a text with one image of `slots` vectors after its first token, `labels` the ids of the text without image
 * tokens. The first label is predicted before the image, and padding counts. Throws a RuleError for labels that do not go with the logits.
 */
export function publishedKosmosLoss(logits: Tensor<"b s n">, labels: Int<"b t">, slots = 64): Tensor<""> {
  checkValue("publishedKosmosLoss", "slots", slots, count);
  const { b, s, n, t } = shapes("publishedKosmosLoss", {
    logits: [logits, "b s n"],
    labels: [labels, "b t"],
  });
  if (s !== t + slots + 2 || t < 2)
    throw new RuleError(
      `publishedKosmosLoss: ${t} labels go with logits of ${t + slots + 2} positions, those of <image>, ${slots} vectors and </image> included, and there are ${s}; give two labels or more`,
      "trainkosmos.published-loss",
    );
  const text = concat(
    // [trainkosmos.published-loss]
    "b l n, b m n -> b t n",
    named("b l n", slice(logits, 1, 0, 1)),
    named("b m n", slice(logits, 1, slots + 3, s)), // without </image>, whose logits are those of the first word
  );
  const predicted = slice(text, 1, 0, t - 1);
  const next = new Int<"b t">(
    [b, t - 1],
    labels.flat().filter((_, i) => i % t > 0),
  );
  const overTime = rearrange("b t n -> b n t", predicted);
  const top = detach(maxLast(overTime));
  const logSum = rearrange("b n 1 -> b n", add(log(sumExp(overTime, top)), top));
  const logs = sub(predicted, repeat("b n -> b t n", named("b n", logSum), { t: t - 1 })); // [trainkosmos.published-loss]
  return mulScalar(sumAll(pick(logs, next)), -1 / (b * n)); // [trainkosmos.published-loss]
}
