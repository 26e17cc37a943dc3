// A mutant: a mistake that was made in a real implementation, as a rewrite of a recorded program.
import type { Program } from "../../tensor/program/program.ts";
import { rewrite } from "../../tensor/program/rewrite.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Mistake } from "../mistakes/mistake.ts";
import type { Inputs } from "../sources/interface/arguments.ts";

/** One call of one model, recorded. */
export interface Context {
  readonly program: Program;
  readonly model: object;
  /** By the names of the forward pass's arguments. */
  readonly inputs: Inputs;
  /** Records the call again with the same modules in another wiring. */
  readonly record: (around: <T>(forward: () => T) => T) => Program;
}

/** A known mistake as a change of the recorded program. */
export interface Mutant extends Mistake {
  /** The property that a case needs to detect it. */
  readonly needs: string;
  /** The mutated program; null if the call has nothing to mutate. */
  readonly apply: (context: Context) => Program | null;
  /** The precision that shows the mistake, where float64 does not. */
  readonly precision?: "float32";
  /** A proof that the mistake changes nothing. */
  readonly equivalent?: {
    readonly proof: string;
    /** Whether the proof applies to a call with these activations; null: it applies to every call. */
    readonly where: ((taps: Readonly<Record<string, Tensor>>) => boolean) | null;
  };
}

/** The replacement of one node, given its operands (a unary op's twice) and the rewritten earlier nodes. */
export type Change = readonly [
  id: number,
  replacement: (x: Tensor, y: Tensor, at: (id: number) => Tensor) => Tensor,
];

/** The rewrite that makes these changes; null if there are none. */
export const changing =
  (changes: (context: Context) => readonly Change[]) =>
  (context: Context): Program | null => {
    const at = new Map(changes(context));
    if (at.size === 0) return null;
    return rewrite(context.program, ({ id, inputs: [x, y = x], at: earlier }) => {
      const change = at.get(id);
      return change && x && y ? change(x, y, earlier) : null;
    });
  };

/** Runs `f` while a field of an object has another value. */
export function during<T extends object, K extends keyof T, R>(
  object: T,
  key: K,
  value: T[K],
  f: () => R,
): R {
  const own = Object.getOwnPropertyDescriptor(object, key);
  Object.defineProperty(object, key, { value, configurable: true, enumerable: true, writable: true });
  try {
    return f();
  } finally {
    if (own)
      Object.defineProperty(object, key, own); // [mutant.rewire]
    else Reflect.deleteProperty(object, key); // [mutant.rewire]
  }
}
