// The check that loaded weights are finite, made when they are first read.
import { LoadError } from "../../tensor/errors.ts";
import type { Precision } from "../../tensor/precision.ts";
import { type Elements, isSource, widened } from "../../tensor/source.ts";
import { flat, indexAt, type Shape, type Values } from "../../tensor/tensor.ts";

/** The bits of the exponent, all of which are set in NaN and infinities. */
const EXPONENT = { bfloat16: 0x7f80, float16: 0x7c00 };

/** The position of the first value that is NaN or infinite; −1 if there is none. */
function firstNonFinite(elements: Elements, dtype: Precision): number {
  if (elements instanceof Uint16Array) {
    const mask = dtype === "bfloat16" ? EXPONENT.bfloat16 : EXPONENT.float16;
    for (let i = 0; i < elements.length; i++) if (((elements[i] ?? 0) & mask) === mask) return i;
  } else for (let i = 0; i < elements.length; i++) if (!Number.isFinite(elements[i])) return i;
  return -1;
}

/** The same values. Reading one that is NaN or infinite for the first time throws a LoadError with its name and index. */
export function finite(name: string, values: Values, shape: Shape): Values {
  /** The number of values, from the first one on, that have been checked. */
  let checked = 0;
  const check = (elements: Elements, dtype: Precision, from: number): void => {
    const to = from + elements.length;
    if (to <= checked) return;
    const at = firstNonFinite(elements, dtype);
    if (at >= 0) {
      const [value] = widened(elements.slice(at, at + 1), dtype);
      const index = indexAt(from + at, shape).join(" ");
      throw new LoadError(`weight "${name}" is ${value} at [${index}]  [state.finite]`);
    }
    if (from <= checked) checked = to;
  };
  if (isSource(values)) {
    const read = (from: number, to: number): Elements => {
      const elements = values.read(from, to);
      check(elements, values.dtype, from);
      return elements;
    };
    return { ...values, read };
  }
  return () => {
    const v = typeof values === "function" ? values() : values;
    check(flat(v), "float64", 0);
    return v;
  };
}
