// flamboyance data pack
import { openFile, writeFile } from "#host";
import { packed } from "../../evaluation/data/packing.ts";
import { loadTokenizer } from "../../io/tokenizers/load.ts";
import type { Tokenizer } from "../../io/tokenizers/tokenizer.ts";
import { counted } from "../../masks/sentences.ts";
import { LoadError } from "../../tensor/errors.ts";
import { readArguments, wholeOption } from "../arguments.ts";
import { writeError, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";
import { openReading } from "./reading.ts";

const OPTIONS = {
  tokenizer: { type: "string" },
  length: { type: "string", default: "2048" },
  out: { type: "string" },
  stop: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
} as const;

/** The ids of a text between the tokens that begin and end one, where the vocabulary has them. */
function pieceOf(text: string, tokenizer: Tokenizer): number[] {
  const { bos, eos } = tokenizer;
  const ids = tokenizer.encode(text, { special: false });
  return [...(bos === null ? [] : [bos]), ...ids, ...(eos === null ? [] : [eos])]; // [format.text]
}

export async function pack(args: readonly string[]): Promise<number> {
  const { values, positionals: files } = readArguments(args, OPTIONS);
  const { tokenizer: folder, out } = values;
  if (files.length === 0) throw new UsageError("data pack takes files of JSON lines with texts");
  if (folder === undefined || out === undefined)
    throw new UsageError("data pack needs --tokenizer FOLDER, the folder of a model, and --out FILE");
  const length = wholeOption("length", values.length, 1, 2 ** 24);
  for (const file of files) openFile(file).close();
  const tokenizer = await loadTokenizer(folder);
  const { leftOut, progress, samples } = openReading(values.stop);
  const totals = { texts: 0, ids: 0, sequences: 0 };
  function* pieces(): Generator<number[], void, undefined> {
    for (const file of files)
      for (const { sample } of samples(file, ["text"])) {
        if (sample.kind !== "text") continue;
        totals.texts++;
        yield pieceOf(sample.text, tokenizer);
      }
  }
  function* content(): Generator<Uint8Array, void, undefined> {
    const encoder = new TextEncoder();
    for (const sequence of packed(pieces(), length)) {
      totals.sequences++;
      totals.ids += sequence.ids.length;
      yield encoder.encode(`${JSON.stringify(sequence)}\n`);
    }
    if (totals.sequences === 0)
      throw new LoadError(
        `${files.join(", ")}: there is no text to pack; name a file with lines {"text": …}`,
      );
  }
  writeFile(out, content());
  progress.clear();
  const filled = totals.sequences === 0 ? 0 : totals.ids / (totals.sequences * length);
  if (values.json) writeJson({ out, ...totals, length, filled, leftOut: leftOut.count });
  else {
    const parts = [
      counted(totals.texts, "text"),
      counted(totals.ids, "id"),
      counted(totals.sequences, "sequence"),
    ];
    writeOut(`${out}: ${parts.join(", ")} of at most ${length}, ${(100 * filled).toFixed(1)} % filled\n`);
    writeError(leftOut.sentence);
  }
  return 0;
}
