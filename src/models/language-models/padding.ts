// The padding token of a language model, as torch.nn.Embedding(…, padding_idx) takes it.
import { type Check, whole } from "../../nn/options.ts";
import { RuleError } from "../../tensor/errors.ts";

/** The largest id of a token. [options.bounds] */
const LARGEST = 2 ** 24;
/** The check of an option that takes the id of a token; negative ids count from the end of the table. */
export const tokenId: Check = whole(-LARGEST, LARGEST);

/** The row of the embedding table of a padding token, which the option `name` gives. Throws a RuleError if the table does not have it. */
export function paddingRow(
  id: number | null,
  rows: number,
  rule: string,
  name = "padTokenId",
): number | null {
  if (id === null) return null;
  if (id >= rows || id < -rows)
    throw new RuleError(
      `${name} is ${id}, and the table has ${rows} rows: give an id from ${-rows} to ${rows - 1}, or null for no padding token`,
      rule,
    );
  return id < 0 ? id + rows : id;
}
