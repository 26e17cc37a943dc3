// The results of `flamboyance train kosmos-digits` as Markdown, as text for a terminal, and as a JSON document.
import type { Paint } from "../../terminal/colour.ts";
import { paragraph } from "../../terminal/prose.ts";
import { type ResultTable, resultMarkdown, resultText } from "../tables.ts";
import type { CaptionRow, QuestionRow, Reach } from "./evidence.ts";
import type { ReaderName } from "./reader.ts";
import type { ReaderResult, SeedResult } from "./run.ts";
import type { Plan } from "./training.ts";

export interface KosmosDigitsReport {
  readonly backend: string;
  readonly plan: Plan;
  readonly seconds: number;
  /** Seconds of processor time, of all threads together. */
  readonly processorSeconds: number;
  /** One for each seed. */
  readonly results: readonly SeedResult[];
}

const captionOf = ({ captions }: ReaderResult, pictures: number, condition: CaptionRow["condition"]) =>
  captions.find((row) => row.pictures === pictures && row.condition === condition);

/** The document of `train kosmos-digits --json`. [kosmosDigits.document] */
export function kosmosDigitsDocument({ results, ...run }: KosmosDigitsReport): object {
  const heldOut = (reader: ReaderResult): object => ({
    accuracy: captionOf(reader, 2, "as-trained")?.result?.all ?? null,
    swapped: captionOf(reader, 2, "swapped")?.result?.all ?? null,
    blanked: captionOf(reader, 2, "blanked")?.result?.all ?? null,
  });
  return {
    ...run,
    seeds: results.map(({ readers, ...seed }) => ({
      ...seed,
      models: readers.map(({ name, ...reader }) => ({
        name,
        heldOut: heldOut({ name, ...reader }),
        ...reader,
      })),
    })),
  }; // [kosmosDigits.document]
}

const PLACES = ["first", "second", "third", "fourth", "fifth"] as const;
const share = (x: number): string => (100 * x).toFixed(1);
const REFUSED = "refused";

const namesOf = ({ results }: KosmosDigitsReport): ReaderName[] =>
  (results[0]?.readers ?? []).map(({ name }) => name);

/** A cell with the result of each seed. */
const cell = (report: KosmosDigitsReport, name: ReaderName, of: (reader: ReaderResult) => string): string =>
  report.results
    .flatMap(({ readers }) => readers.filter((reader) => reader.name === name).map(of))
    .join(" / ");

/** A row with a cell for each model. */
const row = (report: KosmosDigitsReport, label: string, of: (reader: ReaderResult) => string): string[] => [
  label,
  ...namesOf(report).map((name) => cell(report, name, of)),
];

const CONDITIONS = { "as-trained": "", swapped: ", swapped", blanked: ", blanked" } as const;
const counted = (n: number): string => (n === 1 ? "1 picture" : `${n} pictures`);

function captionTable(report: KosmosDigitsReport): ResultTable {
  const [first] = report.results[0]?.readers ?? [];
  const rows = (first?.captions ?? []).flatMap(({ pictures, condition }) => {
    const label = `${counted(pictures)}${CONDITIONS[condition]}`;
    const result = (reader: ReaderResult) => captionOf(reader, pictures, condition)?.result;
    const all = row(report, label, (reader) => {
      const found = result(reader);
      return found ? share(found.all) : REFUSED;
    });
    if (pictures === 1 || condition !== "as-trained") return [all];
    const places = PLACES.slice(0, pictures).map((name, place) =>
      row(report, `${label}: the ${name}`, (reader) => {
        const found = result(reader);
        return found ? share(found.places[place] ?? Number.NaN) : REFUSED;
      }),
    );
    return [all, ...places];
  });
  return { head: ["% of captions correct", ...namesOf(report)], rows };
}

function questionTable(report: KosmosDigitsReport): ResultTable {
  const [first] = report.results[0]?.readers ?? [];
  const rows = (first?.questions ?? []).map(({ question, condition, pictures, place }) => {
    const where = question === "behind" ? "behind" : "before";
    const label = `${where} ${counted(pictures)}, about the ${PLACES[place]}${CONDITIONS[condition]}`;
    return row(report, label, (reader) => {
      const same = (one: QuestionRow): boolean =>
        one.question === question &&
        one.condition === condition &&
        one.pictures === pictures &&
        one.place === place;
      const found = reader.questions.find(same);
      if (!found) return "";
      const isLast = place === pictures - 1 || condition === "blanked";
      return isLast ? share(found.correct) : `${share(found.correct)} (${share(found.last)})`;
    });
  });
  return { head: ["% of answers correct (naming the last picture)", ...namesOf(report)], rows };
}

const lengthsText = ({ lengths }: ReaderResult): string =>
  lengths.map(({ positions }) => String(positions)).join(", ");

function factTable(report: KosmosDigitsReport): ResultTable {
  const numbers = report.results[0]?.readers[0]?.lengths.map(({ pictures }) => String(pictures)) ?? [];
  const once = (label: string, of: (reader: ReaderResult) => string): string[] => [
    label,
    ...namesOf(report).map((name) => {
      const reader = report.results[0]?.readers.find((one) => one.name === name);
      return reader ? of(reader) : "";
    }),
  ];
  return {
    head: ["", ...namesOf(report)],
    rows: [
      once("numbers trained on documents", ({ parameters }) => String(parameters)),
      row(report, "processor time of a step, ms", ({ secondsPerStep }) =>
        secondsPerStep === null ? "–" : (1000 * secondsPerStep).toFixed(0),
      ),
      once(`positions that self-attention reads: ${numbers.join(", ")} pictures with captions`, lengthsText),
      once("of these for a picture", ({ perPicture }) => String(perPicture)),
      row(report, "% right in text before its picture", ({ textBefore }) => share(textBefore)),
      row(report, "loss at the end", ({ losses }) => (losses.at(-1)?.loss ?? Number.NaN).toFixed(3)),
    ],
  };
}

const position = (one: Reach["positions"][number]): string =>
  typeof one === "number" ? `[picture ${one + 1}]` : one.trim();

/** The largest change of a logit for each picture, one model below the other. */
function reachTable({ name, reach }: ReaderResult): ResultTable {
  return {
    head: [`${name}: token`, "picture 1", "2", "3"],
    rows: reach.positions.map((one, at) => [
      position(one),
      ...(reach.changes[at] ?? []).map((x) => (x === 0 ? "·" : x.toFixed(2))),
    ]),
  };
}

const tablesOf = (report: KosmosDigitsReport): ResultTable[] => [
  captionTable(report),
  questionTable(report),
  factTable(report),
  ...(report.results[0]?.readers ?? []).map(reachTable),
];

const listed = (values: readonly (string | number)[]): string =>
  values.length < 2 ? values.join("") : `${values.slice(0, -1).join(", ")} and ${values.at(-1)}`;

function summary(report: KosmosDigitsReport): string {
  const { results, backend, plan, seconds, processorSeconds } = report;
  const seeds = `Seed${results.length === 1 ? "" : "s"} ${listed(results.map(({ seed }) => seed))}`;
  const { steps, rows } = plan.documents;
  const towers = listed(results.map(({ classifier }) => `${share(classifier)} %`));
  const unchanged = results.every((one) => one.towerUnchanged);
  return `${seeds}, backend ${backend}: ${steps} steps of ${rows} documents for each model, ${seconds.toFixed(0)} seconds, ${processorSeconds.toFixed(0)} seconds of processor time. The image tower alone classifies ${towers} of the held-out digits correctly; training on documents left it unchanged, bit for bit: ${unchanged ? "yes" : "NO"}.`;
}

/** The results as Markdown, for DIR/report.md and for a document. [kosmosDigits.report] */
export const kosmosDigitsMarkdown = (report: KosmosDigitsReport): string =>
  [summary(report), ...tablesOf(report).flatMap((one) => ["", ...resultMarkdown(one)])].join("\n");

/** The results for a terminal. */
export function kosmosDigitsText(report: KosmosDigitsReport, paint: Paint, width: number): string {
  const drawn = tablesOf(report).map((one) => resultText(one, paint, width));
  return [paragraph("", 0, summary(report), paint, width), ...drawn].join("\n\n");
}
