// The output of the command line: text is escaped before it is written, with colours and a width that fit the stream. No other
// file of the command line writes to stdout or stderr.
import { systemReason } from "#host";
import { type Paint, painter, printableWithColour, showsColour } from "../terminal/colour.ts";
import { printable, printableJson, printableText } from "../terminal/width.ts";

/** Whether a stream of this process shows colour. */
export const colourOn = (stream: NodeJS.WriteStream): boolean => showsColour(stream, process.env);

export const paintOn = (stream: NodeJS.WriteStream): Paint => painter(colourOn(stream));

/** The columns of a stream's terminal: 80 where there is none, at least 60. */
export const widthOn = ({ columns }: NodeJS.WriteStream): number => Math.max(60, columns || 80);

/** Writes text to stdout. Of control characters only line breaks, tabs and the painter's colours remain. */
export const writeOut = (text: string): void =>
  void process.stdout.write(printableWithColour(text, colourOn(process.stdout)));

/** Writes text of a language model to stdout: joiners between letters and emoji stay, other hidden characters are escaped. */
export const writeWritten = (text: string): void => void process.stdout.write(printableText(text));

/** Writes a document to stdout, on one line. */
export const writeJson = (document: object): void => writeJsonText(JSON.stringify(document));

/** Writes the text of a JSON document to stdout. Control characters inside its strings become JSON's escapes. */
export const writeJsonText = (json: string): void => void process.stdout.write(`${printableJson(json)}\n`);

/** Writes text without colours to stderr. */
export const writeError = (text: string): void => void process.stderr.write(printable(text));

/** The status of a process that SIGPIPE ended, which Node ignores: 128 + 13. */
const CLOSED_PIPE = 141;

/**
 * If the reader of stdout closes the pipe, as `head` does, the command ends at once and without a message. If stdout cannot be
 * written for another reason, such as a full disk, the command ends with the reason. Errors of stderr cannot be reported anywhere.
 */
export function endWhereOutputFails(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(CLOSED_PIPE);
    writeError(`flamboyance: cannot write to stdout: ${systemReason(error) ?? error.message}\n`);
    process.exit(2);
  });
  process.stderr.on("error", () => {});
}
