// The report on a checkpoint and a model as lines of text. Names come from a file, so they are escaped and cut.

import { listed } from "../../../io/wording.ts";
import { isVocabularyTable } from "../../../models/open-flamingo/checkpoints/state.ts";
import { cutLines, nameLines, safeName } from "../../../nn/loading/report-text.ts";
import { written } from "../../../nn/options.ts";
import { checkMember } from "../../../tensor/given.ts";
import { type CheckpointReport, isLoaded } from "./report.ts";

const names = (all: readonly string[]): string => all.map(safeName).join(", ");

const layers = (numbers: readonly number[]): string =>
  numbers.length === 0
    ? "no layer"
    : `the layer${numbers.length === 1 ? "" : "s"} ${numbers.slice(0, 12).join(", ")}${numbers.length > 12 ? ", …" : ""}`;

function shapeLine({ name, model, checkpoint }: CheckpointReport["problems"]["wrongShapes"][number]): string {
  const line = `${safeName(name)}: the model has ${listed(model)}, the checkpoint ${listed(checkpoint)}`;
  const [rows = 0, ...width] = checkpoint;
  const isResized = isVocabularyTable(name) && width.join() === model.slice(1).join();
  if (!isResized) return line;
  return `${line}; build the model with a vocabulary of ${written(rows)} tokens, as createFlamingo does with the language model and tokenizer of the checkpoint`;
}

function problemLines({ problems, unexpected, missing }: CheckpointReport): string[] {
  const { wrongShapes, different, unreadable, incomplete, gatedLayers, strict } = problems;
  const lacking = new Set(missing.trained);
  return [
    ...gatedLayers.map(
      ({ model, checkpoint }) =>
        `  gated cross-attention: the model has it in ${layers(model)}, the checkpoint in ${layers(checkpoint)}: build the model with the crossAttnEveryNLayers and crossAttnFirstLayer of the checkpoint`,
    ),
    ...cutLines("wrong shape", wrongShapes.map(shapeLine)),
    ...cutLines(
      "cannot be loaded",
      unreadable.map(({ name, problem }) => `${safeName(name)} ${problem}`),
    ),
    ...cutLines(
      "several copies, which differ: keep one of each",
      different.map(({ from }) => names(from.slice(0, 4))),
    ),
    ...nameLines(
      "missing, although it is trained",
      incomplete.filter((name) => lacking.has(name)),
      missing.trained,
    ),
    ...nameLines(
      "trained, but unknown to the model",
      incomplete.filter((name) => !lacking.has(name)),
      unexpected,
    ),
    ...nameLines("refused because of strict", strict, [...missing.rows, ...unexpected]),
  ];
}

/** The report as lines; the first one states whether the checkpoint was loaded. */
export function describeCheckpointReport(report: CheckpointReport): string[] {
  checkMember(
    "describeCheckpointReport",
    { report },
    "copies",
    "a report, as loadFlamingoCheckpoint returns it",
  );
  const { file, tensors, loaded, besides, isTraining, prefix, copies, aside, missing, unexpected } = report;
  if (!isLoaded(report))
    return [`${safeName(file)}: the checkpoint does not fit the model`, ...problemLines(report)];
  const second = copies.reduce((sum, { from }) => sum + from.length - 1, 0);
  const line = (text: string, isTrue: boolean): string[] => (isTrue ? [`  ${text}`] : []);
  return [
    `${safeName(file)}: ${written(loaded.length)} parameters are loaded, of ${written(tensors)} tensors`,
    ...line("a checkpoint of training", isTraining),
    ...line(`not read: ${names(besides.slice(0, 10))}`, besides.length > 0),
    ...line(`"${safeName(prefix)}" is removed from the names`, prefix !== ""),
    ...line(`second names of the same tensors: ${written(second)}`, second > 0),
    ...Object.entries(aside).flatMap(([reason, given]) => nameLines(`left aside, ${reason}`, given, given)),
    ...line(
      `missing and frozen, as expected: ${written(missing.frozen.length)} parameters`,
      missing.frozen.length > 0,
    ),
    ...nameLines("missing and needed, with a row for each added token", missing.rows, missing.rows),
    ...nameLines("unexpected", unexpected, unexpected),
  ];
}
