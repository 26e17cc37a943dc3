// The divisor of a norm: mutants 25.
import { addScalar, meanLast, mulScalar, sqrt, square, sub } from "../../../tensor/ops/functions.ts";
import type { OpName } from "../../../tensor/ops/table.ts";
import type { Tensor } from "../../../tensor/tensor.ts";
import { type Change, type Context, changing, type Mutant } from "../mutant.ts";
import { nodesOf, normsOf } from "../pattern-matchers.ts";

/** Changes one op inside every normalisation. */
const inside =
  (op: OpName, change: (x: Tensor, width: number) => Tensor) =>
  (context: Context): Change[] =>
    normsOf(context.program).flatMap(({ scope, x }) =>
      nodesOf(context.program, op)
        .filter(({ id }) => id >= scope.first && id < scope.end)
        .map(({ id }): Change => [id, (y) => change(y, context.program.nodes[x]?.shape.at(-1) ?? 1)]),
    );

/** The variance as E[x²] − E[x]², which cancels where the mean is large beside the deviation. */
const onePass = changing(({ program }) =>
  normsOf(program).flatMap(({ scope, x }) =>
    nodesOf(program, "addScalar")
      .filter(({ id }) => id >= scope.first && id < scope.end)
      .map(
        ({ id }): Change => [
          id,
          (_, __, at) => addScalar(sub(meanLast(square(at(x))), square(meanLast(at(x)))), EPSILON),
        ],
      ),
  ),
);

const EPSILON = 1e-5;
const epsilon = (value: number) => changing(inside("addScalar", (variance) => addScalar(variance, value)));

export const variance: readonly Mutant[] = [
  {
    id: "epsilon-1e-6",
    number: 25,
    title: "ε is 1e-6 instead of 1e-5",
    seenIn: "mindone #225, goodfire-ai/spd #625",
    needs: "rows of low variance",
    apply: epsilon(1e-6),
  },
  {
    id: "epsilon-1e-12",
    number: 25,
    title: "ε is 1e-12 instead of 1e-5",
    seenIn: "the Perceiver of transformers; candle #271",
    needs: "rows of low variance",
    apply: epsilon(1e-12),
  },
  {
    id: "epsilon-outside-root",
    number: 25,
    title: "ε is added to the standard deviation and not to the variance",
    seenIn: "ports written from memory",
    needs: "rows of low variance",
    apply: changing((context) => [
      ...inside("addScalar", (variance) => variance)(context),
      ...inside("sqrt", (variance) => addScalar(sqrt(variance), EPSILON))(context),
    ]),
  },
  {
    id: "variance-unbiased",
    number: 25,
    title: "The variance is divided by n − 1",
    seenIn: "ports onto var functions whose default is unbiased",
    needs: "any norm",
    apply: changing(
      inside("addScalar", (variance, n) => addScalar(mulScalar(variance, n / (n - 1)), EPSILON)),
    ),
  },
  {
    id: "variance-one-pass",
    number: 25,
    title: "The variance is E[x²] − E[x]², in single precision",
    seenIn: "mlx #2238, onnxruntime #28463 and #21935",
    needs: "rows whose mean is large beside their deviation, in float32",
    precision: "float32",
    apply: onePass,
  },
];
