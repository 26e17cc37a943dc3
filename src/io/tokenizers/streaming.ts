// Text from ids that arrive one at a time: only characters that are complete and stay as they are.
import { cleanedUp, stableLength } from "./clean-up.ts";
import type { Pipeline } from "./pipeline.ts";

export interface StreamOptions {
  readonly skipSpecial: boolean;
  /** Whether spaces before punctuation are removed. */
  readonly cleanUp: boolean;
}

/** Pieces of text, one id at a time; together they are the text of all ids. [tokenizer.stream] */
export class TextStream {
  readonly #pipeline: Pipeline;
  readonly #options: StreamOptions;
  /** Ids whose text was given out; the text of the next ones depends on them. */
  #context: number[] = [];
  #fresh: number[] = [];
  /** Text that a removal of spaces may still change. */
  #held = "";

  constructor(pipeline: Pipeline, options: StreamOptions) {
    this.#pipeline = pipeline;
    this.#options = options;
  }

  /** The text that is complete with this id; often "". */
  push(id: number): string {
    this.#fresh.push(id);
    if (!this.#pipeline.isIncremental || this.#pipeline.isPartial(id)) return "";
    const text = this.#text();
    if (text === "" || text.endsWith("\ufffd")) return "";
    const ids = [...this.#context, ...this.#fresh];
    // A context of white space alone may be stripped where a text begins, so more of what precedes it is kept.
    this.#context = this.#decode(this.#fresh).trim() === "" ? ids : this.#fresh;
    this.#fresh = [];
    return this.#give(text, false);
  }

  /** The rest of the text. The stream can then be used again, for another text. */
  end(): string {
    const text = this.#give(this.#text(), true);
    [this.#context, this.#fresh] = [[], []];
    return text;
  }

  #decode(ids: readonly number[]): string {
    return this.#pipeline.decode(ids, this.#options.skipSpecial);
  }

  /** The text of the fresh ids. */
  #text(): string {
    return this.#decode([...this.#context, ...this.#fresh]).slice(this.#decode(this.#context).length);
  }

  #give(text: string, isLast: boolean): string {
    if (!this.#options.cleanUp) return text;
    const all = this.#held + text;
    const stable = isLast ? all.length : stableLength(all);
    this.#held = all.slice(stable);
    return cleanedUp(all.slice(0, stable));
  }
}
