// Times of loading, of reading the prompts and of generating the text.
import { now } from "#host";

/** Tokens and the seconds that they took. */
export interface Rate {
  readonly tokens: number;
  readonly seconds: number;
}

export interface Timings {
  /** Seconds until the model was ready: tokenizer, configuration and weights. */
  readonly loading: number;
  /** The tokens of the prompts, up to the first token that was chosen; null for a beam search, which is measured as a whole. */
  readonly prefill: Rate | null;
  /** The further tokens; those of a beam search are the tokens of its best texts. */
  readonly decoding: Rate;
}

const seconds = (from: number, to: number): number => (to - from) / 1000;

/** Measures one text or batch: `start` when the model is ready, `chose` after each token. */
export class Stopwatch {
  readonly #begin = now();
  #start = this.#begin;
  #first: number | null = null;
  #last = this.#begin;
  #tokens = 0;

  start(): void {
    this.#start = now();
  }

  chose(): void {
    this.#last = now();
    this.#first ??= this.#last;
    this.#tokens++;
  }

  /** `rows`: the texts, whose first tokens come from the pass over the prompts. */
  timings(promptTokens: number, rows: number): Timings {
    const first = this.#first ?? now();
    return {
      loading: seconds(this.#begin, this.#start),
      prefill: { tokens: promptTokens, seconds: seconds(this.#start, first) },
      decoding: {
        tokens: Math.max(0, this.#tokens - rows),
        seconds: this.#first === null ? 0 : seconds(first, this.#last),
      },
    };
  }

  /** The timings of a beam search, given the number of tokens in its texts. */
  ofBeams(tokens: number): Timings {
    return {
      loading: seconds(this.#begin, this.#start),
      prefill: null,
      decoding: { tokens, seconds: seconds(this.#start, now()) },
    };
  }
}
