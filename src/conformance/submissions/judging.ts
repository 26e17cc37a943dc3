// Judges the results of another implementation, wherever they come from, and searches for the known mistakes behind those that differ.
import { processorTime } from "#host";
import type { GoldenCase } from "../../io/golden/cases.ts";
import { nameAndMessageOf } from "../../tensor/errors.ts";
import type { Precision } from "../../tensor/precision.ts";
import { sizeOf } from "../../tensor/tensor.ts";
import { callOf } from "../cases/check-case.ts";
import { type Judgement, judge } from "../cases/judge.ts";
import { notRun } from "../cases/selection.ts";
import { nextTaps } from "../cases/tap-graph.ts";
import type { Status } from "../cases/verdict.ts";
import { moduleName } from "../sources/registry.ts";
import { type DifferingCase, type Finding, type FindingOptions, findings } from "./findings.ts";
import type { Submission } from "./submission.ts";

export interface Judged extends DifferingCase {
  /** Position of the case's level among LEVELS. */
  readonly level: number;
}

/** From the smallest classes to the largest; gradient cases have the level of their class's other cases. */
const LEVELS = ["op", "module", "block", "model"];

const RAISES = "cases in which the release throws, which a file of tensors cannot show";

/** Judges one case. A missing or broken result is an error of the implementation, not a pass. */
export async function judgeSubmission(
  open: () => GoldenCase,
  submissionOf: (golden: GoldenCase) => Submission | Promise<Submission>,
  precision: Precision,
): Promise<Judged> {
  const golden = open();
  const { id, level, source, raises } = golden.manifest;
  const module = moduleName(source);
  const known = { open, level: levelOf(level), size: sizeOfCase(golden) };
  const without = (status: Status, error: string): Judged => ({
    ...known,
    verdict: { ...notRun(status, id, error, module), precision },
  });
  try {
    if (raises) return without("skipped", RAISES);
    const judgement = judgeCase(golden, await submissionOf(golden), precision);
    return { ...known, verdict: { id, module, precision, ...judgement } };
  } catch (error) {
    return without("errored", nameAndMessageOf(error));
  } finally {
    golden.close();
  }
}

/** The tensors that another implementation may leave out. */
const OPTIONAL = { taps: "locate", optionalGradients: true } as const;

function judgeCase(golden: GoldenCase, { tensors, unexpected }: Submission, precision: Precision): Judgement {
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
export function inOrder<T extends Judged>(judged: readonly T[]): T[] {
  const levels = new Map<string, number>();
  for (const { level, verdict } of judged)
    levels.set(verdict.module, Math.min(level, levels.get(verdict.module) ?? LEVELS.length));
  const levelIn = (j: T) => levels.get(j.verdict.module) ?? LEVELS.length;
  return [...judged].sort((a, b) => levelIn(a) - levelIn(b));
}

/** Seconds of processor time in which the known mistakes are tried on the cases of one class; mostly less than one is needed. */
const SEARCH_TIME = 2;

export interface SearchRequest extends Omit<FindingOptions, "expired"> {
  /** Called before each case, with the position of its class among all. */
  readonly onClass?: (module: string, at: number, total: number) => void;
}

/** The findings among the cases that differ. */
export function search(judged: readonly Judged[], { onClass, ...request }: SearchRequest): Finding[] {
  const differing = judged.filter(({ verdict }) => verdict.status === "failed");
  const modules = [...new Set(differing.map(({ verdict }) => verdict.module))];
  const began = new Map<string, number>();
  const expired = (module: string): boolean => {
    onClass?.(module, modules.indexOf(module), modules.length);
    const since = began.get(module) ?? processorTime();
    began.set(module, since);
    return processorTime() - since > SEARCH_TIME;
  };
  return findings(differing, { ...request, expired });
}
