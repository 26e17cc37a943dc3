// What a task of `flamboyance perceiver` gives: a document, and sections of text that are shown without --json.
import { openFile } from "#host";
import type { Guess } from "../../demos/perceiver/tasks.ts";
import type { Paint } from "../../terminal/colour.ts";
import { words, wrap } from "../../terminal/prose.ts";
import { columnsFrom, tables } from "../../terminal/table.ts";
import { labelsFile } from "../golden-files.ts";

export interface Named extends Guess {
  readonly label: string;
}

/** Rows of a name and a text, or guesses. */
export interface TaskResult {
  readonly document: object;
  readonly rows: readonly (readonly [name: string, text: string])[];
  readonly guesses: { readonly title: string; readonly named: readonly Named[] } | null;
}

/** The guesses with the labels of a list. */
export function named(list: "imagenet-1000" | "kinetics-700", guesses: readonly Guess[]): Named[] {
  const file = openFile(labelsFile(list));
  const labels = new TextDecoder().decode(file.read(0, file.size)).split("\n");
  file.close();
  return guesses.map((guess) => ({ ...guess, label: labels[guess.index] ?? String(guess.index) }));
}

const perCent = (probability: number): string => `${(100 * probability).toFixed(1)} %`;

/** The rows, with their texts on as many lines as they need, and a table of the guesses. */
export function resultText(
  { rows, guesses }: TaskResult,
  isRandom: boolean,
  paint: Paint,
  width: number,
): string {
  const indent = Math.max(0, ...rows.map(([name]) => name.length)) + 2;
  const lines = rows.flatMap(([name, text]) =>
    text
      .split("\n")
      .flatMap((part) => wrap(words(part), width - indent, paint))
      .map((line, i) => `${(i === 0 ? name : "").padEnd(indent)}${line}`.trimEnd()),
  );
  if (!guesses) return lines.join("\n");
  const label = (text: string): string => (text.length > width - 24 ? `${text.slice(0, width - 25)}…` : text);
  const table = tables(
    columnsFrom(
      [{ head: ["probability"], align: "right" }, { head: ["index"], align: "right" }, { head: ["class"] }],
      guesses.named.map((guess) => [perCent(guess.probability), String(guess.index), label(guess.label)]),
    ),
    paint,
    width,
  );
  const title = paint(`${guesses.title}${isRandom ? ", by random weights" : ""}`, "strong");
  return [...lines, "", title, ...table].join("\n");
}
