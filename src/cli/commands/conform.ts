// The command `flamboyance conform`.
import { namedCases } from "../../conformance/cases/named.ts";
import { asVerdicts, selectCases } from "../../conformance/cases/selection.ts";
import { exitCode, summariseCases } from "../../conformance/cases/verdict.ts";
import { findingsDocument, findingsText, missingText } from "../../conformance/reports/findings.ts";
import { inOrder, type Judged, judgeSubmission, search } from "../../conformance/submissions/judging.ts";
import { readSubmission } from "../../conformance/submissions/submission.ts";
import { type GoldenCase, hasActual, readCase } from "../../io/golden/cases.ts";
import { LoadError } from "../../tensor/errors.ts";
import { PRECISIONS } from "../../tensor/precision.ts";
import { progressOn } from "../../terminal/progress.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { defaultCases } from "../golden-files.ts";
import { CONFORM } from "../help/conform.ts";
import { DOCUMENT_OPTIONS, documentKind, print } from "../output.ts";
import { paintOn, widthOn, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  ...DOCUMENT_OPTIONS,
  actual: { type: "string" },
  precision: { type: "string", default: "float32" },
  full: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

export async function conform(args: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(args, OPTIONS);
  if (values.help) {
    writeOut(CONFORM);
    return 0;
  }
  const { actual } = values;
  if (actual === undefined || actual === "")
    throw new UsageError("conform needs --actual DIR, the folder with the other implementation's tensors");
  const kind = documentKind(values);
  const precision = oneOf("precision", values.precision, PRECISIONS);
  const submissionOf = (golden: GoldenCase) => readSubmission(actual, golden);
  const names = positionals.length > 0 ? positionals : [defaultCases()];
  const { paths, matched } = namedCases(names, defaultCases());
  const selection = selectCases(paths, { full: values.full, matched });
  const all: Judged[] = [];
  for (const folder of selection.folders)
    all.push(await judgeSubmission(() => readCase(folder), submissionOf, precision));
  const judged = inOrder(all);
  const missing = judged
    .filter(({ verdict: { status, id } }) => status === "errored" && !hasActual(actual, id))
    .map(({ verdict }) => verdict.id);
  const compared = judged.filter(({ verdict }) => verdict.status !== "skipped");
  if (missing.length > 0 && missing.length === compared.length)
    throw new LoadError(missingText(missing, actual)); // [conform.missing]
  const verdicts = [...judged.map(({ verdict }) => verdict), ...asVerdicts(selection, precision)];
  const progress = progressOn(process.stderr);
  const onClass = (module: string, at: number, total: number) =>
    progress.step(at, total, `known mistakes, ${module}`);
  const found = search(judged, { submissionOf, precision, onClass });
  progress.clear();
  const title = `The tensors in ${actual}, judged as ${precision}`;
  if (kind) print(verdicts, kind, title, { missing, findings: findingsDocument(found) });
  else {
    const text = findingsText(
      { verdicts, missing, found, title, actual },
      paintOn(process.stdout),
      widthOn(process.stdout),
    );
    writeOut(`${text}\n`);
  }
  return exitCode(summariseCases(verdicts));
}
