// Several conventions on the same prompts: where their masks differ, and what each makes of each row.

import { painter } from "../../terminal/colour.ts";
import { type Column, type Piece, table } from "../../terminal/table.ts";
import type { Convention } from "../conventions/schema.ts";
import type { Matrix } from "../grid.ts";
import { type MaskRow, maskRows } from "../rows.ts";
import { type DrawOptions, inkOf, marks, strip, tokenColumns } from "./draw-mask.ts";

/** Two masks side by side, one column an image, with a word at each row where they differ. [mask.drawing] */
export function drawAgainst(
  locations: Matrix,
  images: number,
  one: Convention,
  other: Convention,
  options: Pick<DrawOptions, "tokens" | "colour" | "ascii"> = {},
): string {
  const paint = painter(options.colour);
  const { yes, no } = marks(options.ascii);
  const room = `${images}`.length;
  const numbers = Array.from({ length: images }, (_, m) => `${m + 1}`.padStart(room)).join(" ");
  const cell = (seen: boolean, m: number): Piece =>
    seen ? { text: yes.padStart(room), style: m + 1 } : { text: no.padStart(room), style: "dim" };
  const grid = (rows: readonly MaskRow[], { name }: Convention): Column => ({
    head: [name, numbers],
    cells: rows.map((row) => row.mayAttend.map(cell)),
    align: "center",
    gap: 4,
  });

  const others = maskRows(locations, images, other);
  const prompts = maskRows(locations, images, one).map((rows, b) => {
    const tokens = options.tokens?.[b];
    const against = others[b] ?? [];
    const differs = rows.map((row, l) => `${row.mayAttend}` !== `${against[l]?.mayAttend}`);
    const remarks: Column = {
      head: [],
      cells: differs.map((so) => [{ text: so ? "<- differs" : "" }]),
      gap: 3,
    };
    const columns = [...tokenColumns(rows, tokens), grid(rows, one), grid(against, other), remarks];
    return [...strip(b, rows, tokens, paint), "", ...table(columns, paint)].join("\n");
  });
  return prompts.join("\n\n");
}

/** A row class in a word: {1}, -, LEAK, NaN. */
const brief = ({ outcome: kind, images }: MaskRow): Piece => {
  if (kind === "attends") return { text: `{${images.join(",")}}`, style: inkOf(images) };
  if (kind === "zeroed") return { text: "-", style: "dim" };
  if (kind === "identity") return { text: "=", style: "dim" };
  return { text: kind === "nan" ? "NaN" : "LEAK", style: "alarm" };
};

/** What each convention makes of each row: a line for each convention, a column for each position. [mask.drawing] */
export function drawClasses(
  locations: Matrix,
  images: number,
  conventions: readonly Convention[],
  options: Pick<DrawOptions, "colour"> = {},
): string {
  const judged = conventions.map((convention) => maskRows(locations, images, convention));
  const prompts = judged[0] ?? [];
  const names: Column = { head: ["position"], cells: conventions.map(({ name }) => [{ text: name }]) };

  const columns = prompts.map((prompt, b): Column => {
    const lines = judged.map((rows) => (rows[b] ?? []).map(brief));
    const room = prompt.map((_, l) =>
      Math.max(`${l}`.length, ...lines.map((line) => line[l]?.text.length ?? 0)),
    );
    const centred = (text: string, l: number) => {
      const left = Math.floor(((room[l] ?? 0) - text.length) / 2);
      return (" ".repeat(left) + text).padEnd(room[l] ?? 0);
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
