// Shared by the training commands: stopping, checkpoints of other runs, and reports in documents.
import { dirname, join } from "node:path";
import { createFolder, kindOf, openFile, removeFile, writeFile } from "#host";
import { replaceBetween } from "../../demos/digits/report.ts";
import { utf8 } from "../../io/wording.ts";
import { LoadError } from "../../tensor/errors.ts";
import { progressOn } from "../../terminal/progress.ts";
import { ForeignCheckpointError } from "../../training/checkpoint.ts";
import { folderOption } from "../arguments.ts";
import { writeError } from "../terminal.ts";

const MARKS = ["<!-- evidence -->", "<!-- end -->"] as const;
/** Bytes of the largest document that a report is written to. */
const LARGEST_DOCUMENT = 2 ** 24;

/** The document of --report with new results between its marks. A document that does not exist has only the marks. */
function withResults(path: string, results: string): string {
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

/** Options of a training command that concern files. */
interface Files {
  readonly out: string;
  readonly report?: string | undefined;
  readonly resume: boolean;
}

/** Refuses a document without a place for the report, and makes its folder. */
export function checkReport(report: string | undefined): void {
  if (report === undefined) return;
  withResults(report, "");
  createFolder(dirname(report));
}

/** Prepares the folder of a run; the results of an earlier run are removed unless there are checkpoints to continue from. */
export function beginRun(
  { out, report, resume }: Files,
  hasCheckpoint: boolean,
  results: readonly string[],
): void {
  folderOption("out", out);
  checkReport(report);
  endOnSignals(out);
  if (hasCheckpoint) return;
  if (resume)
    writeError(`flamboyance: there is no checkpoint in ${out}; training begins at the first step\n`);
  for (const name of results) removeFile(join(out, name)); // [digits.fresh] [smollm2Digits.resume]
}

/** Writes a chart and the report, which also takes its place in the document of --report. */
export function writeReport(
  { out, report }: Pick<Files, "out" | "report">,
  markdown: string,
  chart: { readonly name: string; readonly svg: string },
): void {
  const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
  writeFile(join(out, chart.name), bytesOf(chart.svg)); // [digits.gates-picture]
  writeFile(join(out, "report.md"), bytesOf(`${markdown}\n`));
  if (report !== undefined) writeFile(report, bytesOf(withResults(report, markdown))); // [digits.report] [smollm2Digits.report]
}

/** Ends the process on a signal. Each file is written atomically and within one turn, so nothing is left half-written. */
function endOnSignals(out: string): void {
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
