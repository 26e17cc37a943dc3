// The walk over a model's fields. State dicts are made from it, so field names equal those of the source package.
import { RuleError } from "./errors.ts";
import { Tensor } from "./tensor.ts";

/** A class whose static `buffers` lists the fields that are buffers: saved, but not trained. */
interface HasBuffers {
  readonly buffers?: readonly string[];
}

export const buffersOf = (owner: object): readonly string[] =>
  (owner.constructor as HasBuffers).buffers ?? [];

/** Whether a field holds state: modules, lists of modules and tensors do; plain objects (options) and host data do not. */
function holdsState(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Tensor || Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && !("kind" in value);
}

/** Every module and tensor below `owner` with its path, in torch's order: parameters, buffers, then children. Throws a RuleError for no object. [state.order] */
export function* walk(owner: object, path = ""): Generator<[path: string, value: object]> {
  if (typeof owner !== "object" || owner === null)
    throw new RuleError(
      `a model is an object with parameters in its fields, not ${owner === null ? "null" : typeof owner}`,
      "options.values",
    );
  yield [path, owner];
  if (owner instanceof Tensor) return;
  const buffers = buffersOf(owner);
  const rank = ([field, value]: [string, unknown]) =>
    value instanceof Tensor ? (buffers.includes(field) ? 1 : 0) : 2;
  const fields = Object.entries(owner).filter((entry): entry is [string, object] => holdsState(entry[1]));
  for (const [field, value] of fields.sort((a, b) => rank(a) - rank(b))) {
    // [state.order]
    yield* walk(value, path === "" ? field : `${path}.${field}`);
  }
}
