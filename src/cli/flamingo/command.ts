// flamboyance caption, flamboyance vqa
import { now } from "#host";
import type { Backend } from "../../kernels/backend.ts";
import { label } from "../../terminal/width.ts";
import { readArguments } from "../arguments.ts";
import { openBackend } from "../backends.ts";
import { CAPTION, VQA } from "../help/flamingo.ts";
import { paintOn, widthOn, writeJson, writeOut, writeWritten } from "../terminal.ts";
import { type Stopping, stoppedBySignals, untilStopped } from "../write/stopping.ts";
import { type Answer, answered } from "./answering.ts";
import { checkPicture } from "./demonstrations.ts";
import { attentionTable, flamingoDocument } from "./document.ts";
import { loadedModel, Pictures } from "./loading.ts";
import { type CliPrompt, promptsOf, similarPrompts } from "./prompts.ts";
import { FLAMINGO_OPTIONS, type FlamingoRequest, type FlamingoTask, flamingoRequest } from "./request.ts";

/** The heading of one of several answers. */
const heading = (i: number, { images }: CliPrompt): string =>
  paintOn(process.stdout)(`[${i + 1}] ${label(images.at(-1) ?? "", 70)}`, "strong");

/** Loads the model, answers one prompt after another, and prints each answer as it is written. */
async function run(
  request: FlamingoRequest,
  backend: Backend,
  { signal, status }: Stopping,
): Promise<number> {
  const begin = now();
  for (const path of request.pictures) checkPicture(path);
  const written = request.rices ? null : promptsOf(request); // its errors come before the model is loaded
  const model = await loadedModel(request, signal);
  try {
    const pictures = new Pictures(model);
    const prompts = written ?? (await similarPrompts(request, model, pictures, backend));
    const loading = (now() - begin) / 1000;
    const answers: Answer[] = [];
    const answering = { request, model, pictures, backend, signal };
    const { tokenizer } = model;
    for (const [i, prompt] of prompts.entries()) {
      if (!request.json && prompts.length > 1) writeOut(`${heading(i, prompt)}\n`);
      const answer = await answered(answering, prompt, request.json ? () => {} : writeWritten);
      answers.push(answer);
      if (request.json) continue;
      writeOut("\n");
      if (answer.attention)
        writeOut(`${attentionTable(answer, tokenizer, paintOn(process.stdout), widthOn(process.stdout))}\n`);
      if (signal.aborted) break;
    }
    const timings = { loading, answering: (now() - begin) / 1000 - loading };
    if (request.json) writeJson({ ...flamingoDocument(request, tokenizer, { answers, backend }), timings });
    return status() ?? 0;
  } finally {
    model.close();
  }
}

const command =
  (task: FlamingoTask, help: string) =>
  async (args: readonly string[]): Promise<number> => {
    const { values, positionals } = readArguments(args, FLAMINGO_OPTIONS);
    if (values.help) {
      writeOut(help);
      return 0;
    }
    const request = flamingoRequest(task, values, positionals);
    const stopping = stoppedBySignals();
    const backend = await openBackend(request.backend, request.threads);
    try {
      return await untilStopped(stopping, () => run(request, backend, stopping));
    } finally {
      await backend.close();
    }
  };

export const caption = command("caption", CAPTION);
export const vqa = command("vqa", VQA);
