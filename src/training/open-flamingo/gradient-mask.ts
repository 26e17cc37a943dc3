// The gradient of the token embeddings in OpenFlamingo: only the rows of its two added tokens are trained
// (open_flamingo/train/train_utils.py of open-flamingo 2.0.1, train_one_epoch).
import { RuleError } from "../../tensor/errors.ts";
import { checkGiven, checkMember } from "../../tensor/given.ts";
import { Tensor, view } from "../../tensor/tensor.ts";

/**
 * A gradient [rows, …] in which all rows but `keep` are 0. Throws a RuleError for a row that the gradient does not have.
 * Shapes: gradient `n ...` → `n ...`.
 */
export function embeddingGradientMask<A extends string>(
  gradient: Tensor<A>,
  keep: readonly number[],
): Tensor<A> {
  checkMember("embeddingGradientMask", { gradient }, "flat", "a tensor");
  checkGiven("embeddingGradientMask", { keep }, "a list");
  const [rows = 0] = gradient.shape;
  const wrong = keep.find((row) => !(Number.isInteger(row) && row >= 0 && row < rows));
  if (wrong !== undefined)
    throw new RuleError(`the gradient has ${rows} rows, and ${wrong} is none of them`, "embeddings.rows");
  const width = rows === 0 ? 0 : gradient.size / rows;
  const given = gradient.flat();
  const masked =
    given instanceof Float32Array ? new Float32Array(given.length) : new Float64Array(given.length);
  for (const row of keep) masked.set(given.subarray(row * width, (row + 1) * width), row * width); // [embeddings.rows]
  return new Tensor<A>(gradient.shape, view(masked, gradient.shape));
}
