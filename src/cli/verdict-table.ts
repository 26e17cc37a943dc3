// The table of `check` and `conform`: one line per module, then every case that did not pass.
import { byCase, type CaseVerdict, share, summarise, worstOf } from "../conformance/cases/verdict.ts";
import { describe, figure } from "../conformance/reports/report.ts";
import type { Paint } from "../terminal/colour.ts";
import { columnsFrom, type Piece, table } from "../terminal/table.ts";

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** "5.4e-16 of 1.0e-12": the comparison that uses most of its tolerance. */
function tightest(verdicts: readonly CaseVerdict[]): Piece {
  const worst = worstOf(verdicts.flatMap((v) => (v.worst ? [v.worst] : [])));
  if (!worst) return { text: "–" };
  const text = `${figure(worst.error)} of ${figure(worst.tolerance)}`;
  return { text, style: share(worst) > 1 ? "bad" : undefined };
}

function divergenceOf(verdict: CaseVerdict | undefined): Piece {
  if (!verdict) return { text: "–" };
  const { id, firstDivergence, error } = verdict;
  const text = firstDivergence
    ? `${id.split("/").at(-1)}: ${firstDivergence.tensor}`
    : (error?.split("\n")[0] ?? "–");
  return { text, style: "bad" };
}

/** A line for each module, a column for each precision. */
export function moduleTable(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const precisions = [...new Set(verdicts.map((v) => v.precision))];
  const heads = [
    { head: ["module"] },
    { head: ["cases"], align: "right" },
    ...precisions.map((precision) => ({ head: [precision, "worst error"] })),
    { head: ["first divergence"] },
  ] as const;
  const rows = [...group(verdicts, (v) => v.module)].map(([module, all]) => {
    const cases = byCase(all);
    const errors = precisions.map((precision) => tightest(all.filter((v) => v.precision === precision)));
    const divergence = divergenceOf(cases.find((v) => v.status === "failed" || v.status === "errored"));
    return [module, `${cases.length}`, ...errors, divergence];
  });
  return table(columnsFrom(heads, rows), paint).join("\n");
}

const MOST_FAILURES = 20;

/** Every case that differs or is broken, with the reason. */
export function failures(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const bad = verdicts.filter((v) => v.status === "failed" || v.status === "errored");
  const lines = bad.slice(0, MOST_FAILURES).map(({ id, precision, status, ...v }) => {
    const comparison = v.firstDivergence ?? v.worst;
    const reason = v.error ?? (comparison ? describe(comparison) : "");
    const mark = paint(status === "failed" ? "differs" : "broken ", "bad");
    return `${mark} ${id} (${precision})\n        ${reason.replaceAll("\n", "\n        ")}`;
  });
  const rest = bad.length - MOST_FAILURES;
  return [...lines, ...(rest > 0 ? [`… and ${rest} more`] : [])].join("\n");
}

/** The cases that were not compared, by reason, with the first of them. */
export function skippedCases(verdicts: readonly CaseVerdict[]): string {
  const reasons = group(
    verdicts.filter((v) => v.status === "skipped"),
    (v) => `${v.error} (${v.precision})`,
  );
  const lines = [...reasons].map(([reason, [first, ...others]]) => {
    const more = others.length > 0 ? ` and ${others.length} more` : "";
    return `not compared: ${first?.id}${more}\n        ${reason}`;
  });
  return lines.join("\n");
}

export function verdictLine(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const { cases, rows, passed, failed, errored, skipped } = summarise(verdicts);
  const text = `${passed} of ${cases} cases conform (${rows.toLocaleString("en")} rows compared), ${failed} differ, ${errored} broken`;
  const rest = skipped > 0 ? `,\n${skipped} not compared` : "";
  return paint(text + rest, failed + errored === 0 && passed > 0 ? "good" : "bad");
}
