// The table of `check` and `conform`: one line per module, every case that did not pass, and what was not compared.

import type { Paint } from "../../terminal/colour.ts";
import { paragraph } from "../../terminal/prose.ts";
import { columnsFrom, type Piece, table } from "../../terminal/table.ts";
import { label, printable } from "../../terminal/width.ts";
import {
  byCase,
  type CaseVerdict,
  type NotCompared,
  share,
  summariseCases,
  worstOf,
} from "../cases/verdict.ts";
import { describe, figure } from "./report.ts";

const WIDTH = 80;

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

const LONGEST_NAME = 24;
const SHORTEST_PACKAGE = 6;

const classOf = (module: string): string => module.slice(module.indexOf("/") + 1);

/** The class of a module, and in front of it the package where another of the `modules` has the same class. */
const distinctName = (module: string, modules: readonly string[]): string =>
  modules.filter((other) => classOf(other) === classOf(module)).length > 1 ? module : classOf(module);

/** A name as it fits. Where it is too long, the package is cut, so that the class can be read, and then the class as well. */
function moduleLabel(module: string): string {
  const slash = module.indexOf("/");
  if (slash < 0 || module.length <= LONGEST_NAME) return label(module, LONGEST_NAME);
  const room = Math.max(SHORTEST_PACKAGE, LONGEST_NAME - (module.length - slash));
  return label(module.slice(0, slash), room) + label(module.slice(slash), LONGEST_NAME - room);
}

const wasRun = ({ status }: CaseVerdict): boolean => status !== "skipped";
const isBad = ({ status }: CaseVerdict): boolean => status === "failed" || status === "errored";

/** A line for each module, a column for each precision. Names are cut so that a line with two precisions fits 80 columns. */
export function moduleTable(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const ran = verdicts.filter(wasRun);
  if (ran.length === 0) return "";
  const precisions = [...new Set(ran.map((v) => v.precision))];
  const heads = [
    { head: ["module"] },
    { head: ["cases"], align: "right" },
    ...precisions.map((precision) => ({ head: [precision, "worst error"] })),
    { head: ["failed"], align: "right" },
  ] as const;
  const modules = group(ran, (v) => v.module);
  const rows = [...modules].map(([module, all]) => {
    const cases = byCase(all);
    const errors = precisions.map((precision) => tightest(all.filter((v) => v.precision === precision)));
    const bad = cases.filter(isBad).length;
    return [
      moduleLabel(distinctName(module, [...modules.keys()])),
      `${cases.length}`,
      ...errors,
      bad > 0 ? { text: `${bad}`, style: "bad" as const } : "–",
    ];
  });
  return table(columnsFrom(heads, rows), paint).join("\n");
}

const MOST_FAILURES = 20;
const INDENT = 8;

/** Every case that differs or is broken, with the reason. */
export function failures(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const bad = verdicts.filter(isBad);
  const lines = bad.slice(0, MOST_FAILURES).map(({ id, precision, status, ...v }) => {
    const comparison = v.firstDivergence ?? v.worst;
    const reason = printable(v.error ?? (comparison ? describe(comparison) : ""));
    const mark = paint(status === "failed" ? "differs" : "broken ", "bad");
    const text = reason.split("\n").map((line) => indented(" ".repeat(INDENT), line, paint));
    return [indented(`${mark} `, printable(`${id} (${precision})`), paint), ...text].join("\n");
  });
  const rest = bad.length - MOST_FAILURES;
  return [...lines, ...(rest > 0 ? [`… and ${rest} more`] : [])].join("\n");
}

const indented = (head: string, text: string, paint: Paint): string =>
  trimmed(paragraph(head, INDENT, breakable(text, WIDTH - INDENT), paint, WIDTH));

/** Without spaces at the ends of lines, where a line was broken at several. */
const trimmed = (text: string): string => text.replace(/ +$/gm, "");

/** Words that are wider than a line, cut into pieces that fit one: paths between their names, if these are short enough. */
export const breakable = (text: string, width: number): string =>
  text
    .replace(new RegExp(`\\S{${width},}`, "gu"), (word) =>
      word.replace(new RegExp(`\\S{1,${width - 1}}/`, "gu"), "$& "),
    )
    .replace(new RegExp(`\\S{${width}}(?=\\S)`, "gu"), "$& ");

export function verdictLine(verdicts: readonly CaseVerdict[], paint: Paint): string {
  const { cases, rows, passed, failed, errored, skipped } = summariseCases(verdicts);
  const text = `${passed} of ${cases} cases conform (${rows.toLocaleString("en")} rows compared), ${failed} differ, ${errored} broken`;
  const line = paint(text, passed === cases && cases > 0 ? "good" : "bad");
  if (skipped === 0) return line;
  const rest = `${skipped} skipped`;
  return `${line},${text.length + rest.length + 2 > WIDTH ? "\n" : " "}${rest}`;
}

const NOT_COMPARED: Readonly<Record<NotCompared["what"], string>> = {
  taps: "taps, which the fused kernels of this backend do not compute",
  gradients: "gradients that the case does not list",
  fields: "fields of case.json that FORMAT.md does not have",
  empty: "tensors of 0 elements",
  rounding: "tensors of which rounding leaves too little in this precision",
  precisions: "precisions that the case is not applied to",
  recipes: "tensors whose recipes, seed or dtypes give other numbers",
  unexpected: "tensors that the case does not expect",
};
const MOST_NAMES = 8;

/** "a, b, … and 3 more" */
export const some = (names: readonly string[], most = MOST_NAMES): string =>
  `${names.slice(0, most).join(", ")}${names.length > most ? `, … and ${names.length - most} more` : ""}`;

/** The last lines: skipped cases by reason, and the parts of cases that were not compared. Empty if there are none. */
export function remainder(verdicts: readonly CaseVerdict[]): string {
  const cases = byCase(verdicts);
  const skipped = group(
    cases.filter((v) => !wasRun(v)),
    (v) => v.error ?? "",
  );
  const parts = cases.flatMap((v) => (v.notCompared ?? []).map((part) => ({ ...part, id: v.id })));
  const lines = [
    ...[...skipped].map(([why, of]) => `skipped, ${why}: ${some(of.map((v) => v.id))}`),
    ...[...group(parts, (part) => part.what)].map(([what, of]) => {
      const ids = new Set(of.map((part) => part.id));
      const names = [...new Set(of.flatMap((part) => part.names))];
      const count = of.reduce((sum, part) => sum + part.names.length, 0);
      const where = ids.size === 1 ? `in ${[...ids].join()}` : `${count} in ${ids.size} cases`;
      return `not compared, ${NOT_COMPARED[what as NotCompared["what"]]} (${where}): ${some(names)}`;
    }),
  ];
  return lines.map(lastLine).join("\n");
}

/** A paragraph of at most 80 columns whose further lines are indented. */
export const lastLine = (text: string): string =>
  trimmed(paragraph("", 2, breakable(printable(text), WIDTH - 4), (word) => word, WIDTH));
