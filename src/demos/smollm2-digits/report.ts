// The results of `flamboyance train smollm2-digits` as Markdown, as text for a terminal, and as a JSON document.
import type { Paint } from "../../terminal/colour.ts";
import { paragraph } from "../../terminal/prose.ts";
import { conditionText, percent } from "../digits/report.ts";
import type { Gates } from "../gates.ts";
import { type ResultTable, resultMarkdown, resultText } from "../tables.ts";
import type { AttentionRow, CaptionRow, QuestionRow } from "./evidence.ts";

interface Digests {
  readonly before: string;
  readonly after: string;
}

export interface SmolTraining {
  /** Digests of the weights that must not change. */
  readonly frozen: { readonly language: Digests; readonly tower: Digests };
  /** The gates of each layer with cross-attention after each step. */
  readonly history: readonly (readonly Gates[])[];
  /** Mean losses since the entry before. */
  readonly losses: readonly { readonly step: number; readonly loss: number }[];
  readonly firstLayer: number;
}

export interface SmolEvidence {
  readonly captions: readonly CaptionRow[];
  readonly questions: readonly QuestionRow[];
  readonly classifier: number;
  readonly attention: readonly AttentionRow[];
}

export interface SmolReport extends SmolTraining, SmolEvidence {
  readonly seed: number;
  readonly backend: string;
  readonly seconds: number;
  /** Seconds of processor time, of all threads together. */
  readonly processorSeconds: number;
}

const unchanged = ({ frozen }: SmolReport): boolean =>
  Object.values(frozen).every(({ before, after }) => before === after); // [smollm2Digits.frozen]

/** The document of `train smollm2-digits --json`. [smollm2Digits.document] */
export function smolDocument(report: SmolReport): object {
  const { seed, backend, seconds, processorSeconds, classifier, captions, questions } = report;
  const { frozen, firstLayer, history, losses, attention } = report;
  const of = (kind: CaptionRow["condition"]["kind"]): number =>
    captions.find(({ condition }) => condition.kind === kind)?.all ?? Number.NaN;
  return {
    seed,
    backend,
    seconds,
    processorSeconds,
    classifier,
    heldOut: { accuracy: of("as-trained"), swapped: of("swapped"), blanked: of("blanked") },
    captions,
    questions,
    frozen,
    frozenUnchanged: unchanged(report),
    firstLayer,
    gates: history.at(-1) ?? [],
    losses,
    attention,
  }; // [smollm2Digits.document]
}

const summary = ({ seed, backend, seconds, processorSeconds, classifier }: SmolReport): string =>
  `Seed ${seed}, backend ${backend}: ${seconds.toFixed(0)} seconds, ${processorSeconds.toFixed(0)} seconds of processor time. The image tower alone classifies ${percent(classifier)} of the held-out digits correctly.`;

const frozenText = (report: SmolReport): string =>
  `Language model (digest ${report.frozen.language.after}) and image tower unchanged by the second phase, bit for bit: ${unchanged(report) ? "yes" : "NO"}.`;

const CAPTIONS = ["captions of held-out pairs", "pairs", "correct", "first", "second"] as const;
const captionRows = ({ captions }: SmolReport): string[][] =>
  captions.map(({ condition, pairs, all, places }) => [
    condition.kind === "convention" && condition.convention === "no pictures"
      ? "no pictures: the language model alone"
      : conditionText(condition),
    String(pairs),
    percent(all),
    percent(places[0]),
    percent(places[1]),
  ]);

const QUESTIONS = ["question about the digit", "pairs", "first named", "second named"] as const;
const QUESTION_TEXT: Readonly<Record<QuestionRow["question"], string>> = {
  "after-caption": "second, behind a caption of the first",
  second: "second, behind both pictures",
  first: "first, behind both pictures",
};
const questionRows = ({ questions }: SmolReport): string[][] =>
  questions.map(({ question, pairs, first, second }) => [
    QUESTION_TEXT[question],
    String(pairs),
    percent(first),
    percent(second),
  ]);

const GATES = ["layer", "|tanh(attention gate)|", "|tanh(feed-forward gate)|"] as const;
const gateRows = ({ history, firstLayer }: SmolReport): string[][] =>
  (history.at(-1) ?? []).map(({ attn, ff }, layer) => [
    String(firstLayer + layer),
    Math.abs(attn).toFixed(3),
    Math.abs(ff).toFixed(3),
  ]);

const LOSSES = ["step", "loss"] as const;
/** Rows of the loss that are shown. */
const SHOWN_LOSSES = 12;
function lossRows({ losses }: SmolReport): string[][] {
  const every = Math.max(1, Math.ceil(losses.length / SHOWN_LOSSES));
  return losses
    .filter((_, i) => (i + 1) % every === 0 || i === losses.length - 1)
    .map(({ step, loss }) => [String(step), loss.toFixed(3)]);
}

const ATTENTION = [
  "attention of",
  "to the first",
  "second",
  "first, both seen",
  "second, both seen",
] as const;
const attentionRows = ({ attention }: SmolReport): string[][] =>
  attention.map(({ token, trained, allPrevious }) => [
    JSON.stringify(token),
    ...[...trained, ...allPrevious].map((share) => share.toFixed(2)),
  ]);

const tablesOf = (report: SmolReport): ResultTable[] => [
  { head: CAPTIONS, rows: captionRows(report) },
  { head: QUESTIONS, rows: questionRows(report) },
  { head: GATES, rows: gateRows(report) },
  { head: LOSSES, rows: lossRows(report) },
  { head: ATTENTION, rows: attentionRows(report) },
];

/** The results as Markdown, for DIR/report.md and for a document. [smollm2Digits.report] */
export const smolMarkdown = (report: SmolReport): string =>
  [
    summary(report),
    frozenText(report),
    ...tablesOf(report).flatMap((one) => ["", ...resultMarkdown(one)]),
  ].join("\n");

/** The results for a terminal. */
export function smolText(report: SmolReport, paint: Paint, width: number): string {
  return [
    paragraph("", 0, summary(report), paint, width),
    paragraph("", 0, frozenText(report), paint, width),
    ...tablesOf(report).map((one) => resultText(one, paint, width)),
  ].join("\n\n");
}
