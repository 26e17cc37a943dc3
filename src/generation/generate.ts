// Autoregressive generation for a batch of prompts. The first step reads the prompts, and each later one the tokens chosen last.
import { reference } from "../kernels/reference/index.ts";
import { checkWriter, type Writer } from "../models/writer.ts";
import { RuleError } from "../tensor/errors.ts";
import { generator } from "../tensor/random.ts";
import { beamSearch } from "./beam-search.ts";
import { CachedSteps } from "./cached-steps.ts";
import { type Choose, type ChosenToken, described, drawn, greedy } from "./choose.ts";
import { type GenerateOptions, type Settings, settingsOf } from "./options.ts";
import { type Processor, processed, processorsOf } from "./processors.ts";
import { checkPrompts, following, prefill } from "./prompts.ts";
import { endsText, promptsSeen } from "./rows.ts";
import { scoresOf } from "./scores.ts";

/** One row of a batch: its text, and how its tokens are chosen. */
class Row {
  readonly #name: string;
  readonly #settings: Settings;
  readonly #processors: readonly Processor[];
  readonly #choose: Choose;
  /** The text as processors see it. */
  readonly #seen: number[];
  readonly #added: number[] = [];
  ended = false;

  constructor(prompt: readonly number[], b: number, settings: Settings, draw: number) {
    const { stops, seed, choose } = settings;
    this.#name = `prompt ${b}`;
    this.#settings = settings;
    this.#seen = [...prompt];
    this.#processors = processorsOf(settings, { stops, promptLength: prompt.length });
    this.#choose = choose ?? (seed === undefined ? greedy : drawn(generator(seed, `sampling ${draw}`))); // [generate.sampled]
  }

  /** The token that follows. Throws a RuleError if there is none to choose. */
  next(logits: Float64Array): ChosenToken {
    const scores = processed(this.#processors, logits, this.#seen);
    const n = scores.length;
    if (!scores.some((x) => x > Number.NEGATIVE_INFINITY))
      throw new RuleError(
        `no token is left for ${this.#name}: all ${n} are excluded by ${this.#exclusions} or have the logit −∞`,
        "generate.never",
      );
    const id = this.#choose(scores);
    if (!(Number.isInteger(id) && id >= 0 && id < n))
      throw new RuleError(
        `choose returned ${String(id)}, which is none of the model's ${n} tokens`,
        "generate.chosen",
      );
    if (scores[id] === Number.NEGATIVE_INFINITY)
      throw new RuleError(`choose returned ${id}, which ${this.#exclusions} excludes`, "generate.chosen");
    this.#seen.push(id);
    this.#added.push(id);
    this.ended = endsText(this.#added, this.#settings); // [generate.stop]
    return described(id, scores, this.#settings.alternatives);
  }

  get #exclusions(): string {
    return this.#processors.map(({ name }) => name).join(", ") || "the model";
  }
}

/**
 * Continues each prompt and yields the tokens of each step as soon as they are chosen: one for each prompt, or `returns` for each, and null
 * where the row has ended. Ends when every row has ended, or after `maxTokens` tokens. Throws as `generate` does, and a RuleError for
 * beams, of which the best one is not known before the end.
 */
export async function* stream(
  writer: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): AsyncGenerator<readonly (ChosenToken | null)[], void> {
  checkWriter("generate", writer);
  const settings = settingsOf(options);
  const { stops, maxTokens, returns, beams, backend = reference(), signal } = settings;
  if (beams > 1)
    throw new RuleError("stream: beams end together; use generate or beamSearch", "generate.combined");
  checkPrompts(prompts);
  const padding = stops[0] ?? 0;
  const promptOf = (row: number): number => Math.floor(row / returns);
  const rows = promptsSeen(prompts, settings).flatMap((prompt, b) =>
    Array.from({ length: returns }, (_, i) => new Row(prompt, b, settings, b * returns + i)),
  ); // [generate.returns]
  const steps = new CachedSteps(writer, backend, { signal });
  let pass = prefill(prompts, padding);
  try {
    for (let taken = 0; taken < maxTokens && rows.some(({ ended }) => !ended); taken++) {
      const logits = scoresOf(await steps.step(pass), pass.ids.shape[0] ?? 0, settings);
      const expands = logits.length < rows.length; // each prompt is read once
      const tokens = rows.map((row, i) =>
        row.ended ? null : row.next(logits[expands ? promptOf(i) : i] ?? new Float64Array()),
      );
      yield tokens; // [generate.stream]
      const ids = tokens.map((token) => token?.id ?? null);
      pass = following(pass, ids, padding, expands ? rows.map((_, i) => promptOf(i)) : null);
    }
  } finally {
    steps.close();
  }
}

/**
 * Continues each prompt until its stop token or by `maxTokens` tokens, and returns prompts and continuations together: `returns` rows for
 * each prompt, one after another. Throws a RuleError if a prompt is empty, an id is none of the model's tokens, options do not go
 * together, or there is no token to choose.
 */
export async function generate(
  writer: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  checkWriter("generate", writer);
  const { beams, returns } = settingsOf(options);
  if (beams > 1) {
    const found = await beamSearch(writer, prompts, options);
    return prompts.flatMap((prompt, b) => (found[b] ?? []).map(({ tokens }) => [...prompt, ...tokens]));
  }
  const added: number[][] = [];
  for await (const tokens of stream(writer, prompts, options))
    for (const [i, token] of tokens.entries()) {
      added[i] ??= [];
      if (token) added[i]?.push(token.id);
    }
  return prompts.flatMap((prompt, b) =>
    Array.from({ length: returns }, (_, i) => [...prompt, ...(added[b * returns + i] ?? [])]),
  );
}
