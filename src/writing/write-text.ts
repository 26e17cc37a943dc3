// Text that a language model of a folder writes: tokens are decoded as they are chosen.
import { beamSearch } from "../generation/beam-search.ts";
import type { Beam } from "../generation/beams.ts";
import type { ChosenToken } from "../generation/choose.ts";
import { stream } from "../generation/generate.ts";
import type { GenerateOptions } from "../generation/options.ts";
import type { Tokenizer } from "../io/tokenizers/tokenizer.ts";
import type { Writer } from "../models/writer.ts";
import type { LoadedModel } from "../pretrained/load-pretrained.ts";
import { RuleError } from "../tensor/errors.ts";
import { checkGiven, checkMember } from "../tensor/given.ts";
import { endTokensOf } from "./end-tokens.ts";
import { RowText } from "./row-text.ts";

/** The options of generation. End tokens are those of the folder, unless `stop` is given; a text that reaches a stop string ends before it. */
export interface WriteOptions extends Omit<GenerateOptions, "stop" | "textOf"> {
  readonly stop?: GenerateOptions["stop"] | undefined;
}

/** Why a text ended: at an end token, at a stop string, at its greatest length, or because the signal was aborted. */
export type Finish =
  | { readonly reason: "end"; readonly id: number }
  | { readonly reason: "stop"; readonly string: string }
  | { readonly reason: "length" }
  | { readonly reason: "abort" };

/** The output of one step for one row: a token and the text that it completes, often "". The last piece of a row has its `finish`. */
export interface Piece {
  readonly row: number;
  /** Null if only the rest of a text is added. */
  readonly token: ChosenToken | null;
  readonly text: string;
  readonly finish: Finish | null;
}

/** A model and the tokenizer of its folder. */
export interface TextModel {
  readonly model: Pick<LoadedModel, "config" | "generationConfig"> & {
    readonly writer: Writer;
    /** How long a text may be. */
    readonly plan: Pick<LoadedModel["plan"], "longest">;
  };
  readonly tokenizer: Tokenizer;
}

type Prompts = readonly (readonly number[])[];

/** The options of generation, with a length that the model can read. Throws a RuleError if a prompt alone is too long. */
function checkModel(caller: string, model: unknown, prompts: unknown, options: unknown): void {
  checkMember(
    caller,
    { model },
    "tokenizer",
    "an object with a model, as loadPretrained returns it, and its tokenizer",
  );
  checkGiven(caller, { prompts }, "a list");
  checkMember(caller, { options }, "maxTokens", "an object with at least maxTokens");
}

function generationOptions(
  { model, tokenizer }: TextModel,
  prompts: Prompts,
  { stop, maxTokens, stopStrings, ...others }: WriteOptions,
): GenerateOptions & { readonly stop: readonly number[] } {
  const { longest } = model.plan;
  const most = prompts.reduce((length, prompt) => Math.max(length, prompt.length), 0);
  if (most >= longest)
    throw new RuleError(
      `a prompt has ${most} tokens, and a text of this model at most ${longest}, the prompt included; shorten the prompt`,
      "write.length",
    );
  const ends = stop === undefined ? endTokensOf(model, tokenizer) : [stop].flat();
  const textOf = (ids: readonly number[]): string => tokenizer.decode(ids, { skipSpecial: true });
  return {
    ...others,
    stop: ends,
    maxTokens: Math.min(maxTokens, longest - most), // [write.length]
    ...(stopStrings && stopStrings.length > 0 ? { stopStrings, textOf } : {}),
  };
}

/** One row: its text and the number of its tokens. */
class Row {
  readonly #text: RowText;
  readonly #row: number;
  readonly #ends: readonly number[];
  readonly #most: number;
  #count = 0;
  done = false;

  constructor(row: number, text: RowText, ends: readonly number[], most: number) {
    this.#row = row;
    this.#text = text;
    this.#ends = ends;
    this.#most = most;
  }

  add(token: ChosenToken): Piece {
    this.#count++;
    const text = this.#text.push(token.id);
    const isEnd = this.#ends.includes(token.id);
    const isLast = isEnd || this.#text.stopString !== null || this.#count === this.#most;
    if (!isLast) return { row: this.#row, token, text, finish: null };
    return { ...this.end(isEnd ? { reason: "end", id: token.id } : { reason: "length" }, text), token };
  }

  /** The rest of the text; the reason is `finish`, unless there is a stop string. */
  end(finish: Finish, before = ""): Piece {
    this.done = true;
    const text = before + this.#text.end();
    const { stopString } = this.#text;
    const reason: Finish = stopString === null ? finish : { reason: "stop", string: stopString };
    return { row: this.#row, token: null, text, finish: reason }; // [write.finish]
  }
}

/**
 * Continues each prompt, a list of token ids, and yields the text as its tokens are chosen; the pieces of a row together are its text,
 * without special tokens. With `returns`, prompt b has the rows b · returns up to (b + 1) · returns. Throws as `generate` does, and a
 * RuleError if a prompt leaves no room for a token; an aborted signal ends the texts instead.
 */
export async function* writeText(
  model: TextModel,
  prompts: Prompts,
  options: WriteOptions,
): AsyncGenerator<Piece, void> {
  checkModel("writeText", model, prompts, options);
  const known = generationOptions(model, prompts, options);
  const { stopStrings = [], maxTokens, stop, signal, returns = 1 } = known;
  const rows = Array.from({ length: prompts.length * returns }, (_, row) => {
    const text = new RowText(model.tokenizer.stream({ skipSpecial: true }), stopStrings);
    return new Row(row, text, stop, maxTokens);
  });
  try {
    for await (const tokens of stream(model.model.writer, prompts, known))
      for (const [i, row] of rows.entries()) {
        const token = tokens[i];
        if (token && !row.done) yield row.add(token); // [write.pieces]
      }
    for (const row of rows) if (!row.done) yield row.end({ reason: "length" });
  } catch (error) {
    if (!signal?.aborted) throw error;
    for (const row of rows) if (!row.done) yield row.end({ reason: "abort" }); // [write.abort]
  }
}

/** A text of a beam search, with the score by which beams are compared. */
export interface BeamText {
  readonly text: string;
  readonly ids: readonly number[];
  readonly score: number;
  readonly finish: Finish;
}

/** The best continuations of each prompt by beam search, [prompt][returns]. Throws as `generate` does, and the reason of an aborted signal. */
export async function writeBeams(
  model: TextModel,
  prompts: Prompts,
  options: WriteOptions,
): Promise<BeamText[][]> {
  checkModel("writeBeams", model, prompts, options);
  const known = generationOptions(model, prompts, options);
  const found = await beamSearch(model.model.writer, prompts, known);
  return found.map((beams) => beams.map((beam) => beamText(model, beam, known))); // [write.beams]
}

/** The text of a finished beam, and why it ended. */
function beamText(
  { tokenizer }: TextModel,
  { tokens, score }: Beam,
  { stopStrings = [], stop, maxTokens }: GenerateOptions & { readonly stop: readonly number[] },
): BeamText {
  const row = new Row(0, new RowText(tokenizer.stream({ skipSpecial: true }), stopStrings), stop, maxTokens);
  const pieces = tokens.map((id) => row.add({ id, logProbability: null, alternatives: [] }));
  if (!row.done) pieces.push(row.end({ reason: "length" }));
  const text = pieces.map((piece) => piece.text).join("");
  return { text, ids: tokens, score, finish: pieces.at(-1)?.finish ?? { reason: "length" } };
}
