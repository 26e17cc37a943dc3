// What the training commands share: stopping, checkpoints of other runs, and reports in documents.
import { kindOf, openFile } from "#host";
import { replaceBetween } from "../../demos/digits/report.ts";
import { utf8 } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { progressOn } from "../../terminal/progress.ts";
import { ForeignCheckpointError } from "../../training/checkpoint.ts";
import { writeError } from "../terminal.ts";

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

const MARKS = ["<!-- evidence -->", "<!-- end -->"] as const;
/** Bytes of the largest document that a report is written to. */
const LARGEST_DOCUMENT = 2 ** 24;

/** The document of --report with new results between its marks. A document that does not exist has only the marks. */
export function withResults(path: string, results: string): string {
  let document: string | null = `${MARKS.join("\n")}\n`;
  if (kindOf(path) !== "nothing") {
    const file = openFile(path);
    if (file.size > LARGEST_DOCUMENT)
      throw new LoadError(`${path} has ${file.size} bytes, too many for a document; name another file`);
    document = utf8(file.read(0, file.size));
    file.close();
  }
  if (document === null)
    throw new LoadError(`${path} is not text in UTF-8, so no report is written to it; name another file`);
  const replaced = replaceBetween(document, results, MARKS); // [digits.report]
  if (replaced !== null) return replaced;
  throw new LoadError(
    `${path} has no place for the report; write ${MARKS[0]} and, below it, ${MARKS[1]} into it, once, or name a file that does not exist`,
  );
}

const STATUS_OF = { SIGINT: 130, SIGTERM: 143 } as const;

/** Ends the process on a signal. Each file is written atomically and within one turn, so nothing is left half-written. */
export function endOnSignals(out: string): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      progressOn(process.stderr).clear();
      writeError(`flamboyance: stopped; --resume continues from ${out}\n`);
      process.exit(STATUS_OF[signal]); // [digits.stop]
    });
}

/** A checkpoint of another run is refused with the remedies of the command line. */
export async function withRemedy<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    if (!(error instanceof ForeignCheckpointError)) throw error;
    const remedy =
      "resume with the options of that run, choose another folder with --out, or start anew without --resume";
    throw new ForeignCheckpointError(error.path, error.differences, remedy);
  }
}
