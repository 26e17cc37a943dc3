// The error of a call that must be refused. Any other error, or none, fails the test.
import { expect } from "vitest";
import { StateDictError } from "../../../src/nn/loading/compare.ts";
import { LoadError, RuleError, ShapeError } from "../../../src/tensor/errors.ts";

type Kind<E> = new (...args: never[]) => E;

function thrown<E extends Error>(call: () => unknown, kind: Kind<E>): E {
  try {
    call();
  } catch (error) {
    if (error instanceof kind) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

export const refusal = (call: () => unknown): RuleError => thrown(call, RuleError);
export const shapeRefusal = (call: () => unknown): ShapeError => thrown(call, ShapeError);

export async function refusalOf(call: () => Promise<unknown>): Promise<RuleError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof RuleError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
}

/** Expects a LoadError that cites the rule, and whose message contains the text and stays short whatever the file holds. */
export function expectLoadError(call: () => unknown, rule: string, text: string): void {
  const { message } = thrown(call, LoadError);
  expect(message).toContain(text);
  expect(message).toContain(`[${rule}]`);
  expect(message.length).toBeLessThan(600);
}

/** The error of a call in which weights do not fit a model. */
export const misfit = (f: () => unknown): StateDictError => thrown(f, StateDictError);
