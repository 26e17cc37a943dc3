// The text and the document of `conform` and of `check` in process: where another implementation differs, and the nearest known mistake.

import { counted } from "../../masks/sentences.ts";
import type { Paint } from "../../terminal/colour.ts";
import { paragraph } from "../../terminal/prose.ts";
import type { Comparison } from "../cases/compare.ts";
import { type CaseVerdict, summariseCases } from "../cases/verdict.ts";
import type { Finding } from "../submissions/findings.ts";
import { figure, jsonNumber } from "./report.ts";
import { breakable, failures, lastLine, moduleTable, remainder, some, verdictLine } from "./verdict-table.ts";

const FILE = "actual.safetensors";
/** Cases that are named, of those that have no result or share a finding. */
const NAMED = 3;

/** The error where no case has a result; it names the path at which results are read. */
export const missingText = (missing: readonly string[], actual: string): string =>
  `${actual} holds no result for ${missing.length === 1 ? "the case" : `any of the ${missing.length} cases`}: ` +
  `they are read from ${actual}/<case id>/${FILE}, such as ${actual}/${missing[0]}/${FILE}`;

/** "[b 0, l 3, d 7]", or "[0 3 7]" where the axes have no known names. */
function place({ axes, firstDivergence }: Pick<Finding, "axes" | "firstDivergence">): string {
  const index = firstDivergence?.element?.index ?? [];
  if (index.length === 0) return "";
  return axes ? ` [${axes.map((axis, i) => `${axis} ${index[i]}`).join(", ")}]` : ` [${index.join(" ")}]`;
}

const number = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(7))) : String(x));

/** The values at the worst element, or what keeps elements from being compared. */
function values({ element, remark, rows, beyond }: Comparison): string {
  const extent = `${beyond} of ${counted(rows, "row")} ${beyond === 1 ? "differs" : "differ"}`;
  if (!element) return remark ?? extent;
  return `${number(element.actual)} where ${number(element.expected)} is expected; ${extent}`;
}

function nearest({ nearest: found, searched }: Finding): string {
  if (found) {
    const { id, title, seenIn } = found.mutant;
    return `nearest known mistake: ${id}. ${title} (seen in ${seenIn}). The output is that of this mistake within ${figure(found.error)}.`;
  }
  return searched
    ? "no known mistake explains the output"
    : "not every known mistake was tried: the time for this class was up, or the file has no such output";
}

function findingText(finding: Finding, paint: Paint, width: number): string {
  const { module, cases, firstDivergence: first, unexpected } = finding;
  const [smallest = "", ...others] = cases;
  const where = first?.tensor ?? "nothing";
  const head = `${module}: ${counted(cases.length, "case")} ${cases.length === 1 ? "differs" : "differ"}, first at ${where}`;
  const lines = [
    nearest(finding),
    `${smallest}: ${where}${place(finding)}`,
    ...(first
      ? [`${values(first)}; error ${figure(first.error)}, tolerance ${figure(first.tolerance)}`]
      : []),
    ...(others.length > 0 ? [`also ${some(others, NAMED)}`] : []),
    ...(unexpected.length > 0
      ? [`the results also hold ${some(unexpected, NAMED)}, which the case does not have`]
      : []),
  ];
  const body = lines.map((line) => paragraph("  ", 4, breakable(line, width - 4), paint, width));
  return [paragraph("", 2, breakable(head, width - 4), (text) => paint(text, "bad"), width), ...body].join(
    "\n",
  );
}

export interface ConformReport {
  readonly verdicts: readonly CaseVerdict[];
  readonly missing: readonly string[];
  readonly found: readonly Finding[];
  readonly title: string;
  readonly actual: string;
}

/** The table of modules, the findings, and what was not compared, in at most 80 columns. */
export function findingsText(
  { verdicts, missing, found, title, actual }: ConformReport,
  paint: Paint,
  columns: number,
): string {
  const width = Math.min(columns, 80);
  const absent = new Set(missing);
  const broken = verdicts.filter((v) => v.status === "errored" && !absent.has(v.id));
  const parts = [
    paint(lastLine(title), "strong"),
    moduleTable(
      verdicts.filter((v) => !absent.has(v.id)),
      paint,
    ),
    ...found.map((one) => findingText(one, paint, width)),
    failures(broken, paint),
    summariseCases(verdicts).cases > 0 ? verdictLine(verdicts, paint) : paint("nothing was compared", "bad"),
    coverage(missing, verdicts, actual),
    remainder(verdicts),
  ];
  return parts.filter(Boolean).join("\n\n");
}

/** The cases without results; a submission of some cases is no statement about the others. */
function coverage(missing: readonly string[], verdicts: readonly CaseVerdict[], actual: string): string {
  if (missing.length === 0) return "";
  const { cases } = summariseCases(verdicts);
  const text =
    `no result for ${missing.length} of ${counted(cases, "case")}: ${some(missing, NAMED)}. ` +
    `Results are read from ${actual}/<case id>/${FILE}; name the cases that you computed to judge these alone.`;
  return lastLine(text);
}

/** The findings in the document of `--json`. */
export const findingsDocument = (found: readonly Finding[]): object[] =>
  found.map(({ module, cases, firstDivergence: first, axes, unexpected, nearest: known, searched }) => ({
    module,
    cases,
    firstDivergence: first && {
      tensor: first.tensor,
      error: jsonNumber(first.error),
      tolerance: first.tolerance,
      remark: first.remark,
      rows: first.rows,
      beyond: first.beyond,
      axes,
      index: first.element?.index ?? null,
      actual: first.element ? finiteOr(first.element.actual) : null,
      expected: first.element ? finiteOr(first.element.expected) : null,
    },
    unexpected,
    nearest: known && {
      id: known.mutant.id,
      title: known.mutant.title,
      seenIn: known.mutant.seenIn,
      error: known.error,
      fromExpected: jsonNumber(known.fromExpected),
    },
    searched,
  }));

/** A value of a tensor: JSON has no infinities and no NaN. */
const finiteOr = (x: number): number | string => (Number.isFinite(x) ? x : String(x));
