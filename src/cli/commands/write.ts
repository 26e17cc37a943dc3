// flamboyance write
import { kindOf } from "#host";
import type { ChosenToken } from "../../generation/choose.ts";
import { loadTokenizer } from "../../io/tokenizers/load.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import type { Backend } from "../../kernels/backend.ts";
import { memoryPlan } from "../../pretrained/load-pretrained.ts";
import { describeMemoryPlan } from "../../pretrained/plan-text.ts";
import { LoadError } from "../../tensor/errors.ts";
import { label } from "../../terminal/width.ts";
import { type TextModel, type WriteOptions, writeBeams, writeText } from "../../writing/write-text.ts";
import { readArguments } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { WRITE } from "../help/write.ts";
import { paintOn, writeError, writeJson, writeOut, writeWritten } from "../terminal.ts";
import { type Written, type WrittenText, writtenDocument } from "../write/document.ts";
import { loaded, planOptions } from "../write/loading.ts";
import { encoded, type Prompt } from "../write/prompts.ts";
import { type Request, requestOf, WRITE_OPTIONS } from "../write/request.ts";
import { timingLines } from "../write/shown.ts";
import { type Stopping, stoppedBySignals, untilStopped } from "../write/stopping.ts";
import { Stopwatch } from "../write/timings.ts";

/** The tokenizer of the folder. */
async function tokenizerOf(folder: string): Promise<Tokenizer> {
  if (kindOf(folder) === "nothing")
    throw new LoadError(
      `cannot open ${folder}: it does not exist; name a model folder of Hugging Face (in a clone of the repository, npm run fetch:smollm2 makes one)`,
    );
  return loadTokenizer(folder);
}

/** Texts whose tokens are chosen one after another. `print` is given the text of a single prompt as it is written. */
async function streamed(
  model: TextModel,
  prompts: readonly Prompt[],
  options: WriteOptions,
  { watch, print }: { readonly watch: Stopwatch; readonly print: (text: string) => void },
): Promise<WrittenText[]> {
  const texts = prompts.map((_, prompt) => ({
    prompt,
    text: "",
    tokens: [] as ChosenToken[],
    finish: { reason: "length" } as WrittenText["finish"],
    score: null,
  }));
  const ids = prompts.map((prompt) => prompt.ids);
  for await (const { row, token, text, finish } of writeText(model, ids, options)) {
    const written = texts[row];
    if (!written) continue;
    written.text += text;
    if (token) {
      watch.chose();
      written.tokens.push(token);
    }
    if (finish) written.finish = finish;
    if (texts.length === 1) print(text);
  }
  return texts;
}

/** The best text of a beam search for each prompt. */
async function searched(
  model: TextModel,
  prompts: readonly Prompt[],
  options: WriteOptions,
): Promise<WrittenText[]> {
  const ids = prompts.map((prompt) => prompt.ids);
  const found = await writeBeams(model, ids, options);
  return found.flatMap((beams, prompt) =>
    beams.map(({ text, ids, score, finish }) => {
      const tokens = ids.map((id): ChosenToken => ({ id, logProbability: null, alternatives: [] }));
      return { prompt, text, tokens, finish, score };
    }),
  );
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** Loads, writes and measures. A single text is printed while it is written. */
async function written(
  request: Request,
  tokenizer: Tokenizer,
  backend: Backend,
  { watch, stopping }: { readonly watch: Stopwatch; readonly stopping: Stopping },
): Promise<Written> {
  const { json, generation } = request;
  const { signal } = stopping;
  const prompts = encoded(request, tokenizer);
  const onPlan: Parameters<typeof loaded>[2]["onPlan"] = (plan) => {
    if (!json) writeError(`${describeMemoryPlan(plan).join("\n")}\n\n`);
  };
  const model = await loaded(request, backend, { prompts, signal, onPlan });
  try {
    watch.start();
    const options = { ...generation, backend, signal };
    const print = json ? () => {} : writeWritten;
    const isSearch = generation.beams !== undefined;
    const texts = isSearch
      ? await searched({ model, tokenizer }, prompts, options)
      : await streamed({ model, tokenizer }, prompts, options, { watch, print });
    const count = sum(texts.map(({ tokens }) => tokens.length));
    const timings = isSearch
      ? watch.ofBeams(count)
      : watch.timings(sum(prompts.map(({ ids }) => ids.length)), prompts.length);
    return { plan: model.plan, backend, prompts, texts, timings };
  } finally {
    model.close();
  }
}

/** The rest of what is printed: the texts, unless they are on stdout already, and the timings. */
function show({ prompts, texts, timings }: Written, tokenizer: Tokenizer, isPrinted: boolean): void {
  const paint = paintOn(process.stdout);
  for (const { prompt, text } of texts) {
    if (texts.length > 1)
      writeOut(`${paint(`[${prompt + 1}] ${label(prompts[prompt]?.text ?? "", 70)}`, "strong")}\n`);
    if (!isPrinted) writeWritten(text);
    if (!text.endsWith("\n")) writeOut("\n");
  }
  const tokenOf = (id: number): string => tokenizer.idToToken(id) ?? String(id);
  const count = sum(texts.map(({ tokens }) => tokens.length));
  const finishes = texts.map(({ finish }) => finish);
  writeError(`\n${timingLines(timings, count, finishes, tokenOf).join("\n")}\n`);
}

function printPlan(request: Request, prompts: readonly Prompt[]): void {
  const plan = memoryPlan(request.folder, planOptions(request, prompts));
  if (request.json) writeJson({ plan });
  else writeOut(`${describeMemoryPlan(plan).join("\n")}\n`);
}

export async function write(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, WRITE_OPTIONS);
  if (values.help) {
    writeOut(WRITE);
    return 0;
  }
  const request = requestOf(values, positionals);
  const watch = new Stopwatch();
  const stopping = stoppedBySignals();
  const tokenizer = await tokenizerOf(request.folder);
  if (request.planOnly) {
    printPlan(request, encoded(request, tokenizer));
    return 0;
  }
  const backend = await openBackend(request.backend, request.threads);
  try {
    return await untilStopped(stopping, async () => {
      const results = await written(request, tokenizer, backend, { watch, stopping });
      if (request.json) writeJson(writtenDocument(tokenizer, results));
      else show(results, tokenizer, results.texts.length === 1 && request.generation.beams === undefined);
      return stopping.status() ?? 0;
    });
  } finally {
    await backend.close();
  }
}
