// Prints verdicts as a table or as one document.
import { type CaseVerdict, summariseCases } from "../conformance/cases/verdict.ts";
import { casesAsJson, casesAsJunit, casesAsMarkdown } from "../conformance/reports/report.ts";
import { failures, moduleTable, remainder, verdictLine } from "../conformance/reports/verdict-table.ts";
import { paintOn, writeJsonText, writeOut } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

const documents = { json: casesAsJson, junit: casesAsJunit, markdown: casesAsMarkdown } as const;
export type DocumentKind = keyof typeof documents;

export const DOCUMENT_OPTIONS = {
  json: { type: "boolean" },
  junit: { type: "boolean" },
  markdown: { type: "boolean" },
} as const;

export function documentKind(
  values: { readonly [K in DocumentKind]?: boolean | undefined },
): DocumentKind | null {
  const [kind = null, more] = (Object.keys(documents) as DocumentKind[]).filter((key) => values[key]);
  if (more)
    throw new UsageError(`--${kind} and --${more} both print the only document on stdout; give one of them`);
  return kind;
}

/** Prints one document, or the table with a title. `more` holds further keys of the document. */
export function print(
  verdicts: readonly CaseVerdict[],
  kind: DocumentKind | null,
  title: string,
  more: object = {},
): void {
  if (kind) {
    const text = documents[kind](verdicts, more);
    if (kind === "json") writeJsonText(text);
    else writeOut(`${text}\n`);
    return;
  }
  const paint = paintOn(process.stdout);
  const parts = [
    paint(title, "strong"),
    moduleTable(verdicts, paint),
    failures(verdicts, paint),
    verdictLine(verdicts, paint),
    remainder(verdicts),
  ];
  writeOut(`${parts.filter(Boolean).join("\n\n")}\n`);
  if (summariseCases(verdicts).cases === 0) writeOut("no case was run\n");
}
