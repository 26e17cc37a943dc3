// The report on weights and a model as lines of text. Names come from a file, so they are escaped and cut.

import { checkMember } from "../../tensor/given.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import { printableLine } from "../../terminal/width.ts";
import { written } from "../options.ts";
import { differenceSentence } from "./name-differences.ts";
import type { StateDictReport } from "./report.ts";
import type { RuleUse } from "./rules.ts";

/** The number of lines for one list. */
const SHOWN = 10;
/** So many names are no group. */
const FEW = 3;
/** The number of characters of a name. */
const LONGEST = 150;

/** A name from a file, without control characters and cut. */
export const safeName = (name: string): string =>
  printableLine(name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name);

/** Names that begin alike. */
interface Group {
  /** What all names begin with, up to a dot; or the only name. */
  readonly prefix: string;
  readonly names: readonly string[];
}

const alone = (names: readonly string[]): Group[] => names.map((name) => ({ prefix: name, names: [name] }));

const firstPart = (name: string): string => name.slice(0, name.indexOf(".") + 1) || name;

/** The longest beginning that ends with a dot and that all names have. */
function commonPrefix(names: readonly string[]): string {
  const [first = ""] = names;
  let end = first.length;
  for (const name of names) {
    let at = 0;
    while (at < end && name[at] === first[at]) at++;
    end = at;
  }
  return first.slice(0, first.lastIndexOf(".", end - 1) + 1);
}

/** Groups by the first part of the names; each group has the longest prefix that its names share. */
function grouped(names: readonly string[]): Group[] {
  const byPart = new Map<string, string[]>();
  for (const name of names) {
    const part = firstPart(name);
    const known = byPart.get(part);
    if (known === undefined) byPart.set(part, [name]);
    else known.push(name);
  }
  return [...byPart.values()].flatMap((group) =>
    group.length <= FEW ? alone(group) : [{ prefix: commonPrefix(group), names: group }],
  );
}

/** The name, or "vision_encoder.*". */
const patternOf = ({ prefix, names }: Group): string => (names.length === 1 ? prefix : `${prefix}*`);

/** "all 1,234 of vision_encoder.*", "12 of the 300 of layers.*" or the name. */
function groupText({ prefix, names }: Group, all: readonly string[]): string {
  if (names.length === 1) return safeName(prefix);
  const total = all.filter((name) => name.startsWith(prefix)).length;
  const count = written(names.length);
  return `${names.length >= total ? `all ${count} of` : `${count} of the ${written(total)} of`} ${safeName(prefix)}*`;
}

/** Up to ten names, or ten groups where there are more names. `all` are the names among which a group is counted. */
export function nameLines(
  title: string,
  names: readonly string[],
  all: readonly string[],
  remark: (pattern: string) => string = () => "",
): string[] {
  if (names.length === 0) return [];
  const groups = names.length <= SHOWN ? alone(names) : grouped(names); // [state.report]
  const lines = groups
    .slice(0, SHOWN)
    .map((group) => `    ${groupText(group, all)}${remark(patternOf(group))}`);
  const rest = groups.slice(SHOWN).reduce((sum, group) => sum + group.names.length, 0);
  return [`  ${title}:`, ...lines, ...(rest > 0 ? [`    … and ${written(rest)} more`] : [])];
}

/** Up to ten lines below a title. */
export const cutLines = (title: string, lines: readonly string[]): string[] => {
  if (lines.length === 0) return [];
  const rest = lines.length > SHOWN ? [`    … and ${written(lines.length - SHOWN)} more`] : [];
  return [`  ${title}:`, ...lines.slice(0, SHOWN).map((line) => `    ${line}`), ...rest];
};

function problemLines({ problems, names }: StateDictReport): string[] {
  const { differences, missing, unexpected, notFloats, wrongShapes, collisions } = problems;
  const near = unexpected.length > 0 && missing.length > 0;
  const candidates = near ? [...missing, ...grouped(missing).map(patternOf)] : [];
  const known = new Set(candidates);
  const guess = (name: string) => (known.has(name) ? "" : safeName(didYouMean(name, candidates)));
  return [
    ...differences.map((difference) => `  ${safeName(differenceSentence(difference, names.renamed.length))}`),
    ...nameLines("missing", missing, names.model),
    ...nameLines("unexpected", unexpected, names.renamed, guess),
    ...nameLines("no floats", notFloats, names.renamed),
    ...cutLines(
      "wrong shape",
      wrongShapes.map(
        ({ name, model, weights }) =>
          `${safeName(name)}: the model has [${model.join(" ")}], the weights [${weights.join(" ")}]`,
      ),
    ),
    ...cutLines(
      "renamed to one name",
      collisions.map(
        ({ name, from }) => `${from.slice(0, 3).map(safeName).join(" and ")}: ${safeName(name)}`,
      ),
    ),
  ];
}

const useLines = (title: string, uses: readonly RuleUse[], all: readonly string[]): string[] =>
  uses.flatMap(({ rule, names }) => nameLines(`${title} by ${safeName(rule)}`, names, all));

/** One line for each part that was removed, with the number of names. */
const strippedLines = (uses: readonly RuleUse[]): string[] =>
  uses.map(({ rule, names }) => `  "${safeName(rule)}" removed from ${written(names.length)} names`);

const unusedLines = ({ ignored, renamed, optional }: StateDictReport): string[] =>
  Object.entries({ ignore: ignored, rename: renamed, optional }).flatMap(([kind, uses]) =>
    uses.flatMap(({ rule, names }) => (names.length > 0 ? [] : [`  ${kind} ${safeName(rule)} fits no name`])),
  );

/** The report as lines; the first one states whether the weights were loaded. */
export function describeStateDictReport(report: StateDictReport): string[] {
  checkMember("describeStateDictReport", { report }, "problems", "a report, as loadStateDict returns it");
  const problems = problemLines(report);
  if (problems.length > 0)
    return [`the weights do not fit ${report.model}  [state.strict]`, ...problems, ...unusedLines(report)];
  const { loaded, names, stripped, ignored, renamed, optional } = report;
  return [
    `${written(loaded.length)} of ${written(names.weights.length)} weights are loaded into ${report.model}`,
    ...strippedLines(stripped),
    ...useLines("ignored", ignored, names.weights),
    ...useLines("renamed", renamed, names.weights),
    ...useLines("not given, but optional", optional, names.model),
    ...unusedLines(report),
  ];
}
