// Draws several conventions on the same prompts: where their masks differ, and the outcome of each row.

import { painter } from "../../terminal/colour.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import type { Convention } from "../conventions/schema.ts";
import { rangesText } from "../counting/image-ranges.ts";
import type { Matrix } from "../grid.ts";
import { type MaskRow, maskRows, sameMask } from "../rows.ts";
import { type DrawOptions, imageStyle, labelsOf, marks, strip, tokenColumns } from "./draw-mask.ts";

/** Two masks side by side, one column per image, with a remark on each row where they differ. [mask.drawing] */
export function drawAgainst(
  locations: Matrix,
  images: number,
  one: Convention,
  other: Convention,
  options: Pick<DrawOptions, "tokens" | "colour" | "ascii"> = {},
): string {
  const paint = painter(options.colour);
  const { yes, no } = marks(options.ascii);
  const width = `${images}`.length;
  const numbers = Array.from({ length: images }, (_, m) => `${m + 1}`.padStart(width)).join(" ");
  const cell = (seen: boolean, m: number): Piece =>
    seen ? { text: yes.padStart(width), style: m + 1 } : { text: no.padStart(width), style: "faint" };
  const grid = (rows: readonly MaskRow[], { name }: Convention): Column => ({
    head: [name, numbers],
    cells: rows.map((row) => row.mayAttend.map(cell)),
    align: "center",
    gap: 4,
  });

  const others = maskRows(locations, images, other);
  const prompts = maskRows(locations, images, one).map((rows, b) => {
    const labels = labelsOf(rows, options.tokens?.[b]);
    const against = others[b] ?? [];
    const differs = rows.map((row, l) => !sameMask(row, against[l] ?? row));
    const remarks: Column = {
      cells: differs.map((differ) => [{ text: differ ? "<- differs" : "" }]),
      gap: 3,
    };
    const columns = [...tokenColumns(rows, labels), grid(rows, one), grid(against, other), remarks];
    return [strip(b, labels, paint), "", ...table(columns, paint)].join("\n");
  });
  return prompts.join("\n\n");
}

/** A short label for an outcome: {1}, -, =, LEAK, NaN. */
const shortOutcome = ({ outcome, reaching }: MaskRow): Piece => {
  if (outcome === "attends") return { text: `{${rangesText(reaching)}}`, style: imageStyle(reaching) };
  if (outcome === "zeroed") return { text: "-", style: "faint" };
  if (outcome === "identity") return { text: "=", style: "faint" };
  return { text: outcome === "nan" ? "NaN" : "LEAK", style: "bad" };
};

/**
 * The outcome of each row: a line for each convention, a column for each position. Throws a RangeError unless the conventions are a
 * list. [mask.drawing]
 */
export function drawOutcomes(
  locations: Matrix,
  images: number,
  conventions: readonly Convention[],
  options: Pick<DrawOptions, "colour"> = {},
): string {
  if (!Array.isArray(conventions))
    throw new RangeError(
      `Conventions are a list, such as [conventions.immediate], not ${String(conventions)}.`,
    ); // [mask.input]
  const masks = conventions.map((convention) => maskRows(locations, images, convention));
  const prompts = masks[0] ?? [];
  const names: Column = { head: ["position"], cells: conventions.map(({ name }) => [{ text: name }]) };

  const columns = prompts.map((prompt, b): Column => {
    const lines = masks.map((rows) => (rows[b] ?? []).map(shortOutcome));
    const widths = prompt.map((_, l) =>
      Math.max(`${l}`.length, ...lines.map((line) => line[l]?.text.length ?? 0)),
    );
    const centred = (text: string, l: number) => {
      const left = Math.floor(((widths[l] ?? 0) - text.length) / 2);
      return (" ".repeat(left) + text).padEnd(widths[l] ?? 0);
    };
    return {
      head: [prompts.length > 1 ? `prompt ${b}` : "", prompt.map((_, l) => centred(`${l}`, l)).join(" ")],
      cells: lines.map((line) => line.map(({ text, style }, l) => ({ text: centred(text, l), style }))),
      gap: 4,
    };
  });
  const lines = table([names, ...columns], painter(options.colour));
  return lines.slice(prompts.length > 1 ? 0 : 1).join("\n");
}
