// Beam search for a batch of prompts. Each prompt is read once; then its beams share a batch with those of the other prompts.
import { reference } from "../kernels/reference/index.ts";
import { checkWriter, type Writer } from "../models/writer.ts";
import { RuleError } from "../tensor/errors.ts";
import { type Beam, Beams } from "./beams.ts";
import { CachedSteps } from "./cached-steps.ts";
import { logProbabilities } from "./choose.ts";
import { type GenerateOptions, type Settings, settingsOf } from "./options.ts";
import { type Processor, processed, processorsOf } from "./processors.ts";
import { checkPrompts, following, prefill } from "./prompts.ts";
import { promptsSeen } from "./rows.ts";
import { scoresOf } from "./scores.ts";

/** The search of one prompt, and the rows of the last pass in which its beams stand. */
interface Search {
  readonly seen: readonly number[];
  readonly processors: readonly Processor[];
  readonly beams: Beams;
  rows: readonly number[];
}

/** Throws a RuleError if the vocabulary has fewer tokens than the candidates of one beam. */
function checkVocabulary(n: number, { stops }: Settings): void {
  const least = Math.max(2, 1 + stops.length);
  if (n < least)
    throw new RuleError(
      `beam search with ${stops.length} stop tokens needs a vocabulary of at least ${least} tokens, and the model has ${n}`,
      "beam.candidates",
    );
}

/** Continues the beams of one prompt, given the logits of all rows. */
function advance({ seen, processors, beams, rows }: Search, logits: readonly Float64Array[]): void {
  const logs = new Map(rows.map((row) => [row, logProbabilities(logits[row] ?? new Float64Array())]));
  const scores = beams.running.map(({ tokens }, i) =>
    processed(processors, logs.get(rows[i] ?? 0) ?? new Float64Array(), [...seen, ...tokens]),
  ); // [beam.processors]
  beams.advance(scores);
}

/**
 * The `returns` best continuations of each prompt by beam search, best first, with their scores. A prompt with fewer finished beams has
 * its unfinished ones at the end. Throws as `generate` does.
 */
export async function beamSearch(
  writer: Writer,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Beam[][]> {
  checkWriter("generate", writer);
  const settings = settingsOf(options);
  const { stops, maxTokens, beams: width, returns, backend = reference(), signal } = settings;
  checkPrompts(prompts);
  if (maxTokens === 0)
    return prompts.map(() => Array.from({ length: returns }, () => ({ tokens: [], score: 0 })));
  const padding = stops[0] ?? 0;
  const searches = promptsSeen(prompts, settings).map(
    (seen, b): Search => ({
      seen,
      processors: processorsOf(settings, { stops, promptLength: seen.length }),
      beams: new Beams(settings),
      rows: new Array<number>(width).fill(b),
    }),
  );
  const steps = new CachedSteps(writer, backend, { signal });
  let pass = prefill(prompts, padding);
  try {
    for (let active = searches; active.length > 0; ) {
      const logits = scoresOf(await steps.step(pass), pass.ids.shape[0] ?? 0, settings);
      checkVocabulary(logits[0]?.length ?? 0, settings);
      for (const search of active) advance(search, logits);
      active = active.filter(({ beams }) => !beams.done); // [beam.batch]
      const running = active.flatMap(({ beams, rows }) =>
        beams.running.map(({ tokens, from }) => ({ id: tokens.at(-1) ?? padding, from: rows[from] ?? 0 })),
      );
      pass = following(
        pass,
        running.map(({ id }) => id),
        padding,
        running.map(({ from }) => from),
      );
      for (const [i, search] of active.entries())
        search.rows = Array.from({ length: width }, (_, beam) => i * width + beam);
    }
  } finally {
    steps.close();
  }
  return searches.map(({ beams }) =>
    beams.finished.slice(0, returns).map(({ tokens, score }) => ({ tokens, score })),
  );
}
