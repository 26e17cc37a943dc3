// A mutant: a mistake that somebody made, as a rewrite of what we recorded.
import type { Program } from "../../tensor/program/program.ts";
import { rewrite } from "../../tensor/program/rewrite.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Mistake } from "../mistakes/mistake.ts";
import type { Inputs } from "../sources/arguments.ts";

/** One call of one model, recorded. */
export interface Context {
  readonly program: Program;
  readonly model: object;
  /** By the names of the forward pass's arguments. */
  readonly inputs: Inputs;
  /** Records the call again while the same modules are wired differently. */
  readonly record: (around: <T>(forward: () => T) => T) => Program;
}

export interface Mutant extends Mistake {
  /** What a case needs to catch it. */
  readonly needs: string;
  /** null: nothing in this call that the mistake would touch. */
  readonly apply: (context: Context) => Program | null;
  /** A mistake that only a format of this precision shows. */
  readonly precision?: "float32";
  /** Where the mistake changes nothing, and why. */
  readonly equivalent?: {
    readonly proof: string;
    /** Given the intermediates of a call: does the reason hold there? null: it holds everywhere. */
    readonly where: ((taps: Readonly<Record<string, Tensor>>) => boolean) | null;
  };
}

/** What stands in for one node, given its operands (a unary op's twice) and what earlier nodes have become. */
export type Change = readonly [
  id: number,
  replacement: (x: Tensor, y: Tensor, at: (id: number) => Tensor) => Tensor,
];

/** The mutant that makes these changes; with none of them to make, none. */
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
