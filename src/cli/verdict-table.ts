// The table of `check` and `conform`: one line per module.
import { stripVTControlCharacters } from "node:util";
import { byCase, share, summarise, type Verdict, worstOf } from "../conformance/cases/verdict.ts";
import { describe, figure } from "../conformance/reports/report.ts";
import type { Precision } from "../tensor/precision.ts";
import type { Style } from "../terminal/colour.ts";

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return groups;
}

/** "5.4e-16 of 1.0e-12": the comparison that uses most of its tolerance. */
function tightest(verdicts: readonly Verdict[], style: Style): string {
  const worst = worstOf(verdicts.flatMap((v) => (v.worst ? [v.worst] : [])));
  if (!worst) return "–";
  const text = `${figure(worst.error)} of ${figure(worst.tolerance)}`;
  return share(worst) > 1 ? style.bad(text) : text;
}

const visible = (text: string): number => stripVTControlCharacters(text).length;

function aligned(rows: readonly (readonly string[])[]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => visible(row[column] ?? "")));
  return rows.map((row) =>
    row
      .map((text, column) => text + " ".repeat(column === row.length - 1 ? 0 : width(column) - visible(text)))
      .join("   "),
  );
}

export function table(verdicts: readonly Verdict[], style: Style): string {
  const precisions = [...new Set(verdicts.map((v) => v.precision))];
  const head = ["module", "cases", ...precisions.map((p) => `${p}: worst error`), "first divergence"];
  const rows = [...group(verdicts, (v) => v.module)].map(([module, all]) => {
    const cases = byCase(all);
    const bad = cases.find((v) => v.status !== "passed");
    const divergence = bad?.firstDivergence
      ? `${bad.id.split("/").at(-1)}: ${bad.firstDivergence.tensor}`
      : (bad?.error?.split("\n")[0] ?? "–");
    const columns = precisions.map((p: Precision) =>
      tightest(
        all.filter((v) => v.precision === p),
        style,
      ),
    );
    return [module, String(cases.length).padStart(5), ...columns, bad ? style.bad(divergence) : divergence];
  });
  const [title = "", ...lines] = aligned([head, ...rows]);
  return [style.faint(title), ...lines].join("\n");
}

/** Every case that did not pass, with the reason. */
export function failures(verdicts: readonly Verdict[], style: Style): string {
  const bad = verdicts.filter((v) => v.status !== "passed");
  const lines = bad.slice(0, 20).map((v) => {
    const why =
      v.error ?? (v.firstDivergence ? describe(v.firstDivergence) : v.worst ? describe(v.worst) : "");
    return `${style.bad(v.status === "failed" ? "differs" : "broken ")} ${v.id} (${v.precision})\n        ${why.replaceAll("\n", "\n        ")}`;
  });
  return [...lines, ...(bad.length > 20 ? [`… and ${bad.length - 20} more`] : [])].join("\n");
}

export function verdictLine(verdicts: readonly Verdict[], style: Style): string {
  const { cases, rows, passed, failed, errored } = summarise(verdicts);
  const text = `${passed} of ${cases} cases conform (${rows.toLocaleString("en")} rows compared), ${failed} differ, ${errored} broken`;
  return passed === cases ? style.good(text) : style.bad(text);
}
