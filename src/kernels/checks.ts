// Checks of what callers pass to backends, and of the backends that users write: their members, and the results of their kernels.
import { RuleError } from "../tensor/errors.ts";
import { checkMember } from "../tensor/given.ts";
import { rules, VIEWS } from "../tensor/ops/rules.ts";
import type { OpName } from "../tensor/ops/table.ts";
import { precisionOf } from "../tensor/precision.ts";
import { type Floats, type Shape, sameSizes, shapeText, Tensor, type View } from "../tensor/tensor.ts";
import { didYouMean } from "../terminal/nearest.ts";
import type { Backend } from "./backend.ts";

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What a value is, in words. */
function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "a list";
  if (value instanceof Tensor) return "a Tensor";
  if (isObject(value) && "then" in value) return "a promise";
  if (!ArrayBuffer.isView(value)) return typeof value === "object" ? "an object" : `a ${typeof value}`;
  const { name } = value.constructor;
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}

/** Throws a RuleError unless a call is given an object of options that are all known. `more` is added to the list of these. */
export function checkOptions(caller: string, options: unknown, known: readonly string[], more = ""): void {
  const kind = kindOf(options);
  if (kind !== "an object")
    throw new RuleError(`${caller} takes an object of options, not ${kind}`, "options.values");
  const unknown = Object.keys(options as object).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new RuleError(
    `${caller} has no option ${JSON.stringify(unknown)}${didYouMean(unknown, known)}; known are ${known.join(", ")}${more}`,
    "options.known",
  ); // [options.known]
}

/** Throws a RuleError that names an option, its value and what it must be, unless it is left out or accepted. */
export function checkOption<O extends object>(
  caller: string,
  options: O,
  name: keyof O & string,
  wanted: string,
  accepts: (value: unknown) => boolean,
): void {
  const value = options[name];
  if (value === undefined || accepts(value)) return;
  const isShort = typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol";
  const shown =
    typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : isShort ? String(value) : kindOf(value);
  throw new RuleError(`${caller}: ${name} is ${shown}; it must be ${wanted}`, "options.values");
}

/** Backends that have been checked. */
const checkedBackends = new WeakSet<object>();

/**
 * Throws a RuleError unless a call is given a backend: an object with kernels, all of them functions and of ops that exist, and
 * with a precision that exists. A backend is checked when it is first used.
 */
export function checkBackend(caller: string, backend: unknown): void {
  if (isObject(backend) && checkedBackends.has(backend)) return;
  if (!isObject(backend) || !("ops" in backend) || !("precision" in backend))
    throw new RuleError(
      `${caller} takes a backend, such as reference() or await auto(), not ${backend instanceof Promise ? "a promise of one: await it first" : kindOf(backend)}`,
      "options.values",
    );
  for (const member of ["ops", "scopes", "ran"])
    checkMember(caller, { backend }, member, "a backend, with the members ops, scopes and ran");
  const { name, ops, scopes, precision } = backend as Backend;
  precisionOf(precision); // [precision.known]
  const refuse = (problem: string) =>
    new RuleError(`the backend ${JSON.stringify(name)} ${problem}`, "replay.kernels");
  for (const [member, kernels] of Object.entries<unknown>({ ops, scopes }))
    if (Array.isArray(kernels) || kernels instanceof Map)
      throw refuse(
        `has ${Array.isArray(kernels) ? "a list" : "a Map"} as ${member}; it must be an object of kernels by their names`,
      );
  for (const [op, kernel] of Object.entries<unknown>(ops)) {
    if (!Object.hasOwn(rules, op))
      throw refuse(
        `has a kernel for ${JSON.stringify(op)}, which is no op${didYouMean(op, Object.keys(rules))}`,
      );
    if (kernel !== undefined && typeof kernel !== "function")
      throw refuse(`has ${kindOf(kernel)} as its kernel for "${op}"; it must be a function`);
  }
  for (const [scope, kernel] of Object.entries(scopes as Readonly<Record<string, unknown>>)) {
    const { run, takes } = (kernel ?? {}) as { run?: unknown; takes?: unknown };
    if (kernel !== undefined && (typeof run !== "function" || !Array.isArray(takes)))
      throw refuse(
        `has ${kindOf(kernel)} as its kernel for the scope ${JSON.stringify(scope)}; it must be an object with the list takes and the function run`,
      );
  }
  checkedBackends.add(backend);
}

const returns = (
  { name }: Backend,
  kernel: string,
  output: string | null,
  returned: string,
  wanted: string,
): RuleError =>
  new RuleError(
    `the kernel "${kernel}" of the backend ${JSON.stringify(name)} returned ${returned}${output === null ? "" : ` as its output "${output}"`}; it must return ${wanted}`,
    "replay.returns",
    { backend: name, kernel, output },
  );

/**
 * What a kernel of a backend returned for these operands: an array of this shape, with every element within its buffer, that shares
 * no memory with an operand. Throws a RuleError for anything else. `kernel` is the name of its op or scope, `output` the name of the
 * scope's output, null for an op.
 *
 * A kernel that computes in place changes values that later ops, or the caller, still read; a backend with a store manages its memory
 * itself. Where the host cannot read that memory, the buffer stands for one elsewhere, and its size is not compared.
 */
export function checkedResult(
  backend: Backend,
  kernel: string,
  output: string | null,
  result: unknown,
  shape: Shape,
  inputs: readonly View[],
): View {
  if (!fits(result, shape, backend.store?.upload !== undefined))
    throw returns(
      backend,
      kernel,
      output,
      described(result, shape),
      `values of shape ${shapeText(shape)}, as { data, shape, stride, offset } with a Float32Array or a Float64Array`,
    ); // [replay.returns]
  if (backend.store) return result;
  for (let i = 0; i < inputs.length; i++) {
    const { data } = inputs[i] as View;
    if (!overlap(result.data, data) || VIEWS.has(kernel as OpName)) continue;
    const wanted = "them in an array of their own";
    throw returns(backend, kernel, output, `values in the memory of operand ${i + 1}`, wanted); // [replay.returns]
  }
  return result;
}

/** What a fused kernel returned, by the names of the scope's outputs; a single output, `out`, may be returned by itself. */
export function outputsByName(
  backend: Backend,
  kernel: string,
  result: unknown,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (isObject(result) && names.some((name) => name in result)) return result as Record<string, unknown>;
  if (names.length === 1 && names[0] === "out") return { out: result };
  const returned = isObject(result) && "stride" in result ? "a single array" : kindOf(result);
  throw returns(backend, kernel, null, returned, `an object with its outputs ${names.join(", ")}`); // [replay.returns]
}

function fits(result: unknown, shape: Shape, isElsewhere: boolean): result is View {
  if (!isObject(result)) return false;
  const { data, shape: own, stride, offset } = result as View;
  if (!(data instanceof Float64Array || data instanceof Float32Array) || !Number.isInteger(offset))
    return false;
  const axes = shape.length;
  if (!Array.isArray(own) || !Array.isArray(stride) || own.length !== axes || stride.length !== axes)
    return false;
  let first = offset;
  let last = offset;
  let isEmpty = false;
  for (let axis = 0; axis < axes; axis++) {
    const n = own[axis];
    const step = stride[axis];
    if (n !== shape[axis] || !Number.isInteger(step)) return false;
    if (n === 0) isEmpty = true;
    if (step < 0) first += (n - 1) * step;
    else last += (n - 1) * step;
  }
  return isEmpty || isElsewhere || (first >= 0 && last < data.length);
}

/** A result that is not what it must be, in words. */
function described(result: unknown, wanted: Shape): string {
  if (kindOf(result) !== "an object") return kindOf(result);
  const missing = ["data", "shape", "stride", "offset"].filter((member) => !(member in (result as object)));
  if (missing.length > 0) return `an object without ${missing.join(", ")}`;
  const { data, shape, stride, offset } = result as View;
  const wrong = Object.entries({ shape, stride }).find(([, sizes]) => !Array.isArray(sizes));
  if (wrong) return `an object with ${kindOf(wrong[1])} as ${wrong[0]}`;
  if (!(data instanceof Float32Array || data instanceof Float64Array)) return `values in ${kindOf(data)}`;
  if (!sameSizes(shape, wanted)) return `values of shape ${shapeText(shape)}`;
  return `values of this shape with strides ${shapeText(stride)} from ${offset}, which is not within its array of ${data.length}`;
}

/**
 * Typed arrays up to this length are compared by identity only: V8 keeps the values of small ones beside the object, and allocates a
 * buffer when it is asked for, which takes longer than a small op.
 */
const SMALL = 8;

/** Whether two arrays are one, or their ranges of bytes overlap. */
function overlap(a: Floats, b: Floats): boolean {
  if (a === b) return true;
  if ((a.length <= SMALL && b.length <= SMALL) || a.buffer !== b.buffer) return false;
  return a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;
}
