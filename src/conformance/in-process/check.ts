// Checks a port in its own process: a function from a case to outputs, on a selection of golden cases.
import { packagePath } from "#host";
import { type CaseData, caseFromData, type GoldenCase, readCase } from "../../io/golden/cases.ts";
import { type Check, checked, flag, oneOf } from "../../nn/options.ts";
import { LoadError, nameAndMessageOf } from "../../tensor/errors.ts";
import { PRECISIONS, type Precision } from "../../tensor/precision.ts";
import { namedCases } from "../cases/named.ts";
import { asVerdicts, notRun, selectCases } from "../cases/selection.ts";
import type { CaseVerdict } from "../cases/verdict.ts";
import { inOrder, type Judged, judgeSubmission, search } from "../submissions/judging.ts";
import type { Submission } from "../submissions/submission.ts";
import { type PortCase, portCase } from "./port-case.ts";
import { CheckReport } from "./report.ts";
import { type PortOutputs, submissionOf } from "./returned.ts";

/** The cases of a check, and how a port computes. */
export interface PortCheckOptions {
  /**
   * The cases: names ("swiglu--basic"), classes ("SwiGLU"), packages ("flamingo-pytorch"), patterns ("swiglu--*") or folders, as
   * `flamboyance cases list` shows them, or the files of cases as data. In a page, where the package has no files, only data.
   */
  readonly cases: string | CaseData | readonly (string | CaseData)[];
  /** The precision in which the port computes: float32 by default. */
  readonly precision?: Precision | undefined;
  /** Only the full-size cases, which take minutes: false by default. */
  readonly full?: boolean | undefined;
  /** Milliseconds after which a promise of the function counts as an error: 60,000 by default. A function that does not return is not stopped. */
  readonly timeoutMs?: number | undefined;
}

/** A port: the outputs of a case, or a promise of them. */
export type PortForward = (golden: PortCase) => PortOutputs | Promise<PortOutputs>;

const LONGEST_TIMEOUT = 2 ** 31 - 1;

const isCase = (value: unknown): boolean =>
  typeof value === "string" || (typeof value === "object" && value !== null && !Array.isArray(value));
const isCases = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 && value.every(isCase) : isCase(value);

const checks: { readonly [K in keyof PortCheckOptions]-?: Check } = {
  cases: { wanted: "a name, a folder or the files of a case, or a list of these", accepts: isCases },
  precision: { ...oneOf(PRECISIONS), optional: true },
  full: { ...flag, optional: true },
  timeoutMs: {
    wanted: "a number of milliseconds above 0 and below 2^31",
    accepts: (value) => typeof value === "number" && value > 0 && value <= LONGEST_TIMEOUT,
    optional: true,
  },
};

interface Opened {
  readonly name: string;
  readonly open: () => GoldenCase;
}

/** The cases to run, and the verdicts on those that are not. */
function selected(
  cases: PortCheckOptions["cases"],
  full: boolean,
  precision: Precision,
): { readonly chosen: Opened[]; readonly rest: CaseVerdict[] } {
  const all = Array.isArray(cases) ? cases : [cases];
  const names = all.filter((one) => typeof one === "string");
  const chosen: Opened[] = all
    .filter((one): one is CaseData => typeof one !== "string")
    .map((data, i) => ({ name: `cases[${i}]`, open: () => caseFromData(data, `cases[${i}]`) }));
  if (names.length === 0) return { chosen, rest: [] };
  const root = packagePath("golden/cases");
  if (root === null)
    throw new LoadError(
      `${JSON.stringify(names[0])} names a case of the package, whose files a page does not have; fetch them and give the case as data  [case.data]`,
    );
  const { paths, matched } = namedCases(names, root);
  const selection = selectCases(paths, { full, matched });
  const folders = selection.folders.map((folder) => ({ name: folder, open: () => readCase(folder) }));
  return { chosen: [...chosen, ...folders], rest: asVerdicts(selection, precision) };
}

/** Rejects where a promise takes too long. The function itself cannot be stopped. */
async function inTime<T>(promise: T | Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new LoadError(`there was no result within ${timeoutMs} ms; raise timeoutMs if it needs longer`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const LONGEST_MESSAGE = 2000;

/** An error of the port, whatever it threw. */
function portError(thrown: unknown): LoadError {
  try {
    const text = nameAndMessageOf(thrown);
    const short = text.length > LONGEST_MESSAGE ? `${text.slice(0, LONGEST_MESSAGE)}…` : text;
    return new LoadError(
      thrown instanceof LoadError ? short.replace(/^LoadError: /, "") : `the function threw ${short}`,
    );
  } catch {
    return new LoadError("the function threw a value that cannot be shown as text; throw an Error");
  }
}

/**
 * Runs a port on golden cases and compares its outputs with those of the released packages, as `flamboyance conform` does: outputs
 * and gradients decide, and named activations, where they are returned, locate the first tensor that differs. Whatever the function
 * does (throws, rejects, returns other shapes or no tensors) is a result. Cases run one after another. A function that never returns
 * blocks this one as well: let it return a promise, and run a port that may loop forever in a worker that it terminates.
 * Throws a LoadError if a case does not exist, and a RuleError for a wrong option.
 */
export async function check(forward: PortForward, options: PortCheckOptions): Promise<CheckReport> {
  if (typeof forward !== "function")
    throw new LoadError(
      "check takes a function from a case to its outputs, and then options  [conform.check]",
    );
  const {
    cases,
    precision = "float32",
    full = false,
    timeoutMs = 60_000,
  } = checked("check", options, checks);
  const { chosen, rest } = selected(cases, full, precision);
  const submissions = new Map<string, Submission>();
  const judged: Judged[] = [];
  const broken: CaseVerdict[] = [];
  const compute = async (golden: GoldenCase): Promise<Submission> => {
    const { id } = golden.manifest;
    if (submissions.has(id)) throw new LoadError(`two cases have the id ${id}; give one of them  [case.id]`);
    const given = portCase(golden);
    try {
      const submission = submissionOf(await inTime(forward(given), timeoutMs), golden); // [conform.check]
      submissions.set(id, submission);
      return submission;
    } catch (error) {
      throw portError(error);
    }
  };
  for (const { name, open } of chosen) {
    try {
      judged.push(await judgeSubmission(open, compute, precision));
    } catch (error) {
      broken.push({ ...notRun("errored", name, nameAndMessageOf(error)), precision }); // the case itself cannot be read
    }
  }
  const ordered = inOrder(judged);
  const known = (golden: GoldenCase): Submission =>
    submissions.get(golden.manifest.id) ?? { tensors: new Map(), unexpected: [] };
  const findings = search(ordered, { submissionOf: known, precision });
  const verdicts = [...ordered.map(({ verdict }) => verdict), ...broken, ...rest];
  return new CheckReport(verdicts, findings, precision);
}
