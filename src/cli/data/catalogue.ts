// flamboyance data list, and data show
import { DATASETS, type DatasetInfo } from "../../evaluation/catalogue/datasets.ts";
import type { Paint } from "../../terminal/colour.ts";
import { didYouMean } from "../../terminal/nearest.ts";
import { words, wrap } from "../../terminal/prose.ts";
import { columnsFrom, tables } from "../../terminal/table.ts";
import { oneOf, readArguments } from "../arguments.ts";
import { paintOn, widthOn, writeJson, writeOut } from "../terminal.ts";
import { UsageError } from "../usage-error.ts";

const OPTIONS = {
  role: { type: "string" },
  json: { type: "boolean", default: false },
} as const;

const ROLES = ["pretrain-text", "pretrain-caption", "pretrain-interleaved", "eval"] as const;

/** The data set of a name or an id. Throws a UsageError if there is none. */
function datasetNamed(name: string): DatasetInfo {
  const wanted = name.toLowerCase();
  const found = DATASETS.find(({ id, name }) => id === wanted || name.toLowerCase() === wanted);
  if (found) return found;
  const near = didYouMean(
    wanted,
    DATASETS.map(({ id }) => id),
  );
  throw new UsageError(`there is no data set "${name}"${near}; flamboyance data list shows all`);
}

/** The rows of the list, a table for each role. */
function listed(datasets: readonly DatasetInfo[], paint: Paint, width: number): string {
  const heads = ["id", "description", "size"].map((head) => ({ head: [head] }));
  const parts = ROLES.flatMap((role) => {
    const rows = datasets.filter((one) => one.role === role);
    if (rows.length === 0) return [];
    const cells = rows.map(({ id, description, size }) => [id, description, size]);
    return [[paint(role, "strong"), ...tables(columnsFrom(heads, cells), paint, width)].join("\n")];
  });
  return parts.join("\n\n");
}

/** One data set, a line for each fact. */
function shown(dataset: DatasetInfo, paint: Paint, width: number): string {
  const { name, description, size, link, linkText, role, modality, tasks, metric, shots, note } = dataset;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["description", description],
    ["size", size],
    ["link", link === null ? linkText : `${linkText}: ${link}`],
    ["role", role],
    ["modality", modality],
    ["tasks", tasks.length > 0 ? tasks.join(", ") : undefined],
    ["metric", metric],
    ["demonstrations", shots?.join(", ")],
    ["in Korean", dataset.korean.join(" | ")],
    ["note", note],
  ];
  const lines = facts.flatMap(([label, value]) => {
    if (value === undefined) return [];
    const [first = "", ...rest] = wrap(words(value), Math.max(20, width - 16), paint);
    return [`${label.padEnd(16)}${first}`, ...rest.map((line) => `${" ".repeat(16)}${line}`)];
  });
  return [paint(name, "strong"), ...lines].join("\n");
}

/** `data list` and `data show`. */
export function catalogue(task: "list" | "show", args: readonly string[]): number {
  const { values, positionals: names } = readArguments(args, OPTIONS);
  if (task === "show" && values.role !== undefined) throw new UsageError("--role goes with data list");
  if (names.length !== (task === "list" ? 0 : 1))
    throw new UsageError(`data ${task} takes ${task === "list" ? "no name" : "one name, such as the-pile"}`);
  const role = values.role === undefined ? null : oneOf("role", values.role, ROLES);
  const datasets =
    task === "show" ? names.map(datasetNamed) : DATASETS.filter((one) => role === null || one.role === role);
  const [paint, width] = [paintOn(process.stdout), widthOn(process.stdout)];
  if (values.json) writeJson({ datasets });
  else if (task === "list") writeOut(`${listed(datasets, paint, width)}\n`);
  else writeOut(`${datasets.map((one) => shown(one, paint, width)).join("\n\n")}\n`);
  return 0;
}
