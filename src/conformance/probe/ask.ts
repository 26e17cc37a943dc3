// Sends calls to an adapter and reads its answers.
import type { Stored } from "../../io/safetensors/read.ts";
import { LoadError } from "../../tensor/errors.ts";
import { inputsOf, type ProbeCall, type ProbeShape } from "./plan.ts";
import { type Outputs, readOutputs } from "./rows.ts";

/** An adapter's answer to one call. `skipped`: the reason why it does not support the call. */
export type Answer = { readonly outputs: ReadonlyMap<string, Stored> } | { readonly skipped: string };
/** An implementation under test: it answers a call with outputs, or says why it does not support it. */
export type ProbeAdapter = (call: ProbeCall, inputs: ReadonlyMap<string, Stored>) => Promise<Answer>;

/** The adapter cannot answer another call either: it hangs, or the command does not exist. */
export class AdapterUnavailable extends LoadError {}

/** A call that the adapter does not support. [probe.skipped] */
export class SkippedCall extends LoadError {
  readonly reason: string;

  constructor({ name }: ProbeCall, reason: string) {
    super(`the adapter skips the call "${name}": ${reason}  [probe.skipped]`);
    this.reason = reason;
  }
}

/** Sends a call and returns the outputs. Throws a SkippedCall, or a LoadError if the answer cannot be used. */
export type Ask = (call: ProbeCall) => Promise<Outputs>;

export const asking =
  (adapter: ProbeAdapter, shape: ProbeShape): Ask =>
  async (call) => {
    const answer = await adapter(call, inputsOf(call, shape));
    if ("skipped" in answer) throw new SkippedCall(call, answer.skipped);
    return readOutputs(call, answer.outputs);
  };

const reasonOf = (error: LoadError): string => (error instanceof SkippedCall ? error.reason : error.message);

/** A call that was not answered, or not with usable outputs. */
export interface Refusal {
  readonly call: string;
  readonly reason: string;
  readonly error: LoadError;
}

/** The answer, or the reason why there is none. An adapter that cannot be run at all is an error. */
export async function answerOrRefusal(ask: Ask, call: ProbeCall): Promise<Outputs | Refusal> {
  try {
    return await ask(call);
  } catch (error) {
    if (!(error instanceof LoadError) || error instanceof AdapterUnavailable) throw error; // [probe.strict]
    return { call: call.name, reason: reasonOf(error), error };
  }
}

export const isRefusal = (answer: Outputs | Refusal): answer is Refusal => "reason" in answer;
