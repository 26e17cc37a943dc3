// Verdicts as JSON, JUnit XML and Markdown. The table for terminals is in src/cli.
import { checkGiven } from "../../tensor/given.ts";
import { markdownText } from "../../terminal/markdown.ts";
import type { Comparison } from "../cases/compare.ts";
import { byCase, type CaseVerdict, kernelsOf, summariseCases } from "../cases/verdict.ts";

export const figure = (x: number): string => (Number.isFinite(x) ? x.toExponential(1) : "∞");

/** The tensor and row of a comparison: "taps.attn row [0 1 3]". */
export const place = ({ tensor, row }: Comparison): string =>
  row.length > 0 ? `${tensor} row [${row.join(" ")}]` : tensor;

export function describe(c: Comparison): string {
  return `${place(c)}: ${c.remark ?? `error ${figure(c.error)}`}, tolerance ${figure(c.tolerance)}`;
}

/** JSON has no infinities. */
export const jsonNumber = (x: number): number | string => (Number.isFinite(x) ? x : "infinite");

const worst = (c: Comparison | null) =>
  c && { tensor: c.tensor, error: jsonNumber(c.error), tolerance: c.tolerance, row: c.row, remark: c.remark };

/** The document of `--json`; its keys are stable. `skipped` is there if a case was, and the keys of `more` are added. */
export function casesAsJson(verdicts: readonly CaseVerdict[], more: object = {}): string {
  checkGiven("casesAsJson", { verdicts }, "a list");
  const all = byCase(verdicts);
  const skipped = all
    .filter(({ status }) => status === "skipped")
    .map(({ id, error, notCompared = [] }) => ({
      id,
      reason: error,
      ...(notCompared.length > 0 ? { notCompared } : {}),
    }));
  const cases = all
    .filter(({ status }) => status !== "skipped")
    .map((v) => ({
      id: v.id,
      rows: v.rows,
      status: v.status,
      worst: worst(v.worst),
      firstDivergence: v.firstDivergence && place(v.firstDivergence),
      ...(v.error === null ? {} : { error: v.error }),
      notCompared: v.notCompared ?? [],
    }));
  return JSON.stringify(
    {
      summary: summariseCases(verdicts),
      kernels: kernelsOf(verdicts),
      cases,
      ...(skipped.length > 0 ? { skipped } : {}),
      ...more,
    },
    null,
    2,
  );
}

const xml = (text: string): string =>
  text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`).replace(/[^\t\n\r -퟿-�]/g, "?");

const reason = (v: CaseVerdict): string => v.error ?? (v.firstDivergence ? describe(v.firstDivergence) : "");

/** The results of cases as a JUnit XML document. */
export function casesAsJunit(verdicts: readonly CaseVerdict[]): string {
  checkGiven("casesAsJunit", { verdicts }, "a list");
  const { cases, failed, errored, skipped } = summariseCases(verdicts);
  const rows = byCase(verdicts).map((v) => {
    const open = `  <testcase classname="${xml(v.module)}" name="${xml(v.id)}"`;
    if (v.status === "passed") return `${open}/>`;
    const tag = { failed: "failure", errored: "error", skipped: "skipped" }[v.status];
    return `${open}><${tag} message="${xml(reason(v))}"/></testcase>`;
  });
  const head = `<testsuite name="flamboyance" tests="${cases + skipped}" failures="${failed}" errors="${errored}" skipped="${skipped}">`;
  return ['<?xml version="1.0" encoding="UTF-8"?>', head, ...rows, "</testsuite>"].join("\n");
}

/** The results of cases as a table in Markdown. */
export function casesAsMarkdown(verdicts: readonly CaseVerdict[]): string {
  checkGiven("casesAsMarkdown", { verdicts }, "a list");
  const { cases, passed, failed, errored, skipped } = summariseCases(verdicts);
  const rows = byCase(verdicts).map((v) => {
    const tight = v.worst ? `${figure(v.worst.error)} of ${figure(v.worst.tolerance)}` : "";
    return `| ${markdownText(v.id)} | ${v.status} | ${tight} | ${markdownText(reason(v))} |`;
  });
  return [
    `**${passed} of ${cases} cases conform**, ${failed} differ, ${errored} are broken, ${skipped} were not compared.`,
    "",
    "| case | status | worst error | why |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}
