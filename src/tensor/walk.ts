// The one walk over a model. A state dict is what this walk finds, so field names are the source's own names.
import { Tensor } from "./tensor.ts";

/** A class that names some of its tensors as buffers: saved, never trained. */
interface HasBuffers {
  readonly buffers?: readonly string[];
}

export const buffersOf = (owner: object): readonly string[] =>
  (owner.constructor as HasBuffers).buffers ?? [];

/** Modules, lists of modules and tensors have state; plain objects (options) and host data do not. */
function holdsState(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  if (value instanceof Tensor || Array.isArray(value)) return true;
  const prototype = Object.getPrototypeOf(value);
  return prototype !== Object.prototype && prototype !== null && !("kind" in value);
}

/** Every module and tensor below `owner` with its path, in torch's order: parameters, buffers, then children. [state.order] */
export function* walk(owner: object, path = ""): Generator<[path: string, value: object]> {
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
