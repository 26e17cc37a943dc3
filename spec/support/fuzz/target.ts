// A target of the fuzzer: a reader, and the inputs that it is given.
import type fc from "fast-check";
import { UsageError } from "../../../src/cli/usage-error.ts";
import { LoadError, RuleError, ShapeError } from "../../../src/tensor/errors.ts";

export interface Target<T = unknown> {
  readonly inputs: fc.Arbitrary<T>;
  /** Bytes of an input. Memory and time are judged by it. */
  readonly size: (input: T) => number;
  /** Reads the input. Throws one of the four errors below to refuse it, and any other error for a fault of the reader. */
  readonly read: (input: T, folder: string) => void | Promise<void>;
  /** Whether the input is read with a promise. */
  readonly asynchronous?: boolean;
  /** An input as the report shows it; by default as fast-check prints it. */
  readonly show?: (input: T) => string;
}

export const target = <T>(t: Target<T>): Target => t as Target;

/** The errors that say that an input cannot be used. Anything else that is thrown is a defect of this package. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof LoadError ||
  error instanceof RuleError ||
  error instanceof ShapeError ||
  error instanceof UsageError;

/** A broken promise of a reader, such as a value that it must not accept. */
export function expectThat(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new Error(`broken promise: ${promise}`);
}
