// Bounds on the work of one case, checked before anything is computed. A short case.json can describe any
// amount of work, so a case that is not full-size has to be small, and a full-size one has to be of the size of the released models.
import type { GoldenCase } from "../../io/golden/cases.ts";
import { LoadError } from "../../tensor/errors.ts";
import type { Program } from "../../tensor/program/program.ts";
import { type Shape, sizeOf, Tensor } from "../../tensor/tensor.ts";

interface Budget {
  /** Positions of the longest input: masks have a cell for each pair of positions, and exist before anything is recorded. */
  readonly positions: number;
  /** Elements of all intermediate values, and multiplications of all products. */
  readonly elements: number;
  readonly products: number;
}

const SMALL: Budget = { positions: 2 ** 12, elements: 2 ** 25, products: 2 ** 30 };
/** A full-size case that is named without --full. */
const NAMED: Budget = { positions: 2 ** 12, elements: 2 ** 26, products: 2 ** 33 };
const FULL: Budget = { positions: 2 ** 14, elements: 2 ** 33, products: 2 ** 43 };

const budgetOf = ({ manifest: { full }, isFullSize }: GoldenCase): Budget =>
  isFullSize ? FULL : full ? NAMED : SMALL;

function within(
  { manifest: { id, full }, isFullSize }: GoldenCase,
  what: string,
  needed: number,
  most: number,
): void {
  if (needed <= most) return;
  const remedy = full && !isFullSize ? "; add --full" : "";
  throw new LoadError(`${id} needs ${needed} ${what}; ${most} at most${remedy}  [conform.budget]`); // [conform.budget]
}

/** Token ids and masks have a position for each element, embeddings for each row. Pictures have more axes, and no mask. */
function positionsOf(value: { readonly shape: Shape }): number {
  const axes = value.shape.length;
  if (value instanceof Tensor) return axes > 4 ? 0 : sizeOf(value.shape.slice(0, -1));
  return axes > 2 ? 0 : sizeOf(value.shape);
}

/** Throws a LoadError if the inputs are longer than a case of its kind may have them. Classes without weights have no masks. */
export function checkInputs(golden: GoldenCase): void {
  if (golden.manifest.weights.size === 0) return;
  for (const value of golden.inputs.values())
    within(golden, "positions in one input", positionsOf(value), budgetOf(golden).positions);
}

/** Throws a LoadError if a recorded program is larger than a case of its kind may have it. */
export function checkProgramSize(golden: GoldenCase, { nodes }: Program): void {
  let [elements, products] = [0, 0];
  for (const { op, shape, inputs } of nodes) {
    if (op === "leaf") continue;
    elements += sizeOf(shape);
    const operands = inputs.map((id) => sizeOf(nodes[id]?.shape ?? []));
    // A product of M × K and K × N has M·N·K multiplications: the root of the three sizes' product.
    if (op === "einsum") products += Math.sqrt(operands.reduce((size, n) => size * n, sizeOf(shape)));
  }
  within(golden, "intermediate elements", elements, budgetOf(golden).elements);
  within(golden, "multiplications", Math.round(products), budgetOf(golden).products);
}
