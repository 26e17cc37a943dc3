// Faults that the fuzzer must find. Its own test runs these targets; an ordinary run leaves them out.
import fc from "fast-check";
import { LoadError } from "../../../../src/tensor/errors.ts";
import { type Target, target } from "../target.ts";

const numbers = fc.nat({ max: 999 });
const size = () => 100;

/** Reads small numbers, refuses others properly, and has one fault for numbers from 900 up. */
const faulty = (fault: (n: number) => void): Target =>
  target<number>({
    inputs: numbers,
    size,
    read(n) {
      if (n >= 900) fault(n);
      else if (n >= 500) throw new LoadError("too large");
    },
  });

const kept: unknown[] = [];

export const planted: Readonly<Record<string, Target>> = {
  "planted-nothing": faulty(() => {}),
  "planted-type-error": faulty((n) => (n as unknown as { a: { b: number } }).a.b),
  "planted-hang": faulty(() => {
    for (;;);
  }),
  "planted-buffers": faulty(() => kept.push(new Uint8Array(16 << 20))),
  "planted-objects": faulty(() => {
    for (;;) kept.push({ n: kept.length });
  }),
  "planted-allocation": faulty(() => {
    const bytes = new Uint8Array(900 << 20).fill(1);
    for (const until = Date.now() + 500; Date.now() < until; ) bytes[0] = 1;
    kept.push(bytes);
  }),
  "planted-rejection": target<number>({
    inputs: numbers,
    size,
    asynchronous: true,
    read: async (n) => {
      if (n >= 900) throw new RangeError("Invalid array length");
    },
  }),
};
