// The output of `flamboyance caption` and `vqa`: the document of --json, and the table of attention.
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { quoted } from "../../io/wording.ts";
import type { Backend } from "../../kernels/backend.ts";
import type { Paint } from "../../terminal/colour.ts";
import { columnsFrom, percentCell, tables } from "../../terminal/table.ts";
import { tokenDocument } from "../write/document.ts";
import type { Answer } from "./answering.ts";
import type { FlamingoRequest } from "./request.ts";

function answerDocument(tokenizer: Tokenizer, answer: Answer): object {
  const { prompt, promptIds, text, finish, score, tokens, attention } = answer;
  return {
    image: prompt.images.at(-1),
    answer: answer.answer,
    text,
    prompt: { text: prompt.text, images: prompt.images, ids: promptIds },
    tokens: tokens.map((token, i) => ({
      ...tokenDocument(tokenizer, token),
      ...(attention ? { attention: attention[i] ?? null } : {}),
    })),
    finish,
    score,
  };
}

/** The document with stable keys. */
export function flamingoDocument(
  request: FlamingoRequest,
  tokenizer: Tokenizer,
  { answers, backend }: { readonly answers: readonly Answer[]; readonly backend: Backend },
): object {
  const { name, mode, threads, precision } = backend;
  return {
    task: request.task,
    model: request.folder,
    backend: { name, mode, threads, precision },
    answers: answers.map((answer) => answerDocument(tokenizer, answer)),
  };
}

/** A row for each generated token: its attention to each image, and the latent that it attended to most. */
export function attentionTable(
  { tokens, attention, prompt }: Answer,
  tokenizer: Tokenizer,
  paint: Paint,
  width: number,
): string {
  const images = prompt.images.map((_, i) => ({ head: [`image ${i + 1}`], align: "right" }) as const);
  const rows = tokens.map(({ id }, i) => {
    const { images: shares = [], strongest = null } = attention?.[i] ?? {};
    const most = strongest
      ? `image ${strongest.image + 1}, latent ${strongest.latent + 1}: ${percentCell(strongest.share)}`
      : "·";
    return [quoted(tokenizer.decode([id])), ...shares.map(percentCell), most];
  });
  const columns = columnsFrom(
    [{ head: ["token"], gap: 2 }, ...images, { head: ["strongest"], gap: 2 }],
    rows,
  );
  return [
    "",
    "Attention behind each token, per cent, mean of layers and heads",
    ...tables(columns, paint, width),
  ].join("\n");
}
