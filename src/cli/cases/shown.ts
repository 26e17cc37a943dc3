// The text of `cases list` and `cases show`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CaseManifest } from "../../io/golden/manifest.ts";
import type { Shape } from "../../tensor/tensor.ts";
import type { Paint } from "../../terminal/colour.ts";
import { words, wrap } from "../../terminal/prose.ts";
import { columnsFrom, table } from "../../terminal/table.ts";
import type { NamedCase } from "./selected.ts";

/** A line for each case. */
export function listed(cases: readonly NamedCase[], paint: Paint): string {
  const heads = ["case", "class", "title"].map((head) => ({ head: [head] }));
  const rows = cases.map(({ manifest: { id, source, title, full } }) => [
    id,
    source.class,
    full ? `${title} (full size)` : title,
  ]);
  return table(columnsFrom(heads, rows), paint).join("\n");
}

const LABEL = 11;

/** A label and its text, which is broken where a line is full. */
function fact(name: string, text: string, width: number, paint: Paint): string {
  const lines = wrap(words(text), Math.max(20, width - LABEL), paint);
  return lines.map((line, i) => (i === 0 ? name : "").padEnd(LABEL) + line).join("\n");
}

const shapeText = (shape: Shape): string => `[${shape.join(" ")}]`;

/** The arguments of the constructor, without line breaks. */
const json = (value: unknown): string => JSON.stringify(value).replaceAll(/(?<=[,:])(?=["[{\d-])/g, " ");

function tensors(manifest: CaseManifest): string[] {
  const inputs = [...manifest.inputs].map(
    ([name, { dtype, shape, axes }]) =>
      `inputs.${name} ${dtype} ${shapeText(shape)}${axes ? ` ${axes}` : ""}`,
  );
  const weights = [...manifest.weights].map(([name, shape]) => `weights.${name} ${shapeText(shape)}`);
  return [...inputs, ...weights];
}

/** The facts of a case. */
export function shown({ folder, manifest }: NamedCase, paint: Paint, width: number): string {
  const { id, title, source, profile, level, config, call, taps, grads, outputs, flags, tolerance, raises } =
    manifest;
  const noise = (name: string): string => {
    const measured = tolerance?.noise.get(`outputs.${name}`);
    const bound =
      measured === undefined ? "" : `, float32 within ${((tolerance?.K ?? 1) * measured).toExponential(1)}`;
    return `outputs.${name}${bound}`;
  };
  const facts: readonly (readonly [string, readonly string[]])[] = [
    ["source", [`${source.package} ${source.version}, class ${source.class}`]],
    ["profile", [profile]],
    ["level", [level]],
    ["config", [json(config)]],
    ["call", [[...call].map(([argument, input]) => `${argument} = inputs.${input}`).join(", ")]],
    ["given", tensors(manifest)],
    [
      "expected",
      [...outputs.map(noise), ...taps.map((name) => `taps.${name}`), ...grads.map((name) => `grads.${name}`)],
    ],
    ["raises", raises ? [`${raises.type} in the phase "${raises.phase}": ${raises.message}`] : []],
    ["flags", flags.length > 0 ? [flags.join(", ")] : []],
    ["folder", [folder]],
  ];
  const lines = facts.flatMap(([name, texts]) =>
    texts.map((text, i) => fact(i === 0 ? name : "", text, width, paint)),
  );
  return [paint(id, "strong"), ...wrap(words(title), width, paint), "", ...lines].join("\n");
}

/** A case in the document of `cases list --json`. */
export const entryOf = ({ folder, manifest }: NamedCase): object => ({
  id: manifest.id,
  title: manifest.title,
  package: manifest.source.package,
  class: manifest.source.class,
  level: manifest.level,
  profile: manifest.profile,
  full: manifest.full,
  folder,
});

/** A case in the document of `cases show --json`: its case.json, as it is. */
export const documentOf = ({ folder }: NamedCase): object => ({
  folder,
  case: JSON.parse(readFileSync(join(folder, "case.json"), "utf8")),
});
