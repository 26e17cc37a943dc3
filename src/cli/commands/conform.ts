// The command `flamboyance conform`.

import { callOf } from "../../conformance/cases/check-case.ts";
import { type Judgement, judge } from "../../conformance/cases/judge.ts";
import { namedCases } from "../../conformance/cases/named.ts";
import { asVerdicts, notRun, selectCases } from "../../conformance/cases/selection.ts";
import { nextTaps } from "../../conformance/cases/tap-graph.ts";
import { type CaseVerdict, exitCode, type Status, summariseCases } from "../../conformance/cases/verdict.ts";
import { moduleName } from "../../conformance/sources/registry.ts";
import { type DifferingCase, findings } from "../../conformance/submissions/findings.ts";
import { readSubmission, type Submission } from "../../conformance/submissions/submission.ts";
import { type GoldenCase, hasActual, readCase } from "../../io/golden/cases.ts";
import { LoadError, nameAndMessageOf } from "../../tensor/errors.ts";
import { PRECISIONS, type Precision } from "../../tensor/precision.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { progressOn } from "../../terminal/progress.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { findingsDocument, missingText, printFindings } from "../findings-table.ts";
import { defaultCases } from "../golden-files.ts";
import { CONFORM } from "../help/conform.ts";
import { DOCUMENT_OPTIONS, documentKind, print } from "../output.ts";
import { writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  ...DOCUMENT_OPTIONS,
  actual: { type: "string" },
  precision: { type: "string", default: "float32" },
  full: { type: "boolean", default: false },
  help: { type: "boolean", default: false },
} as const;

interface Request {
  /** The folder with the results. */
  readonly actual: string;
  readonly precision: Precision;
}

interface Judged {
  readonly folder: string;
  readonly verdict: CaseVerdict;
  /** Position of the case's level among LEVELS. */
  readonly level: number;
  readonly size: number;
  /** There is no file with results for the case. */
  readonly missing: boolean;
}

/** From the smallest classes to the largest; gradient cases have the level of their class's other cases. */
const LEVELS = ["op", "module", "block", "model"];

const RAISES = "cases in which the release throws, which a file of tensors cannot show";

/** Judges one case's folder. A missing or broken result is an error of the adapter, not a pass. */
function judgeFolder(folder: string, { precision, actual }: Request): Judged {
  const golden = readCase(folder);
  const { id, level, source, raises } = golden.manifest;
  const base = { id, module: moduleName(source), precision };
  const known = { folder, level: levelOf(level), size: sizeOfCase(golden), missing: false };
  const without = (status: Status, error: string, missing = false): Judged => ({
    ...known,
    missing,
    verdict: { ...notRun(status, id, error, base.module), precision },
  });
  try {
    if (raises) return without("skipped", RAISES);
    return { ...known, verdict: { ...base, ...judgeCase(golden, actual, precision) } };
  } catch (error) {
    return without("errored", nameAndMessageOf(error), !hasActual(actual, id));
  } finally {
    golden.close();
  }
}

/** The tensors that another implementation may leave out. */
const OPTIONAL = { taps: "locate", optionalGradients: true } as const;

function judgeCase(golden: GoldenCase, actual: string, precision: Precision): Judgement {
  const { tensors, unexpected } = readSubmission(actual, golden);
  const judgement = judgeTensors(golden, tensors, precision);
  if (unexpected.length === 0) return judgement;
  const rest = { what: "unexpected", names: unexpected } as const;
  return { ...judgement, notCompared: [...(judgement.notCompared ?? []), rest] }; // [conform.submission]
}

function judgeTensors(golden: GoldenCase, tensors: Submission["tensors"], precision: Precision): Judgement {
  const first = judge(golden, tensors, precision, OPTIONAL);
  const { taps, outputs } = golden.manifest;
  const located = first.status === "failed" && taps.some((name) => tensors.has(`taps.${name}`));
  if (!located) return first;
  const { system, record } = callOf(golden);
  const next = system.forward ? nextTaps(record(), outputs) : undefined;
  return judge(golden, tensors, precision, { ...OPTIONAL, next });
}

function levelOf(level: string): number {
  const position = LEVELS.indexOf(level);
  return position < 0 ? LEVELS.length : position;
}

function sizeOfCase({ manifest: { inputs, weights } }: GoldenCase): number {
  const shapes = [...[...inputs.values()].map(({ shape }) => shape), ...weights.values()];
  return shapes.reduce((sum, shape) => sum + sizeOf(shape), 0);
}

/** Smaller classes first. */
function inOrder(judged: readonly Judged[]): Judged[] {
  const levels = new Map<string, number>();
  for (const { level, verdict } of judged)
    levels.set(verdict.module, Math.min(level, levels.get(verdict.module) ?? LEVELS.length));
  const levelIn = (j: Judged) => levels.get(j.verdict.module) ?? LEVELS.length;
  return [...judged].sort((a, b) => levelIn(a) - levelIn(b));
}

/** Seconds of processor time in which the known mistakes are tried on the cases of one class; mostly less than one is needed. */
const SEARCH_TIME = 2;

/** Of this process, so that others on the machine do not shorten the search. */
const processorTime = (): number => process.cpuUsage().user / 1e6;

function search(judged: readonly Judged[], request: Request) {
  const differing = judged.filter((j): j is Judged & DifferingCase => j.verdict.status === "failed");
  const modules = [...new Set(differing.map(({ verdict }) => verdict.module))];
  const progress = progressOn(process.stderr);
  const began = new Map<string, number>();
  const expired = (module: string): boolean => {
    progress.step(modules.indexOf(module), modules.length, `known mistakes, ${module}`);
    const since = began.get(module) ?? processorTime();
    began.set(module, since);
    return processorTime() - since > SEARCH_TIME;
  };
  const found = findings(differing, { folder: request.actual, precision: request.precision, expired });
  progress.clear();
  return found;
}

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
  const request = { actual, precision };
  const names = positionals.length > 0 ? positionals : [defaultCases()];
  const { paths, matched } = namedCases(names, defaultCases());
  const selection = selectCases(paths, { full: values.full, matched });
  const judged = inOrder(selection.folders.map((folder) => judgeFolder(folder, request)));
  const missing = judged.filter((j) => j.missing).map(({ verdict }) => verdict.id);
  const compared = judged.filter(({ verdict }) => verdict.status !== "skipped");
  if (missing.length > 0 && missing.length === compared.length)
    throw new LoadError(missingText(missing, actual)); // [conform.missing]
  const verdicts = [...judged.map(({ verdict }) => verdict), ...asVerdicts(selection, precision)];
  const found = search(judged, request);
  const title = `The tensors in ${actual}, judged as ${precision}`;
  if (kind) print(verdicts, kind, title, { missing, findings: findingsDocument(found) });
  else printFindings({ verdicts, missing, found, title, actual });
  return exitCode(summariseCases(verdicts));
}
