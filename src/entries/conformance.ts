// flamboyance/conformance: tests of other implementations with golden cases, known mistakes and probes.

export { type CheckOptions, checkCase } from "../conformance/cases/check-case.ts";
export { checkMasks, type MaskVerdict } from "../conformance/cases/check-masks.ts";
export { type Comparison, compareTensors } from "../conformance/cases/compare.ts";
export { type CaseSelection, selectCases } from "../conformance/cases/selection.ts";
export { type CaseSummary, type CaseVerdict, summariseCases } from "../conformance/cases/verdict.ts";
export { check, type PortCheckOptions, type PortForward } from "../conformance/in-process/check.ts";
export type { CaseTensor, PortCase } from "../conformance/in-process/port-case.ts";
export type { CaseResult, CheckReport, KnownMistake } from "../conformance/in-process/report.ts";
export type { PortOutputs, PortTensor } from "../conformance/in-process/returned.ts";
export type { Mutant } from "../conformance/mutants/mutant.ts";
export {
  type MutantMatch,
  type MutantSearchOptions,
  mutants,
  nearestMutant,
} from "../conformance/mutants/mutants.ts";
export type { ProbeAdapter } from "../conformance/probe/ask.ts";
export type { ProbeCall, ProbeShape } from "../conformance/probe/plan.ts";
export {
  type ConventionCandidate,
  findConvention,
  type ProbeOptions,
  type ProbeResult,
} from "../conformance/probe/probe.ts";
export { probeText } from "../conformance/probe/report/text.ts";
export { type ProbeVerdict, probeVerdict } from "../conformance/probe/verdict.ts";
export { releaseMessage } from "../conformance/releases/message.ts";
export { casesAsJson, casesAsJunit, casesAsMarkdown } from "../conformance/reports/report.ts";
export {
  type CaseData,
  type CaseListing,
  type GoldenCase,
  listCases,
  readActual,
  readCase,
  writeActual,
} from "../io/golden/cases.ts";
export type { CaseManifest, CaseTolerance } from "../io/golden/manifest.ts";
