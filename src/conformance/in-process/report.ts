// What `check` returns: results as data, with a text for people and a document for scripts.

import type { Precision } from "../../tensor/precision.ts";
import { painter, printableWithColour } from "../../terminal/colour.ts";
import type { Comparison } from "../cases/compare.ts";
import {
  type CaseSummary,
  type CaseVerdict,
  exitCode,
  type NotCompared,
  type Status,
  summariseCases,
} from "../cases/verdict.ts";
import { findingsDocument, findingsText } from "../reports/findings.ts";
import { casesAsJson } from "../reports/report.ts";
import type { Finding } from "../submissions/findings.ts";

/** A mistake of a real implementation that gives the same output. */
export interface KnownMistake {
  readonly id: string;
  readonly title: string;
  /** The implementation that had it. */
  readonly seenIn: string;
  /** The distance of the output to that of the mistake, in the smallest case of its group. */
  readonly error: number;
}

/** The result for one case. */
export interface CaseResult {
  readonly id: string;
  /** The class, with its package in front where several packages have it. */
  readonly module: string;
  /** skipped: nothing was compared, for the reason in `error`; errored: the function threw, or returned no tensors. */
  readonly status: Status;
  /** Rows of tensors that were compared. */
  readonly rows: number;
  /** The comparison with the largest error, relative to its tolerance: its tensor, error, tolerance, row and element. */
  readonly worst: Comparison | null;
  /** The first tensor in order of execution that differs: a named activation, if any was returned, otherwise an output. */
  readonly firstDivergence: Comparison | null;
  /** The known mistake that explains the difference, if there is one. */
  readonly mistake: KnownMistake | null;
  readonly error: string | null;
  readonly notCompared: readonly NotCompared[];
}

const mistakeOf = ({ nearest }: Finding): KnownMistake | null =>
  nearest && {
    id: nearest.mutant.id,
    title: nearest.mutant.title,
    seenIn: nearest.mutant.seenIn,
    error: nearest.error,
  };

/** The results of a port. `${report}` is the text that `flamboyance conform` prints, JSON.stringify(report) its document. */
export class CheckReport {
  /** Whether something was compared, and all of it conforms. */
  readonly passed: boolean;
  readonly precision: Precision;
  readonly summary: CaseSummary;
  /** In order, the smallest classes first. */
  readonly cases: readonly CaseResult[];
  /** The cases that differ, grouped by class and by known mistake. */
  readonly findings: readonly Finding[];
  readonly #verdicts: readonly CaseVerdict[];

  constructor(verdicts: readonly CaseVerdict[], findings: readonly Finding[], precision: Precision) {
    this.#verdicts = verdicts;
    this.findings = findings;
    this.precision = precision;
    this.summary = summariseCases(verdicts);
    this.passed = exitCode(this.summary) === 0;
    const mistakes = new Map(findings.flatMap((one) => one.cases.map((id) => [id, mistakeOf(one)])));
    this.cases = verdicts.map(
      ({ id, module, status, rows, worst, firstDivergence, error, notCompared = [] }) => ({
        ...{ id, module, status, rows, worst, firstDivergence },
        mistake: mistakes.get(id) ?? null,
        ...{ error, notCompared },
      }),
    );
  }

  /** The text of `flamboyance conform`, in 80 columns. */
  toString(): string {
    const title = `The results of the function, judged as ${this.precision}`;
    const report = { verdicts: this.#verdicts, missing: [], found: this.findings, title, actual: "" };
    return printableWithColour(findingsText(report, painter(false), 80), false);
  }

  /** The document of `flamboyance conform --json`. */
  toJSON(): unknown {
    return JSON.parse(casesAsJson(this.#verdicts, { findings: findingsDocument(this.findings) }));
  }
}
